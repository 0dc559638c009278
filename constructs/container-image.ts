/** A container image that the deployment builds and pushes, under the hash of what it is built from. */
import { DataAwsEcrImage } from "@cdktf/provider-aws/lib/data-aws-ecr-image";
import { AssetType, DataResource, TerraformAsset } from "cdktf";
import { Construct } from "constructs";

/** The project, seen from a stack's folder, `cdktf.out/stacks/<stack>`, where Terraform runs. */
const PROJECT = "../../..";

export interface ContainerImageProps {
  /** Environment of cdktf.json whose account has the registry: credentials of any other are refused. */
  readonly environment: string;
  /** Name of the ECR repository. */
  readonly repository: string;
  /** The repository's URL: registry and name. */
  readonly repositoryUrl: string;
  /** Tag that changes with the sources, and with nothing else. */
  readonly tag: string;
  /** Folder of the build context: everything in it belongs to the image's sources. */
  readonly context: string;
  /** Path of the Dockerfile in the context. */
  readonly dockerfile: string;
  /** Platform that it is for. @default linux/amd64 */
  readonly platform?: "linux/amd64" | "linux/arm64";
}

/**
 * Runs `npm run publish-image` when the tag is new, on a copy of the context below the stack's folder. Whoever refers to {@link uri} comes
 * after the push; the repository must be immutable, so that the tag means one image for ever.
 */
export class ContainerImage extends Construct {
  /** Registry, name and tag. */
  readonly uri: string;
  private readonly image: DataResource;

  constructor(
    scope: Construct,
    id: string,
    private readonly props: ContainerImageProps,
  ) {
    super(scope, id);
    const context = new TerraformAsset(this, "context", { path: props.context, type: AssetType.DIRECTORY });
    const flags = {
      environment: props.environment,
      repository: props.repository,
      tag: props.tag,
      context: `${context.path}/`,
      dockerfile: props.dockerfile,
      ...(props.platform === undefined ? {} : { platform: props.platform }),
    };
    const uri = `${props.repositoryUrl}:${props.tag}`;
    this.image = new DataResource(this, "Resource", {
      input: { uri },
      triggersReplace: { uri },
      provisioners: [
        {
          type: "local-exec",
          // Credentials are the SDK's to find: none is in the command, and so none in a log.
          command: [`npm --prefix ${PROJECT} run --silent publish-image --`, ...Object.entries(flags).map(option)].join(
            " ",
          ),
        },
      ],
    });
    this.uri = this.image.getStringAttribute("output.uri");
  }

  /** Asks ECR, after the push, which image the tag means. @returns registry, name and digest */
  uriByDigest(): string {
    const pushed = new DataAwsEcrImage(this, "pushed", {
      repositoryName: this.props.repository,
      imageTag: this.props.tag,
      dependsOn: [this.image],
    });
    return `${this.props.repositoryUrl}@${pushed.imageDigest}`;
  }
}

/** @throws Error when a shell would take the value for more than one word */
function option([name, value]: readonly [string, string]): string {
  if (!/^[\w./-]+$/.test(value)) {
    throw new Error(
      `ContainerImage: ${name} "${value}" is no plain word. Use letters, digits and any of _ . / - only.`,
    );
  }
  return `--${name} ${value}`;
}
