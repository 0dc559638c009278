/** The bucket of the Terraform states, whose own state it holds too: `npm run state-backend` makes it and moves the state in. */
import type { Construct } from "constructs";
import { PrivateBucket } from "../../constructs/private-bucket";
import { contract } from "./contract";
import { PlatformStack } from "./platform-stack";
import type { Settings } from "./settings";

export const stateBackend = contract("state-backend", {
  stateBucket: "Bucket of the Terraform states",
});

/** A year of old states: long enough to find what an incident lost. */
const OLD_STATES_DAYS = 365;

export class StateBackend extends PlatformStack {
  constructor(scope: Construct, settings: Settings) {
    super(scope, stateBackend.stack, settings);
    const bucket = new PrivateBucket(this, "states", {
      name: settings.state.bucket,
      versioned: true,
      noncurrentVersionDays: OLD_STATES_DAYS,
      protect: settings.protectData,
    });
    this.publish(stateBackend, { stateBucket: bucket.name });
  }
}
