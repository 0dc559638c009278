/** Shows how far many stacks are: a live list on a terminal, a line each elsewhere. On stderr, so that stdout is the answer alone. */
import { Listr, ListrLogger, PRESET_TIMER, ProcessOutput } from "listr2";

/**
 * Shows results as they come, and waits for all of them.
 *
 * @param results what is waited for, by stack
 * @param words a few words about a result; `failed` marks it as one
 */
export async function showProgress<T>(
  results: ReadonlyMap<string, Promise<T>>,
  words: (result: T) => { readonly text: string; readonly failed?: boolean },
): Promise<void> {
  const tasks = [...results].map(([stack, result]) => ({
    title: stack,
    task: async (_: unknown, task: { title: string }) => {
      const { text, failed = false } = words(await result);
      if (failed) {
        throw new Error(text);
      }
      task.title = `${stack}: ${text}`;
    },
  }));
  const logger = new ListrLogger({
    useIcons: true,
    processOutput: new ProcessOutput(process.stderr, process.stderr),
  });
  const list = new Listr(tasks, {
    concurrent: true,
    exitOnError: false,
    registerSignalListeners: false,
    renderer: process.stderr.isTTY === true && !process.env.CI ? "default" : "simple",
    rendererOptions: { timer: PRESET_TIMER, logger },
  });
  await list.run();
}
