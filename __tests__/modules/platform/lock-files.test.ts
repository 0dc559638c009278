import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { TerraformStack, Testing } from "cdktf";
import { settleStackFolder } from "../../../modules/platform/lock-files";

const KEY = "project/dev/network.tfstate";

describe("settleStackFolder", () => {
  const home = process.cwd();
  let work: string;
  let folder: string;
  let pointer: string;
  let lock: string;

  beforeEach(() => {
    work = mkdtempSync(join(tmpdir(), "lock-files-"));
    folder = join(work, "out", "stacks", "network");
    pointer = join(folder, ".terraform", "terraform.tfstate");
    lock = join(folder, ".terraform.lock.hcl");
    process.chdir(work);
  });

  afterEach(() => {
    process.chdir(home);
    rmSync(work, { recursive: true, force: true });
  });

  function settle({ useCommitted = true } = {}): void {
    const app = Testing.app({ outdir: join(work, "out") });
    settleStackFolder(new TerraformStack(app, "network"), KEY, useCommitted);
  }

  function commitLock(): void {
    mkdirSync("locks");
    writeFileSync("locks/network.hcl", "committed");
  }

  function initialized(key: string): void {
    mkdirSync(join(folder, ".terraform"), { recursive: true });
    writeFileSync(pointer, JSON.stringify({ backend: { type: "s3", config: { key } } }));
    writeFileSync(lock, "from init");
  }

  test("the committed lock is copied in", () => {
    commitLock();
    settle();
    expect(readFileSync(lock, "utf8")).toBe("committed");
  });

  test("without a committed lock there is none, and nothing fails", () => {
    settle();
    expect(existsSync(lock)).toBe(false);
  });

  test("the committed lock replaces what init wrote: it is the one that was reviewed", () => {
    commitLock();
    initialized(KEY);
    settle();
    expect(readFileSync(lock, "utf8")).toBe("committed");
    expect(existsSync(pointer)).toBe(true);
  });

  test("with providers of another build, what init wrote for the same state stays", () => {
    commitLock();
    initialized(KEY);
    settle({ useCommitted: false });
    expect(readFileSync(lock, "utf8")).toBe("from init");
    expect(existsSync(pointer)).toBe(true);
  });

  test("what another environment left behind goes, and the committed lock comes", () => {
    commitLock();
    initialized("project/prod/network.tfstate");
    settle();
    expect(existsSync(pointer)).toBe(false);
    expect(readFileSync(lock, "utf8")).toBe("committed");
  });
});
