/**
 * The way through the ML function's URL: a role that is assumed, a signature for it, and both actions that Lambda asks since October 2025,
 * judged by the policies that the stack emits. Then each is taken away once, and the call has to be refused.
 */

import { readFileSync } from "node:fs";
import { AssumeRoleCommand, STSClient } from "@aws-sdk/client-sts";
import { AwsClient } from "aws4fetch";
import { URL_ACTIONS } from "../../local/function-url/permissions";
import { CALLER_ROLE, FUNCTION, FUNCTION_ROLE } from "../../modules/ml-function/names";
import { motoMissing } from "../support/servers";
import { describeUnless } from "../support/tools";
import { Judge } from "./judge";
import { localGrants } from "./local-grants";
import { MlWorld } from "./ml-world";

const SETUP_MS = 120_000;
const { emitted, excepted, remove, shown } = localGrants((stack) => stack === "ml-function");
remove();
const { accountId, region } = emitted.place;
const functionArn = `arn:aws:lambda:${region}:${accountId}:function:${FUNCTION}`;
const card = JSON.parse(readFileSync("lambdas/ml-xgboost/model/card.json", "utf8"));
const row = Object.fromEntries(card.features.map((each: { name: string; lowest: number }) => [each.name, each.lowest]));

describeUnless(motoMissing())("the ML function's URL", () => {
  let world: MlWorld;
  let session: { accessKeyId: string; secretAccessKey: string; sessionToken: string };

  beforeAll(async () => {
    world = await MlWorld.start(emitted);
    const sts = new STSClient({
      region,
      endpoint: `http://127.0.0.1:${world.standIns.ports.aws}`,
      credentials: { accessKeyId: "local", secretAccessKey: "local" },
    });
    const RoleArn = `arn:aws:iam::${accountId}:role/${CALLER_ROLE}`;
    const { Credentials } = await sts.send(new AssumeRoleCommand({ RoleArn, RoleSessionName: "test" }));
    sts.destroy();
    session = {
      accessKeyId: Credentials?.AccessKeyId ?? "",
      secretAccessKey: Credentials?.SecretAccessKey ?? "",
      sessionToken: Credentials?.SessionToken ?? "",
    };
  }, SETUP_MS);
  afterAll(() => world?.stop());
  afterEach(() => world.grant(world.callerStatements));

  const init = { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify({ row }) };
  const signed = (keys = session, service = "lambda", datetime?: string) =>
    new AwsClient({ ...keys, service, region, retries: 0 }).sign(world.url, {
      ...init,
      ...(datetime ? { aws: { datetime } } : {}),
    });
  const call = async (request?: Request) => {
    const answer = await fetch(request ?? (await signed()));
    return { status: answer.status, type: answer.headers.get("x-amzn-errortype"), body: await answer.json() };
  };

  test("a request that the callers' role has signed is answered by the function", async () => {
    const { body, status } = await call();
    expect(status).toBe(200);
    expect(body).toMatchObject({ model: { version: card.version }, prediction: { outside: [] } });
  });

  test.each(URL_ACTIONS)("without %s it is refused, though the other is there", async (action) => {
    const left = world.callerStatements.filter(({ actions }) => !actions.includes(action));
    expect(left).toHaveLength(world.callerStatements.length - 1);
    await world.grant(left);
    expect(await call()).toEqual({ status: 403, type: "AccessDeniedException", body: { Message: "Forbidden" } });
    expect(JSON.parse(world.log.at(-2) ?? "{}")).toMatchObject({ msg: "denied", actions: action });
  });

  test("the role calls the function through its URL alone, not by the API of Lambda", async () => {
    const judge = new Judge(emitted);
    const ask = { action: "lambda:InvokeFunction", resource: functionArn };
    const viaUrl = { ...ask, context: { "lambda:InvokedViaFunctionUrl": "true" } };
    expect(await judge.verdict(CALLER_ROLE, viaUrl)).toMatchObject({ allowed: true });
    expect(await judge.verdict(CALLER_ROLE, ask)).toMatchObject({ allowed: false });
    const elsewhere = { ...viaUrl, resource: `${functionArn}-other` };
    expect(await judge.verdict(CALLER_ROLE, elsewhere)).toMatchObject({ allowed: false });
  });

  test("the function's own role may not call it", async () => {
    const viaUrl = { "lambda:InvokedViaFunctionUrl": "true", "lambda:FunctionUrlAuthType": "AWS_IAM" };
    const verdicts = URL_ACTIONS.map((action) =>
      new Judge(emitted).verdict(FUNCTION_ROLE, { action, resource: functionArn, context: viaUrl }),
    );
    expect((await Promise.all(verdicts)).map(({ allowed }) => allowed)).toEqual([false, false]);
  });

  test.each<[string, string, () => Promise<Request>]>([
    ["nobody has signed", "MissingAuthenticationTokenException", async () => new Request(world.url, init)],
    ["is signed with another secret", "InvalidSignatureException", () => signed({ ...session, secretAccessKey: "x" })],
    ["is signed for another service", "InvalidSignatureException", () => signed(session, "execute-api")],
    ["was signed long ago", "InvalidSignatureException", () => signed(session, "lambda", "20200101T000000Z")],
    [
      "was changed after it was signed",
      "InvalidSignatureException",
      async () => new Request(await signed(), { body: JSON.stringify({ rows: [row] }) }),
    ],
    [
      "an identity without permissions has signed",
      "AccessDeniedException",
      () => signed({ ...session, accessKeyId: "AKIAIOSFODNN7EXAMPLE" }),
    ],
  ])("a request that %s is refused", async (_what, type, request) => {
    expect(await call(await request())).toMatchObject({ status: 403, type });
  });

  test("every permission of the callers' role is one of those that were taken away above", () => {
    expect(shown.map(({ action }) => action).sort()).toEqual([...URL_ACTIONS].sort());
    expect(new Set(excepted.map(({ role }) => role))).toEqual(new Set([FUNCTION_ROLE]));
  });
});
