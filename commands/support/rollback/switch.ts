/** Moving a group to another version of its launch template. */
import { setTimeout as sleep } from "node:timers/promises";
import {
  type AutoScalingClient,
  type AutoScalingGroup,
  CancelInstanceRefreshCommand,
  UpdateAutoScalingGroupCommand,
} from "@aws-sdk/client-auto-scaling";
import { type Group, isMoving, type RefreshStatus } from "../group";
import { Problem } from "../problem";
import { specificationOf } from "./programs";

const POLL_MS = 5_000;
/** A refresh that is cancelled ends the instances that it has begun to replace. */
const CANCEL_MS = 900_000;

/**
 * Makes the group launch from that version. It comes before any refresh, so that what scaling adds in the meantime is of it too.
 *
 * @param group as it was described
 * @param version number of the launch template's version
 */
export async function useVersion(client: AutoScalingClient, group: AutoScalingGroup, version: number): Promise<void> {
  const { LaunchTemplateId } = specificationOf(group) ?? {};
  const specification = { LaunchTemplateId, Version: String(version) };
  const mixed = group.MixedInstancesPolicy;
  await client.send(
    new UpdateAutoScalingGroupCommand({
      AutoScalingGroupName: group.AutoScalingGroupName,
      ...(mixed
        ? {
            MixedInstancesPolicy: {
              ...mixed,
              LaunchTemplate: { ...mixed.LaunchTemplate, LaunchTemplateSpecification: specification },
            },
          }
        : { LaunchTemplate: specification }),
    }),
  );
}

/**
 * Cancels a refresh that goes on, which would bring the version to leave, and waits until it has ended.
 *
 * @throws Problem when it does not end
 */
export async function endRefresh(
  client: AutoScalingClient,
  group: Group,
  name: string,
  say: (text: string) => void,
): Promise<void> {
  let refresh: RefreshStatus | undefined = await group.latestRefresh();
  if (!refresh || !isMoving(refresh)) {
    return;
  }
  say(`cancelling the refresh ${refresh.id}, which goes on (${refresh.percent} %)`);
  if (refresh.status !== "Cancelling") {
    await client.send(new CancelInstanceRefreshCommand({ AutoScalingGroupName: name }));
  }
  const end = Date.now() + CANCEL_MS;
  while (refresh && isMoving(refresh)) {
    if (Date.now() > end) {
      throw new Problem(
        `The refresh ${refresh.id} of ${name} is still ${refresh.status} after ${CANCEL_MS / 60_000} minutes.`,
        "Look at the group's activities in the console; the group launches from the earlier version already. Then run it again.",
      );
    }
    await sleep(POLL_MS);
    refresh = await group.latestRefresh();
  }
}
