/** Prints what `emitted.ts` reads in the `cdktf.out` named on the command line, as JSON: tests want names before they may wait. */
import { readEmitted } from "./emitted";

readEmitted(process.argv[2] ?? "cdktf.out").then(
  (emitted) => process.stdout.write(JSON.stringify(emitted)),
  (error: unknown) => {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
    process.exitCode = 1;
  },
);
