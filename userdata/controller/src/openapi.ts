/** The API's OpenAPI 3.1 document. Bodies come from the schemas that check them; the tests hold the paths against the routes. */
import { z } from "zod";
import { MAX_CALLBACK_URL } from "./call-options";
import { DEFAULT_LIMIT, MAX_LIMIT } from "./paging";
import * as schemas from "./schemas";

type Json = Record<string, unknown>;

const API_VERSION = "1.0.0";

const components = {
  InlineFunction: input(schemas.inlineFunction),
  FunctionForm: formSchema(),
  Function: output(schemas.functionView),
  FunctionPage: output(schemas.functionPage),
  Job: output(schemas.jobView),
  JobSummary: output(schemas.jobSummary),
  JobPage: output(schemas.jobPage),
  LogEvent: output(schemas.logEvent),
  Result: output(schemas.resultDocument),
  NewKey: input(schemas.newKey),
  CreatedKey: output(schemas.createdKey),
  KeyList: output(schemas.keyList),
  Status: output(schemas.statusView),
  Health: output(schemas.healthView),
  Root: output(schemas.rootView),
  Problem: output(schemas.problemView),
};

const functionId = pathParameter("functionId", "Id of a function", schemas.functionView.shape.functionId);
const jobId = pathParameter("jobId", "Id of a job", schemas.jobView.shape.jobId);
const keyId = pathParameter("keyId", "Id of a key", schemas.keyView.shape.keyId);
const paging = [
  queryParameter("limit", "Items of a page", {
    type: "integer",
    minimum: 1,
    maximum: MAX_LIMIT,
    default: DEFAULT_LIMIT,
  }),
  queryParameter("cursor", "nextCursor of the page before", { type: "string" }),
];
const upload = {
  required: true,
  content: {
    "application/json": { schema: ref("InlineFunction") },
    "multipart/form-data": {
      schema: ref("FunctionForm"),
      encoding: { code: { contentType: "application/zip, application/octet-stream" } },
    },
  },
};
const uploadProblems = [400, 413, 415];
const buildNote =
  "Where the code has dependencies, a job that resolves them is queued; `buildJobId` names it. If it cannot be queued, the function " +
  "is there all the same, without `buildJobId`, and the first run resolves them.";

const paths: Record<string, Json> = {
  "/": {
    get: operation(
      "root",
      "What there is: links, or the page for a browser",
      {
        200: {
          description: "Links as JSON; HTML for a client that asks for text/html",
          content: { "application/json": { schema: ref("Root") }, "text/html": {} },
        },
      },
      { role: null },
    ),
  },
  "/openapi.json": {
    get: operation(
      "describe",
      "This document",
      { 200: { description: "OpenAPI 3.1", content: { "application/json": { schema: { type: "object" } } } } },
      { role: null },
    ),
  },
  "/health": {
    get: operation(
      "health",
      "Whether work can be accepted durably",
      { 200: json("It can", "Health") },
      { role: null, problems: [503] },
    ),
  },
  "/ready": {
    get: operation(
      "ready",
      "Whether everything that is used answers",
      { 200: json("It does", "Health") },
      { role: null, problems: [503] },
    ),
  },
  "/metrics": {
    get: operation(
      "metrics",
      "Measurements of this controller for Prometheus",
      { 200: { description: "Prometheus' text format", content: { "text/plain": {} } } },
      { role: "admin" },
    ),
  },
  "/v1/functions": {
    post: operation(
      "createFunction",
      "Create a function, from inline source or a zip",
      { 201: { ...json("Created", "Function"), headers: location("The function") } },
      { role: "user", description: buildNote, requestBody: upload, problems: uploadProblems },
    ),
    get: operation(
      "listFunctions",
      "List functions, newest first",
      { 200: json("A page", "FunctionPage") },
      {
        role: "invoker",
        parameters: [
          ...paging,
          queryParameter("name", "Only functions of exactly this name", { type: "string", minLength: 1 }),
        ],
        problems: [400],
      },
    ),
  },
  "/v1/functions/{functionId}": {
    get: operation(
      "readFunction",
      "Read a function",
      { 200: json("The function", "Function") },
      { role: "invoker", parameters: [functionId], problems: [404] },
    ),
    put: operation(
      "updateFunction",
      "Replace a function by a new version",
      { 200: json("The new version", "Function") },
      {
        role: "user",
        description: buildNote,
        parameters: [functionId],
        requestBody: upload,
        problems: [...uploadProblems, 404, 409],
      },
    ),
    delete: operation(
      "deleteFunction",
      "Delete a function and the code of all its versions",
      { 204: { description: "Deleted" } },
      {
        role: "user",
        description:
          "Jobs that wait in the queue are not taken out of it: those whose code came with the message (at most 32 KiB as a zip) still " +
          "run, the others end as FAILED, since their code is gone. Cancel them first if they must not run.",
        parameters: [functionId],
        problems: [404, 409],
      },
    ),
  },
  "/v1/functions/{functionId}/code": {
    get: operation(
      "readCode",
      "Read the code of a function's current version",
      { 200: { description: "The zip", content: { "application/zip": {} } } },
      { role: "user", parameters: [functionId], problems: [404] },
    ),
  },
  "/v1/functions/{functionId}/invocations": {
    post: operation(
      "invokeFunction",
      "Call a function, and wait for its result or take a job",
      {
        200: json("The result: of success, and of failure of the function's code too", "Result"),
        202: {
          ...json(
            "The job is durably queued; also the answer of a synchronous call that has waited as long as it may",
            "Job",
          ),
          headers: location("The job"),
        },
      },
      {
        role: "invoker",
        parameters: [
          functionId,
          queryParameter("mode", "async: answer with a job at once; goes before Prefer", {
            type: "string",
            enum: ["sync", "async"],
          }),
          headerParameter("Prefer", "respond-async: answer with a job at once", { type: "string" }),
          headerParameter("Idempotency-Key", "The same key and request make one job, for 24 hours", {
            type: "string",
            minLength: 1,
            maxLength: 255,
            pattern: "^[\\x21-\\x7e]([\\x20-\\x7e]*[\\x21-\\x7e])?$",
          }),
          headerParameter(
            "NanoGrid-Callback-Url",
            "Where the result is sent with POST, at least once: https, a host outside of the network, no user in it",
            { type: "string", format: "uri", maxLength: MAX_CALLBACK_URL },
          ),
          headerParameter("NanoGrid-Deadline", "A job that has not started by then ends with timeout", {
            type: "string",
            format: "date-time",
          }),
          headerParameter("traceparent", "W3C trace context, passed on; one that is not valid is left out", {
            type: "string",
          }),
        ],
        requestBody: {
          required: false,
          description:
            "The event, any JSON of at most 6 MiB; null when absent. It is passed on as it came, so it may hold what every language " +
            "takes: at most 100 levels, numbers of at most 1000 characters that are finite, whole characters",
          content: { "application/json": { schema: {} } },
        },
        problems: [400, 404, 409, 413, 415, 422],
      },
    ),
  },
  "/v1/jobs": {
    get: operation(
      "listJobs",
      "List jobs, newest first, without results",
      { 200: json("A page", "JobPage") },
      {
        role: "invoker",
        description: "A change of status can take a moment to show here; reading the job itself has it at once.",
        parameters: [
          ...paging,
          queryParameter("functionId", "Only jobs of this function", output(schemas.functionView.shape.functionId)),
          queryParameter("status", "Only jobs of this status", output(schemas.jobStatus)),
        ],
        problems: [400],
      },
    ),
  },
  "/v1/jobs/{jobId}": {
    get: operation(
      "readJob",
      "Read a job and, when final, its result",
      { 200: json("The job", "Job") },
      { role: "invoker", parameters: [jobId], problems: [404] },
    ),
  },
  "/v1/jobs/{jobId}/cancellation": {
    post: operation(
      "cancelJob",
      "Cancel a job that has not ended",
      { 200: json("The job is cancelled, now or before", "Job") },
      {
        role: "invoker",
        description:
          "A job that runs is stopped by its worker within moments; its callback is sent as for any other end.",
        parameters: [jobId],
        problems: [404, 409],
      },
    ),
  },
  "/v1/jobs/{jobId}/events": {
    get: operation(
      "followJob",
      "Follow a job: its status, its log and, at the end, its result",
      {
        200: {
          description:
            "Server-sent events. `status`: a JobSummary, first and at each change. `log`: a LogEvent, with the id `<attempt>:<offset of its " +
            "end>`. `result`: the Result; then the stream ends. A stream that ends without it can be taken up again.",
          content: { "text/event-stream": {} },
        },
      },
      {
        role: "invoker",
        parameters: [
          jobId,
          headerParameter("Last-Event-ID", "Id of the last log event that came: the log goes on from there", {
            type: "string",
            pattern: "^[0-9]{1,9}:[0-9]{1,9}$",
          }),
        ],
        problems: [404],
      },
    ),
  },
  "/v1/jobs/{jobId}/logs": {
    get: operation(
      "readLog",
      "Read a job's log: of its result when final, else what there is so far",
      { 200: { description: "stdout and stderr", content: { "text/plain": {} } } },
      { role: "invoker", parameters: [jobId], problems: [404] },
    ),
  },
  "/v1/jobs/{jobId}/files/{name}": {
    get: operation(
      "readOutputFile",
      "Read a file that the function left in /output",
      { 200: { description: "The file", content: { "application/octet-stream": {} } } },
      {
        role: "invoker",
        parameters: [jobId, pathParameter("name", "Name of the file, percent-encoded", z.string())],
        problems: [404],
      },
    ),
  },
  "/v1/status": {
    get: operation(
      "readStatus",
      "The queue and the workers",
      { 200: json("As of the last seconds", "Status") },
      { role: "invoker" },
    ),
  },
  "/v1/keys": {
    post: operation(
      "createKey",
      "Make a key of this key's tenant",
      { 201: json("The key, shown this once", "CreatedKey") },
      {
        role: "admin",
        requestBody: { required: true, content: { "application/json": { schema: ref("NewKey") } } },
        problems: [400, 409, 413, 415],
      },
    ),
    get: operation(
      "listKeys",
      "List the tenant's keys, newest first",
      { 200: json("All keys", "KeyList") },
      { role: "admin" },
    ),
  },
  "/v1/keys/{keyId}": {
    delete: operation(
      "deleteKey",
      "Delete a key of the tenant",
      { 204: { description: "Deleted; within 30 seconds no controller takes it any more" } },
      {
        role: "admin",
        description: "The key that the request is made with cannot be deleted.",
        parameters: [keyId],
        problems: [404, 409],
      },
    ),
  },
};

const document = {
  openapi: "3.1.0",
  info: {
    title: "NanoGrid",
    version: API_VERSION,
    description: "Upload a function and run it, with no limit of 15 minutes or 29 seconds, on your own machines.",
    license: { name: "MIT", identifier: "MIT" },
  },
  servers: [{ url: "/" }],
  security: [{ key: [] }],
  paths,
  components: {
    schemas: components,
    securitySchemes: { key: { type: "http", scheme: "bearer", description: "An API key, ng_…" } },
  },
};

/** The document. */
export function openApiDocument(): typeof document {
  return document;
}

interface OperationProps {
  /** The least role of a key that may; null when no key is needed. */
  readonly role: schemas.Role | null;
  /** @default - the summary says it all */
  readonly description?: string;
  readonly parameters?: readonly Json[];
  readonly requestBody?: Json;
  /** Statuses of the problems that it can answer with, besides those of each operation. */
  readonly problems?: readonly number[];
}

function operation(operationId: string, summary: string, replies: Record<number, Json>, props: OperationProps): Json {
  const { role, description, parameters, requestBody, problems = [] } = props;
  const common = role === null ? [500] : [400, 401, 403, 429, 500, 503];
  const responses: Record<string, Json> = { ...replies };
  for (const status of new Set([...problems, ...common])) {
    responses[status] = {
      description: "A problem document",
      content: { "application/problem+json": { schema: ref("Problem") } },
    };
  }
  const needs =
    role === null
      ? []
      : [`Needs a key of role ${schemas.role.options.slice(schemas.role.options.indexOf(role)).join(" or ")}.`];
  return {
    operationId,
    summary,
    ...(description || needs.length > 0
      ? { description: [...(description ? [description] : []), ...needs].join(" ") }
      : {}),
    ...(role === null ? { security: [] } : { "x-nanogrid-role": role }),
    ...(parameters ? { parameters } : {}),
    ...(requestBody ? { requestBody } : {}),
    responses,
  };
}

function json(description: string, schema: keyof typeof components): Json {
  return { description, content: { "application/json": { schema: ref(schema) } } };
}

function ref(schema: keyof typeof components): Json {
  return { $ref: `#/components/schemas/${schema}` };
}

function location(what: string): Json {
  return { Location: { description: what, schema: { type: "string" } } };
}

function pathParameter(name: string, description: string, schema: z.ZodType): Json {
  return { name, in: "path", required: true, description, schema: output(schema) };
}

function queryParameter(name: string, description: string, schema: Json): Json {
  return { name, in: "query", required: false, description, schema };
}

function headerParameter(name: string, description: string, schema: Json): Json {
  return { name, in: "header", required: false, description, schema };
}

function input(schema: z.ZodType): Json {
  return jsonSchema(schema, "input");
}

function output(schema: z.ZodType): Json {
  return jsonSchema(schema, "output");
}

function jsonSchema(schema: z.ZodType, io: "input" | "output"): Json {
  const { $schema: _dialect, ...rest } = z.toJSONSchema(schema, { io, unrepresentable: "any" });
  return rest;
}

/** The fields of a multipart form: those of a function, with the code as a file, and environment and secrets as JSON text. */
function formSchema(): Json {
  const { properties, ...rest } = input(schemas.functionFields);
  return {
    ...rest,
    properties: {
      ...(properties as Json),
      code: { type: "string", contentMediaType: "application/zip", description: "The zip" },
    },
    required: ["name", "code"],
  };
}
