/** Which keys are signed for, and in which spelling. */
import { imageKey } from "../../../lambdas/presign/src/keys";

describe("presign: keys", () => {
  test.each([
    ["a.tif", "a.tif", "image/tiff"],
    ["2026/11/frame 7.tiff", "2026/11/frame 7.tiff", "image/tiff"],
    ["./a//b/./c.png", "a/b/c.png", "image/png"],
    ["SCAN.TIF", "SCAN.TIF", "image/tiff"],
    // e and a combining accent, composed.
    ["cafe\u0301.png", "caf\u00e9.png", "image/png"],
    ["a..b/..c.tif", "a..b/..c.tif", "image/tiff"],
    ["a.tif/", "a.tif", "image/tiff"],
    ["x.requests/a.png", "x.requests/a.png", "image/png"],
  ])("%j is %j", (file, key, contentType) => {
    expect(imageKey(file)).toEqual({ key, contentType });
  });

  test.each([
    ["", "got none"],
    ["../a.tif", '".."'],
    ["a/../../b.tif", '".."'],
    ["/etc/a.tif", "relative"],
    ["a\\b.tif", "relative"],
    ["a\u0000.tif", "control character"],
    ["a\n.tif", "control character"],
    ["a\u202egnp.tif", "control character"],
    ["a\u2028.tif", "control character"],
    ["a\ufffd.tif", "no UTF-8"],
    [".requests/a.tif", "service's own"],
    ["./.requests//a.tif", "service's own"],
    [`$${"{filename}"}.tif`, "S3 would replace"],
    ["a.jpg", ".tif, .tiff or .png"],
    ["a.Tif", ".tif, .tiff or .png"],
    ["a.tif.exe", ".tif, .tiff or .png"],
    ["a/.tif", ".tif, .tiff or .png"],
    ["tif", ".tif, .tiff or .png"],
    [`${"ü".repeat(511)}.tif`, "at most 1024 bytes of UTF-8, got 1026"],
  ])("%j is refused, and says why", (file, why) => {
    expect(() => imageKey(file)).toThrow(why);
  });

  test("1024 bytes are the most", () => {
    const key = `${"ü".repeat(510)}.tif`;
    expect(imageKey(key).key).toBe(key);
  });
});
