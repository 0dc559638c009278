/** The presign function's bundle. */
import { readFileSync, rmSync } from "node:fs";
import { unzipSync } from "fflate";
import { presignArtifact } from "../../../lambdas/presign/artifact";

describe("presign: artifact", () => {
  test("it is one file, and the same bytes when it is built again", () => {
    const first = presignArtifact();
    const bytes = readFileSync(first.file);
    // Without it, and so without the record that leads to it, the next call builds.
    rmSync(first.file);
    const second = presignArtifact();
    expect(second).toEqual(first);
    expect(readFileSync(second.file).equals(bytes)).toBe(true);
    expect(Object.keys(unzipSync(bytes))).toEqual(["handler.js"]);
  });

  test("it is small: a cold start reads all of it", () => {
    expect(readFileSync(presignArtifact().file).length).toBeLessThan(400_000);
  });
});
