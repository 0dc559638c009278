/** The inference functions' bundles. */
import { readFileSync, rmSync } from "node:fs";
import { unzipSync } from "fflate";
import { batchesArtifact } from "../../../lambdas/inference-batches/artifact";
import { bootstrapArtifact } from "../../../lambdas/inference-bootstrap/artifact";
import { pageArtifact } from "../../../lambdas/inference-page/artifact";
import { productsArtifact } from "../../../lambdas/inference-products/artifact";
import { searchArtifact } from "../../../lambdas/inference-search/artifact";
import { titlesArtifact } from "../../../lambdas/inference-titles/artifact";
import { testUnless } from "../../support/tools";

const ARTIFACTS = [
  ["products", productsArtifact],
  ["batches", batchesArtifact],
  ["search", searchArtifact],
  ["titles", titlesArtifact],
  ["bootstrap", bootstrapArtifact],
  ["page", pageArtifact],
] as const;
/** The driver signs in by role with it, where it is installed. */
const AWS4 = "aws4";

describe("inference functions: artifacts", () => {
  test.each(ARTIFACTS)("%s is the same bytes when it is built again, and small", (_name, build) => {
    const first = build();
    const bytes = readFileSync(first.file);
    // Without it, and so without the record that leads to it, the next call builds.
    rmSync(first.file);
    const second = build();
    expect(second).toEqual(first);
    expect(readFileSync(second.file).equals(bytes)).toBe(true);
    expect(bytes.length).toBeLessThan(600_000);
  });

  test("the page's files are in the bundle of its function", () => {
    const paths = Object.keys(unzipSync(readFileSync(pageArtifact().file)));
    expect(paths).toContain("page/index.html");
    expect(paths.filter((path) => /^page\/index-\w+\.(js|css)$/.test(path))).toHaveLength(2);
  });

  testUnless(isInstalled(AWS4) ? undefined : `${AWS4} is not installed. Run npm ci.`)(
    "what the driver signs in by role with is in every bundle that uses the database",
    () => {
      for (const [name, build] of ARTIFACTS.filter(([name]) => name !== "page")) {
        const bundle = Buffer.from(unzipSync(readFileSync(build().file))["handler.js"] ?? []).toString();
        expect([name, bundle.includes(`require("${AWS4}")`)]).toEqual([name, false]);
      }
    },
  );
});

function isInstalled(name: string): boolean {
  try {
    require.resolve(name);
    return true;
  } catch {
    return false;
  }
}
