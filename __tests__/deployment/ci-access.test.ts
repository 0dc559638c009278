/** Stack ci-access by real Terraform and the real provider, against a stand-in of AWS: apply, and a second plan without a change. */
import { Deployment, sectionOf } from "../support/deployment";
import { testUnless } from "../support/tools";

const STACK = "ci-access";
const STACK_MS = 300_000;

const missing = process.env.NANOGRID_NO_PROVIDERS
  ? `no Terraform providers: ${process.env.NANOGRID_NO_PROVIDERS}`
  : undefined;

let deployment: Deployment | undefined;

afterAll(() => deployment?.stop());

testUnless(missing)(
  "ci-access: AWS takes both roles with their policies and the boundary, and a second plan finds nothing to change",
  async () => {
    const started = await Deployment.start({ ...sectionOf("local"), ci: { repository: "acme/cloud" } });
    deployment = started;
    const terraform = (...args: string[]) => started.terraform(STACK, ...args);

    await terraform("apply", "-input=false", "-auto-approve");

    // Exit code 2, for a change, would throw.
    await terraform("plan", "-input=false", "-detailed-exitcode");
    expect(await terraform("output", "-raw", "deploy_role_arn")).toBe(
      `arn:aws:iam::${started.settings.accountId}:role/nanogrid-cloud-deployed-ci-deploy`,
    );
    const attached = (await terraform("state", "list")).match(/aws_iam_role_policy_attachment\.deploy_/g) ?? [];
    expect(attached.length).toBeGreaterThan(1);
    expect(attached.length).toBeLessThanOrEqual(10);
  },
  STACK_MS,
);
