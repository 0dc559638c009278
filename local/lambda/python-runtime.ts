/** AWS's runtime interface client for Python, `awslambdaric`: a function's own environment has it beside the function's packages. */
import type { RuntimeCommand } from "./node-runtime";

/**
 * How an interpreter that has the client runs a function. The client takes the handler as an argument, as an image's command is one.
 *
 * @param handler module and function, such as `app.handler`
 */
export function pythonRuntime(interpreter: string, handler: string): RuntimeCommand {
  return [interpreter, "-m", "awslambdaric", handler];
}
