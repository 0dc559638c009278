/** Containers that cannot leave their box, and say what they do. */
import { jsonOf } from "../expression";
import { type Block, blocks, isTrue, strings } from "../json";
import type { Rule } from "../rule";

export const ecsTasksAreConfined: Rule = {
  id: "ecs-tasks-are-confined",
  title: "Containers of ECS tasks are not privileged, cannot write their image, and have a log.",
  reason: "A privileged container that is taken over is the machine, with the roles of every other task on it.",
  remedy:
    "Set privileged to false, readonlyRootFilesystem to true with volumes for what is written, and logConfiguration.",
  types: ["aws_ecs_task_definition"],
  check: ({ body }) => {
    const definitions = typeof body.container_definitions === "string" ? jsonOf(body.container_definitions) : undefined;
    if (definitions === undefined) {
      return "container_definitions is an expression that cannot be read";
    }
    const found = [
      ...(["host", "task"].includes(String(body.pid_mode)) ? [`pid_mode is ${body.pid_mode}`] : []),
      ...blocks(definitions).flatMap((container) => looseIn(container).map((what) => `${container.name} ${what}`)),
    ];
    return found.length === 0 ? undefined : found.join(", ");
  },
};

function looseIn(container: Block): string[] {
  const [linux] = blocks(container.linuxParameters);
  const [capabilities] = blocks(linux?.capabilities);
  const added = strings(capabilities?.add);
  return [
    ...(isTrue(container.privileged) ? ["is privileged"] : []),
    ...(added.length > 0 ? [`adds ${added.join(", ")}`] : []),
    ...(isTrue(container.readonlyRootFilesystem) ? [] : ["may write its root filesystem"]),
    ...(container.logConfiguration === undefined ? ["has no log"] : []),
  ];
}
