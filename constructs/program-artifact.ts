/** A program as one zip, stored under its content hash where instances fetch it. */
import { S3Object } from "@cdktf/provider-aws/lib/s3-object";
import { AssetType, TerraformAsset } from "cdktf";
import { Construct } from "constructs";

export interface ProgramArtifactProps {
  /** Name of the program: part of the key. */
  readonly program: string;
  /** Path of the zip. The same sources give the same bytes. */
  readonly file: string;
  /** SHA-256 of the zip, in hex. */
  readonly sha256: string;
  /** Bucket of the artifacts. */
  readonly bucket: string;
}

/** An object `programs/<program>/<sha256>.zip`. A new build is a new object; instances check the hash before they run it. */
export class ProgramArtifact extends Construct {
  /** Bucket that holds it. */
  readonly bucket: string;
  /** Its key in the bucket. */
  readonly key: string;
  /** SHA-256 of the zip, in hex. */
  readonly sha256: string;

  constructor(scope: Construct, id: string, props: ProgramArtifactProps) {
    super(scope, id);
    const asset = new TerraformAsset(this, "zip", { path: props.file, type: AssetType.FILE });
    const object = new S3Object(this, "Resource", {
      bucket: props.bucket,
      key: `programs/${props.program}/${props.sha256}.zip`,
      source: asset.path,
      contentType: "application/zip",
      // The key carries the content's hash, so the bytes under it never change.
      lifecycle: { createBeforeDestroy: true },
    });
    this.bucket = props.bucket;
    this.key = object.key;
    this.sha256 = props.sha256;
  }
}
