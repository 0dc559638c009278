/** `npm run sbom`: the bills name what is shipped, with the versions of the locks, and nothing that only builds or tests it. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { debianComponents } from "../../commands/support/sbom/debian";
import { removeScratch, scratchFolder } from "../local/scratch";
import { run } from "../support/run";

const SBOM_MS = 600_000;

interface Component {
  readonly name: string;
  readonly version?: string;
  readonly purl?: string;
}

afterAll(removeScratch);

test(
  "sbom: controller, command line, worker and images have their parts with versions; test tools are not among them",
  () => {
    const out = scratchFolder();
    run(process.execPath, ["--import", "tsx", "commands/sbom.ts", "--out", out], { timeoutMs: SBOM_MS });
    const bom = (name: string) => {
      const document = JSON.parse(readFileSync(join(out, `${name}.cdx.json`), "utf8")) as {
        bomFormat: string;
        components: Component[];
      };
      expect(document.bomFormat).toBe("CycloneDX");
      return document.components;
    };
    const purls = (name: string) => bom(name).map(({ purl }) => purl);
    const { dependencies } = JSON.parse(readFileSync("userdata/controller/package.json", "utf8")) as {
      dependencies: Record<string, string>;
    };
    expect(purls("controller")).toContain(`pkg:npm/express@${dependencies.express}`);
    expect(bom("controller").map(({ name }) => name)).not.toContain("jest");
    expect(bom("cli").map(({ name }) => name)).toContain("commander");
    const [, boto3 = ""] = /^boto3==([\w.]+)/m.exec(readFileSync("userdata/worker/requirements.lock", "utf8")) ?? [];
    expect(purls("worker").filter((purl) => purl?.startsWith(`pkg:pypi/boto3@${boto3}`))).toHaveLength(1);
    expect(bom("denoise-presign").map(({ name }) => name)).toContain("@aws-sdk/s3-request-presigner");
    expect(bom("denoise-page").map(({ name }) => name)).toContain("tiff");
    expect(bom("denoise-service").map(({ name }) => name)).toContain("tritonclient");
    expect(bom("inference-products").map(({ name }) => name)).toEqual(expect.arrayContaining(["mongodb", "aws4"]));
    expect(bom("ml-xgboost").map(({ name }) => name)).toEqual(["xgboost-cpu"]);
    expect(bom("product-inference").map(({ name }) => name)).toContain("onnxruntime-gpu");
    expect(bom("music-front").map(({ name }) => name)).toContain("preact");
    expect(bom("music-back").map(({ name }) => name)).toContain("kfp-server-api");
    expect(bom("music-stages").map(({ name }) => name)).toContain("diffusers");
    expect(purls("runtime-python")).toContain(
      "pkg:docker/python@3.11-slim?repository_url=public.ecr.aws/docker/library",
    );
    expect(purls("runtime-node")).toContain("pkg:docker/node@22-slim?repository_url=public.ecr.aws/docker/library");
  },
  SBOM_MS,
);

test("sbom: Debian's packages come from dpkg's own record, without those that were removed", () => {
  const status = [
    "Package: libssl3\nStatus: install ok installed\nArchitecture: amd64\nVersion: 3.0.15-1~deb12u1\nDescription: TLS\n more text",
    "Package: g++\nStatus: install ok installed\nArchitecture: amd64\nVersion: 4:12.2.0-3",
    "Package: gone\nStatus: deinstall ok config-files\nArchitecture: amd64\nVersion: 1",
  ].join("\n\n");
  expect(debianComponents(status).map(({ purl }) => purl)).toEqual([
    "pkg:deb/debian/g%2B%2B@4%3A12.2.0-3?arch=amd64",
    "pkg:deb/debian/libssl3@3.0.15-1~deb12u1?arch=amd64",
  ]);
});
