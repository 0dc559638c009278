/** A cloud-init document from a template file, as EC2 user data. */
import { AssetType, Fn, TerraformAsset } from "cdktf";
import { Construct } from "constructs";

export interface CloudInitProps {
  /** Path of the template: Terraform's `templatefile` language, in which a shell's own `${HOME}` is written `$${HOME}`. */
  readonly template: string;
  /** The template's variables: plain strings; what needs quotes belongs in the template itself. */
  readonly variables: Readonly<Record<string, string>>;
}

/**
 * Renders at apply time. The template travels as an asset because CDKTF passes `${…}` in a string on to Terraform, which would take a shell
 * variable for its own.
 */
export class CloudInit extends Construct {
  /** The document, gzipped and base64-encoded: cloud-init unpacks it, and EC2 takes 16 KiB. */
  readonly userData: string;

  constructor(scope: Construct, id: string, props: CloudInitProps) {
    super(scope, id);
    const asset = new TerraformAsset(this, "template", { path: props.template, type: AssetType.FILE });
    this.userData = Fn.base64gzip(Fn.templatefile(asset.path, { ...props.variables }));
  }
}
