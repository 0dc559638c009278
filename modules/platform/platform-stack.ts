/** The base of every stack: state, versions, providers, tags, names, and the contracts between states. */
import { AwsProvider } from "@cdktf/provider-aws/lib/provider";
import {
  Aspects,
  DataTerraformRemoteStateS3,
  S3Backend,
  type S3BackendConfig,
  TerraformElement,
  TerraformOutput,
  TerraformStack,
} from "cdktf";
import type { Construct } from "constructs";
import { CI_ACCESS, ciNames } from "./ci/names";
import { RoleBoundary } from "./ci/role-boundary";
import { type Contract, outputName, type ValuesOf } from "./contract";
import { InstanceTags } from "./instance-tags";
import { settleStackFolder } from "./lock-files";
import { Policy } from "./policy/policy";
import type { Settings } from "./settings";

/** Oldest Terraform that locks S3 states natively without a flag for experiments. */
const REQUIRED_TERRAFORM = ">= 1.11";
/** The bindings pin 6.25.0 exactly; fixes arrive within the major version (`invoked_via_function_url` needs 6.29). */
const AWS_PROVIDER_VERSION = "~> 6.47";

/** One stack: one Terraform state at `<project>/<environment>/<stack>.tfstate`. */
export abstract class PlatformStack extends TerraformStack {
  /** The environment's settings. */
  protected readonly settings: Settings;
  private readonly addresses = new Map<string, string>();

  /**
   * @param scope the App
   * @param id the stack's id, which is also its folder below `cdktf.out/stacks` and the name of its state
   * @param settings the environment's settings
   */
  constructor(scope: Construct, id: string, settings: Settings) {
    super(scope, id);
    this.settings = settings;
    new S3Backend(this, stateOf(id, settings));
    new AwsProvider(this, "aws", {
      region: settings.region,
      allowedAccountIds: [settings.accountId],
      defaultTags: [{ tags: this.tags }],
      ...(settings.standIns ? STAND_IN_PROVIDER : {}),
    });
    this.addOverride("terraform.required_version", REQUIRED_TERRAFORM);
    this.addOverride("terraform.required_providers.aws.version", AWS_PROVIDER_VERSION);
    Aspects.of(this).add(new InstanceTags(this.tags));
    if (settings.ci.repository && id !== CI_ACCESS) {
      Aspects.of(this).add(new RoleBoundary(ciNames(settings).boundaryArn));
    }
    Aspects.of(this).add(new Policy(settings));
  }

  /** The tags that every resource of this stack carries. */
  protected get tags(): Record<string, string> {
    const { project, environment, owner, repository } = this.settings;
    return { project, environment, stack: this.node.id, owner, repository };
  }

  /** Publishes this stack's contract as Terraform outputs with static names. */
  protected publish<C extends Contract>(contract: C, values: ValuesOf<C>): void {
    for (const [field, description] of Object.entries(contract.fields)) {
      const output = new TerraformOutput(this, `output-${outputName(field)}`, {
        value: values[field],
        description: typeof description === "string" ? description : description.description,
      });
      output.overrideLogicalId(outputName(field));
    }
  }

  /**
   * Reads what another stack publishes, and makes this stack depend on it.
   *
   * @throws Error when that stack is not part of this environment
   */
  protected read<C extends Contract>(contract: C): ValuesOf<C> {
    const producer = this.node.root.node.tryFindChild(contract.stack);
    if (!(producer instanceof TerraformStack)) {
      throw new Error(
        `${this.node.id}: reads ${contract.stack}, which is not part of environment "${this.settings.environment}". ` +
          "Keep both stacks or leave both out in cdktf.json, and construct the producer first in main.ts.",
      );
    }
    this.addDependency(producer);
    const state = new DataTerraformRemoteStateS3(this, contract.stack, stateOf(contract.stack, this.settings));
    const values = Object.entries(contract.fields).map(([field, kind]) => {
      const name = outputName(field);
      return [field, typeof kind === "string" ? state.getString(name) : state.getList(name)];
    });
    return Object.fromEntries(values) as ValuesOf<C>;
  }

  /** Names that read in a state listing: the path of constructs, without a hash. */
  protected override allocateLogicalId(element: TerraformElement | TerraformStack["node"]): string {
    const node = TerraformElement.isTerraformElement(element) ? element.node : element;
    const path = node.scopes.slice(node.scopes.indexOf(this) + 1).map((scope) => scope.node.id);
    const id = path.filter((part) => part !== "Resource").join("_");
    const address = `${element.constructor.name}.${id}`;
    const taken = this.addresses.get(address);
    if (taken !== undefined && taken !== node.path) {
      throw new Error(`${node.path}: its address ${address} is that of ${taken}. Give one of them another id.`);
    }
    this.addresses.set(address, node.path);
    return id;
  }

  override prepareStack(): void {
    super.prepareStack();
    settleStackFolder(this, stateOf(this.node.id, this.settings).key, !this.settings.standIns);
  }
}

/** Where a stack's state is kept: the one description for the backend and for whoever reads it. */
function stateOf(stack: string, settings: Settings): S3BackendConfig {
  const state = {
    bucket: settings.state.bucket,
    key: `${settings.project}/${settings.environment}/${stack}.tfstate`,
    region: settings.region,
    encrypt: true,
    allowedAccountIds: [settings.accountId],
    // The type of 0.21 lacks the field; it renders into both the backend and the remote-state data source.
    useLockfile: true,
    ...(settings.standIns ? STAND_IN_STATE : {}),
  };
  return state satisfies S3BackendConfig;
}

/** The stand-ins have no metadata service, no virtual-host buckets, and answer 500 for what they lack, which retries cannot mend. */
const STAND_IN_PROVIDER = {
  s3UsePathStyle: true,
  skipCredentialsValidation: true,
  skipMetadataApiCheck: "true",
  maxRetries: 2,
};

const STAND_IN_STATE = {
  usePathStyle: true,
  skipCredentialsValidation: true,
  skipMetadataApiCheck: true,
};
