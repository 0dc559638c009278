/** The ML function behind a stand-in of its URL, which asks the policies that the stack emits, put into the stand-in of AWS. */
import { AwsClient } from "aws4fetch";
import { type FunctionUrl, startFunctionUrl } from "../../local/function-url/function-url";
import type { LocalFunction } from "../../local/lambda/function";
import { CALLER_ROLE, FUNCTION } from "../../modules/ml-function/names";
import { createMlFunction } from "../lambdas/ml-xgboost/function";
import type { PolicyStatement } from "../support/expression";
import { type StandIns, startStandIns } from "../support/servers";
import type { Emitted } from "./emitted";

const KEYS = { accessKeyId: "local", secretAccessKey: "local" };

export class MlWorld {
  private constructor(
    readonly emitted: Emitted,
    readonly standIns: StandIns,
    readonly fn: LocalFunction,
    readonly front: FunctionUrl,
    /** Lines of JSON that the URL has written. */
    readonly log: readonly string[],
  ) {}

  /** Starts the stand-ins, the function with the settings of its stack, and its URL; makes the callers' role as the stack emits it. */
  static async start(emitted: Emitted): Promise<MlWorld> {
    const { accountId, region } = emitted.place;
    const standIns = await startStandIns(accountId);
    const log: string[] = [];
    const fn = createMlFunction();
    const front = await startFunctionUrl({
      fn,
      awsEndpoint: `http://127.0.0.1:${standIns.ports.aws}`,
      functionArn: `arn:aws:lambda:${region}:${accountId}:function:${FUNCTION}`,
      region,
      onLog: (line) => log.push(line),
    });
    const world = new MlWorld(emitted, standIns, fn, front, log);
    await world.grant(world.callerStatements);
    return world;
  }

  get url(): string {
    return this.front.url;
  }

  /** What the stack lets callers do. */
  get callerStatements(): readonly PolicyStatement[] {
    return this.emitted.roles.find(({ name }) => name === CALLER_ROLE)?.statements ?? [];
  }

  /** Makes the callers' role where there is none, and gives it these permissions. */
  async grant(statements: readonly PolicyStatement[]): Promise<void> {
    const Statement = statements.map(({ actions, condition, effect, resources, sid }) => ({
      Sid: sid,
      Effect: effect,
      Action: actions,
      Resource: resources,
      ...(condition === undefined ? {} : { Condition: condition }),
    }));
    await this.iam({ Action: "CreateRole", RoleName: CALLER_ROLE, AssumeRolePolicyDocument: "{}" });
    await this.iam({
      Action: "PutRolePolicy",
      RoleName: CALLER_ROLE,
      PolicyName: "permissions",
      PolicyDocument: JSON.stringify({ Version: "2012-10-17", Statement }),
    });
  }

  async stop(): Promise<void> {
    await this.front.close();
    await this.fn.close();
    await this.standIns.stop();
  }

  private async iam(query: Record<string, string>): Promise<void> {
    const client = new AwsClient({ ...KEYS, service: "iam", region: "us-east-1" });
    await client.fetch(`http://127.0.0.1:${this.standIns.ports.aws}`, {
      method: "POST",
      headers: { "content-type": "application/x-www-form-urlencoded" },
      body: String(new URLSearchParams({ ...query, Version: "2010-05-08" })),
    });
  }
}
