/** The API's OpenAPI 3.1 document. Bodies come from the schemas that check them; the tests hold the paths against the routes. */
import { z } from "zod";
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
  JobPage: output(schemas.jobPage),
  Result: output(schemas.resultDocument),
  Health: output(schemas.healthView),
  Root: output(schemas.rootView),
  Problem: output(schemas.problemView),
};

const functionId = pathParameter("functionId", "Id of a function", schemas.functionView.shape.functionId);
const jobId = pathParameter("jobId", "Id of a job", schemas.jobView.shape.jobId);
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

const paths: Record<string, Json> = {
  "/": {
    get: operation("root", "What there is", { 200: json("Links", "Root") }, { open: true }),
  },
  "/openapi.json": {
    get: operation(
      "describe",
      "This document",
      { 200: { description: "OpenAPI 3.1", content: { "application/json": { schema: { type: "object" } } } } },
      { open: true },
    ),
  },
  "/health": {
    get: operation(
      "health",
      "Whether work can be accepted durably",
      { 200: json("It can", "Health") },
      { open: true, problems: [503] },
    ),
  },
  "/ready": {
    get: operation(
      "ready",
      "Whether everything that is used answers",
      { 200: json("It does", "Health") },
      { open: true, problems: [503] },
    ),
  },
  "/v1/functions": {
    post: operation(
      "createFunction",
      "Create a function, from inline source or a zip",
      { 201: { ...json("Created", "Function"), headers: location("The function") } },
      { requestBody: upload, problems: uploadProblems },
    ),
    get: operation(
      "listFunctions",
      "List functions, newest first",
      { 200: json("A page", "FunctionPage") },
      { parameters: paging, problems: [400] },
    ),
  },
  "/v1/functions/{functionId}": {
    get: operation(
      "readFunction",
      "Read a function",
      { 200: json("The function", "Function") },
      { parameters: [functionId], problems: [404] },
    ),
    put: operation(
      "updateFunction",
      "Replace a function by a new version",
      { 200: json("The new version", "Function") },
      { parameters: [functionId], requestBody: upload, problems: [...uploadProblems, 404, 409] },
    ),
    delete: operation(
      "deleteFunction",
      "Delete a function and the code of all its versions",
      { 204: { description: "Deleted" } },
      { parameters: [functionId], problems: [404, 409] },
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
          }),
          headerParameter("traceparent", "W3C trace context, passed on", { type: "string" }),
        ],
        requestBody: {
          required: false,
          description: "The event, any JSON of at most 6 MiB; null when absent",
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
      { parameters: paging, problems: [400] },
    ),
  },
  "/v1/jobs/{jobId}": {
    get: operation(
      "readJob",
      "Read a job and, when final, its result",
      { 200: json("The job", "Job") },
      { parameters: [jobId], problems: [404] },
    ),
  },
  "/v1/jobs/{jobId}/files/{name}": {
    get: operation(
      "readOutputFile",
      "Read a file that the function left in /output",
      { 200: { description: "The file", content: { "application/octet-stream": {} } } },
      { parameters: [jobId, pathParameter("name", "Name of the file, percent-encoded", z.string())], problems: [404] },
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
  /** Needs no key. */
  readonly open?: boolean;
  readonly parameters?: readonly Json[];
  readonly requestBody?: Json;
  /** Statuses of the problems that it can answer with, besides those of each operation. */
  readonly problems?: readonly number[];
}

function operation(operationId: string, summary: string, replies: Record<number, Json>, props: OperationProps): Json {
  const { open, parameters, requestBody, problems = [] } = props;
  const common = open ? [500] : [400, 401, 403, 500, 503];
  const responses: Record<string, Json> = { ...replies };
  for (const status of new Set([...problems, ...common])) {
    responses[status] = {
      description: "A problem document",
      content: { "application/problem+json": { schema: ref("Problem") } },
    };
  }
  return {
    operationId,
    summary,
    ...(open ? { security: [] } : {}),
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

/** The fields of a multipart form: those of an inline function, with the code as a file and the environment as JSON text. */
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
