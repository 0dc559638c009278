/** Checks of a container image that every one passes: its build context and its Dockerfile, as far as they go without a registry. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { ArtifactFile } from "../../modules/platform/artifact";
import { type ImageSource, imageTag } from "../../modules/platform/image-source";

/** A Dockerfile, read. */
export interface Dockerfile {
  readonly text: string;
  /** Instructions with what they are given: comments dropped, continued lines joined. */
  readonly instructions: readonly (readonly [name: string, value: string])[];
  /** What an instruction is given, wherever it stands. */
  readonly values: (name: string) => string[];
}

/** Reads a Dockerfile. */
export function dockerfileAt(path: string): Dockerfile {
  const text = readFileSync(path, "utf8");
  const instructions = text
    .replace(/^#.*\n/gm, "")
    .replace(/\\\n\s*/g, "")
    .split("\n")
    .filter(Boolean)
    .map((line) => line.split(/ +(.*)/s) as [string, string]);
  const values = (name: string) => instructions.filter(([each]) => each === name).map(([, value]) => value);
  return { text, instructions, values };
}

/** An image under test. */
export interface ImageUnderTest {
  readonly dockerfile: Dockerfile;
  /** Files of the build context. */
  readonly files: readonly ArtifactFile[];
  /** Lays the context out. */
  readonly image: () => ImageSource;
  /** Paths that have to be among the files. */
  readonly has: readonly string[];
}

/** Declares the tests of a build context. */
export function describeBuildContext({ dockerfile, files, image, has }: ImageUnderTest): void {
  describe("the build context", () => {
    const paths = files.map(({ path }) => path);

    test.each(has)("has %s", (path) => {
      expect(paths).toContain(path);
    });

    test("has nothing that only development needs, and nothing hidden", () => {
      expect(
        paths.filter((path) => /requirements-dev|\.in$|__pycache__|\.pyc$|\.ts$|pyproject|\/\.|README/.test(path)),
      ).toEqual([]);
    });

    test("all that is copied is there, and all that is there is copied", () => {
      const sources = dockerfile.values("COPY").map((value) => value.split(" ")[0] as string);
      for (const source of sources) {
        expect(paths.some((path) => path === source || path.startsWith(`${source}/`))).toBe(true);
      }
      const copied = (path: string) => sources.some((source) => path === source || path.startsWith(`${source}/`));
      expect(paths.filter((path) => path !== "Dockerfile" && !copied(path))).toEqual([]);
    });

    test("the tag changes with every file of it: its bytes, its name, and whether it is there", () => {
      const tag = imageTag(files);
      expect(tag).toMatch(/^[0-9a-f]{16}$/);
      for (const [index, file] of files.entries()) {
        const others = files.filter((_, other) => other !== index);
        const changed = new Uint8Array([...file.content.slice(0, -1), 1 + (file.content.at(-1) ?? 0)]);
        expect(imageTag([...others, { ...file, content: changed }])).not.toBe(tag);
        expect(imageTag([...others, { ...file, path: `${file.path}x` }])).not.toBe(tag);
        expect(imageTag(others)).not.toBe(tag);
      }
      expect(imageTag([...files].reverse())).toBe(tag);
    });

    test("it lies in a folder whose name holds the tag, and is the same twice", () => {
      const source = image();
      expect(image()).toEqual(source);
      expect(source.context).toMatch(new RegExp(`^node_modules/.*${source.tag}$`));
      const written = readdirSync(source.context, { recursive: true, withFileTypes: true }).filter((each) =>
        each.isFile(),
      );
      expect(written.map((each) => join(each.parentPath, each.name)).sort()).toEqual(
        paths.map((path) => join(source.context, path)).sort(),
      );
    });
  });
}

/**
 * Declares the tests that no Dockerfile may fail.
 *
 * @param dockerfile the Dockerfile
 * @param lock path of the lock that its Python packages come from
 */
export function describeSafeDockerfile({ text, instructions, values }: Dockerfile, lock: string): void {
  test("the containers run as nobody special", () => {
    expect(values("USER")).toEqual(["1000:1000"]);
    const user = instructions.findIndex(([name]) => name === "USER");
    expect(instructions.slice(user).filter(([name]) => ["RUN", "COPY"].includes(name))).toEqual([]);
  });

  test("packages come with their hashes, as the lock has them", () => {
    const install = values("RUN").find((command) => command.includes("pip install"));
    expect(install).toContain("--require-hashes --no-deps --only-binary=:all:");
    const locked = readFileSync(lock, "utf8");
    const packages = locked.match(/^\S+==\S+/gm) ?? [];
    expect(packages.length).toBeGreaterThan(20);
    expect(locked).not.toMatch(/https?:\/\//);
  });

  test("it holds no secret", () => {
    expect(text).not.toMatch(/password|secret|token|AKIA/i);
  });
}
