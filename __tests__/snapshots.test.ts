/**
 * Layer 2: what every stack of every environment emits, as a reviewer reads it. What changes with the content of a program or a template
 * is masked. `npx jest __tests__/snapshots.test.ts --ci=false -u` writes it anew.
 */
import { ENVIRONMENTS, type Synthesis, stackOf, synthesized } from "./support/synth";

/** Hashes of what is built, and how they are shown. A pinned release's checksum is a setting and stays. */
const MASKS: readonly (readonly [RegExp, string])[] = [
  [/(assets\/[^/"\\]+\/)[0-9A-F]{32}(?=[/"])/g, "$1<hash>"],
  [/(controller|worker|presign|inference-[a-z]+)-[0-9a-f]{64}\.zip/g, "$1-<hash>.zip"],
  [/(programs\/[a-z-]+\/)[0-9a-f]{64}\.zip/g, "$1<hash>.zip"],
  [/(artifact_sha256\\" = \\")[0-9a-f]{64}/g, "$1<hash>"],
  [/("image_tag":"|--tag |repository_url\}:)[0-9a-f]{16}/g, "$1<hash>"],
  [/("source_code_hash":")[^"]+/g, "$1<hash>"],
  [/(@sha256:)[0-9a-f]{64}/g, "$1<digest>"],
];

/** The stack without CDKTF's own remarks, masked. */
function masked({ json }: Synthesis): unknown {
  const plain = JSON.stringify(json, (key, value) => (key === "//" ? undefined : value));
  return JSON.parse(MASKS.reduce((text, [pattern, shown]) => text.replace(pattern, shown), plain));
}

describe.each(ENVIRONMENTS)("%s", (environment) => {
  test.each(Object.keys(synthesized(environment).stacks))("%s", (id) => {
    expect(masked(stackOf(environment, id))).toMatchSnapshot();
  });

  test("nothing that a build changes is left unmasked", () => {
    for (const stack of Object.values(synthesized(environment).stacks)) {
      const text = JSON.stringify(masked(stack)).replace(/ollama_sha256\\" = \\"[0-9a-f]{64}/g, "");
      expect(text.match(/[0-9a-f]{32,}|[0-9A-F]{32,}/g) ?? []).toEqual([]);
    }
  });
});
