/** Without Terraform the programs' environment comes from their templates and the settings alone: it has to be one that they take. */
import { renderEnvironment, templateOf } from "../../local/without-terraform";
import { controllerVariables, workerVariables } from "../../modules/nanogrid/program-variables";
import { loadSettings } from "../../modules/platform/settings";
import { readSettings } from "../../userdata/controller/src/settings";
import { run } from "../support/run";
import { PROJECT } from "./scratch";

const settings = loadSettings("local");
/** What the substitute of the data stack knows, and where Redis is. */
const MADE = {
  ...{ code_bucket: "code", user_data_bucket: "files", functions_table: "f", jobs_table: "j", api_keys_table: "k" },
  ...{ queue_url: "http://127.0.0.1:5566/1/q", dead_letter_queue_url: "http://127.0.0.1:5566/1/d" },
  ...{ redis_host: "127.0.0.1", redis_port: "6380", redis_tls: "false", redis_user: "" },
};

test("without Terraform: the worker takes its environment", () => {
  const variables = { ...MADE, ...workerVariables(settings) };
  const environment = renderEnvironment(templateOf(PROJECT, "worker"), "/etc/nanogrid/worker.env", variables);
  const python = process.env.NANOGRID_WORKER_DEV_PYTHON ?? ".local/venv/worker-dev/bin/python";
  const env = {
    ...environment,
    RUNTIME_IMAGE_PYTHON: "an-image",
    PYTHONPATH: "userdata/worker",
    PATH: process.env.PATH,
  };
  const read = "from nanogrid_worker.settings import read_settings; print(read_settings().lifecycle_hook_name)";

  expect(run(python, ["-c", read], { env }).trim()).toBe("drain");
});

test("without Terraform: the controller takes its environment", () => {
  const variables = { ...MADE, ...controllerVariables(settings) };
  const environment = renderEnvironment(templateOf(PROJECT, "controller"), "/etc/nanogrid/controller.env", variables);

  expect(readSettings(environment)).toMatchObject({ port: settings.nanogrid.controllers.port });
});
