/** A Helm chart of this repository, released in a cluster. */
import { Release } from "@cdktf/provider-helm/lib/release";
import { AssetType, type ITerraformDependable, TerraformAsset } from "cdktf";
import { Construct } from "constructs";

const TIMEOUT_SECONDS = 300;
/** Revisions that Helm keeps, each a Secret. */
const HISTORY = 3;

export interface LocalChartProps {
  /** Folder of the chart, relative to the project. */
  readonly chart: string;
  /** Name of the release. */
  readonly name: string;
  readonly namespace: string;
  /** Values, by the chart's values.yaml. They may hold tokens, but no secrets: they are in the state. */
  readonly values: Readonly<Record<string, unknown>>;
  /** How long it may take until all of its pods are ready. @default 300 */
  readonly timeoutSeconds?: number;
  /** What must be there before it. @default - nothing */
  readonly dependsOn?: readonly ITerraformDependable[];
}

/** All of a release, or nothing: one that fails is rolled back. */
export class LocalChart extends Construct {
  /** The release, for what must come after it. */
  readonly release: ITerraformDependable;

  constructor(scope: Construct, id: string, props: LocalChartProps) {
    super(scope, id);
    const chart = new TerraformAsset(this, "chart", { path: props.chart, type: AssetType.DIRECTORY });
    this.release = new Release(this, "Resource", {
      name: props.name,
      namespace: props.namespace,
      chart: `./${chart.path}`,
      values: [JSON.stringify(props.values)],
      atomic: true,
      maxHistory: HISTORY,
      timeout: props.timeoutSeconds ?? TIMEOUT_SECONDS,
      dependsOn: [...(props.dependsOn ?? [])],
    });
  }
}
