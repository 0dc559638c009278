/** Tools that a test needs and a machine may lack: a test that is left out says why. */
import { which } from "../../commands/support/shell";

/** Whether a program answers on PATH. */
export function has(program: string): boolean {
  return which(program, process.env) !== undefined;
}

/**
 * `describe`, or, where something is missing, `describe.skip` with the reason printed.
 *
 * @param missing what is missing and how to get it; undefined when all is there
 */
export function describeUnless(missing: string | undefined): jest.Describe {
  if (missing === undefined) {
    return describe;
  }
  console.warn(`left out: ${missing}`);
  return describe.skip;
}

/** `test`, or, where something is missing, `test.skip` with the reason printed. */
export function testUnless(missing: string | undefined): jest.It {
  if (missing === undefined) {
    return test;
  }
  console.warn(`left out: ${missing}`);
  return test.skip;
}
