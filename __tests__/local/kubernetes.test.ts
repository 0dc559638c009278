/** Kubernetes' own programs: where they are kept, and what is said where they cannot be had. */
import { chmodSync, mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { kubernetesBinaries, kubernetesMissing } from "../../local/kubernetes/binaries";
import { startControlPlane } from "../../local/kubernetes/control-plane";
import { has, testUnless } from "../support/tools";
import { removeScratch, scratchFolder as scratch } from "./scratch";

afterEach(removeScratch);

/** A folder with a `go` that says this version of itself. */
function goOf(folder: string, version: string): string {
  const go = join(folder, "go");
  writeFileSync(go, `#!/bin/sh\necho go${version}\n`);
  chmodSync(go, 0o755);
  return folder;
}

test("kubernetes: what was built once is taken from the user's cache, without any Go", async () => {
  const env = { XDG_CACHE_HOME: scratch(), PATH: "/nowhere" };
  const { kwok } = kubernetesBinaries(env);
  expect(kwok).toMatch(new RegExp(`^${env.XDG_CACHE_HOME}/nanogrid/kubernetes-[0-9a-f]{12}/kwok$`));
  expect(await kubernetesMissing(env)).toMatch(/^no Go >= 1\.26 to build Kubernetes with \(none is on PATH\)/);

  mkdirSync(dirname(kwok), { recursive: true });
  expect(await kubernetesMissing(env)).toBeUndefined();
});

test("kubernetes: a Go that is too old is named, one that is new enough will do", async () => {
  const env = (version: string) => ({ XDG_CACHE_HOME: scratch(), PATH: `${goOf(scratch(), version)}:/bin:/usr/bin` });
  expect(await kubernetesMissing(env("1.24.3"))).toContain("(go1.24.3)");
  expect(await kubernetesMissing(env("1.26.0"))).toBeUndefined();
});

const noEtcd = has("etcd") ? undefined : "no etcd (Debian: apt-get install etcd-server)";

testUnless(noEtcd)("kubernetes: a part that does not start is named, and nothing is left running", async () => {
  const away = join(scratch(), "away");
  const binaries = {
    "kube-apiserver": away,
    "kube-controller-manager": away,
    "kube-scheduler": away,
    kwok: away,
  };
  await expect(startControlPlane(binaries)).rejects.toThrow(
    "kube-apiserver: not in time, or not at all: made its certificate.",
  );
});
