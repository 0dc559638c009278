/** Functions: create, list, read, update, delete. */
import { pipeline } from "node:stream/promises";
import type { Request, Response, Router } from "express";
import { allow, tenantOf } from "../auth";
import type { CodeStore } from "../code-store";
import { codeKey, dependenciesKey, type FunctionItem, type FunctionsTable } from "../functions-table";
import { FUNCTION_ID, newId } from "../ids";
import type { Invoker } from "../invoker";
import type { KnownFunctions } from "../known-functions";
import type { Logger } from "../log";
import { readPage } from "../paging";
import { invalid, notFound, Problem } from "../problems";
import type { FunctionView } from "../schemas";
import { type Upload, withUpload } from "../upload";

/** How many version numbers an update tries: each taken one is an update that runs at the same time, or died half-way. */
const VERSION_ATTEMPTS = 10;

export interface FunctionRoutesProps {
  readonly functions: FunctionsTable;
  /** What calls remember of functions. */
  readonly known: KnownFunctions;
  readonly code: CodeStore;
  readonly invoker: Invoker;
  readonly log: Logger;
  /** Largest body of an upload, in bytes. */
  readonly uploadMaxBytes: number;
}

export function functionRoutes(router: Router, props: FunctionRoutesProps): void {
  const { functions, known, code, uploadMaxBytes } = props;

  router.post("/v1/functions", allow("user"), async (request, response) => {
    const item = await withUpload(request, uploadMaxBytes, async (upload) => {
      const now = new Date().toISOString();
      const created = describe(upload, {
        functionId: newId("fn"),
        tenant: tenantOf(response),
        version: 1,
        createdAt: now,
        now,
      });
      await code.putCode(created.codeKey, upload.zip);
      await functions.create(created);
      return await withBuild(props, created);
    });
    response.status(201).location(`/v1/functions/${item.functionId}`).json(view(item));
  });

  router.get("/v1/functions", allow("invoker"), async (request, response) => {
    const page = await functions.list(tenantOf(response), readPage(request), readName(request));
    response.json({ ...page, items: page.items.map(view) });
  });

  router.get("/v1/functions/:functionId", allow("invoker"), async (request, response) => {
    response.json(view(await requireFunction(functions, response, request.params.functionId)));
  });

  // Who may replace the code may read it.
  router.get("/v1/functions/:functionId/code", allow("user"), async (request, response) => {
    const { functionId, version, codeKey: key } = await requireFunction(functions, response, request.params.functionId);
    const content = await code.open(key);
    if (!content) {
      throw notFound(
        "code of function",
        functionId,
        "It has been deleted or replaced meanwhile: look at the function.",
      );
    }
    response
      .attachment(`${functionId}-${version}.zip`)
      .type("application/zip")
      .set({ "X-Content-Type-Options": "nosniff", "Content-Length": String(content.bytes) });
    await pipeline(content.stream, response);
  });

  router.put("/v1/functions/:functionId", allow("user"), async (request, response) => {
    const current = await requireFunction(functions, response, request.params.functionId);
    const item = await withUpload(request, uploadMaxBytes, async (upload) => {
      const updated = await storeNextVersion(code, current, upload);
      if (!(await functions.replace(updated))) {
        await code.remove([updated.codeKey]);
        throw changedMeanwhile(current.functionId);
      }
      await known.forget(updated.functionId);
      return await withBuild(props, updated);
    });
    response.json(view(item));
  });

  router.delete("/v1/functions/:functionId", allow("user"), async (request, response) => {
    const item = await requireFunction(functions, response, request.params.functionId);
    const { tenant, functionId, version } = item;
    // Code first: if this stops half-way, the function is still there to be deleted again.
    const versions = Array.from({ length: version }, (_, index) => index + 1);
    await code.remove(
      versions.flatMap((each) => [codeKey(tenant, functionId, each), dependenciesKey(tenant, functionId, each)]),
    );
    if (!(await functions.remove(item)) && (await functions.find(tenant, functionId))) {
      throw changedMeanwhile(functionId);
    }
    await known.forget(functionId);
    response.status(204).end();
  });
}

/**
 * The function of the path, if it is the tenant's.
 * @throws Problem 404
 */
export async function requireFunction(
  functions: Pick<FunctionsTable, "find">,
  response: Response,
  id: string,
): Promise<FunctionItem> {
  const item = FUNCTION_ID.test(id) ? await functions.find(tenantOf(response), id) : undefined;
  if (!item) {
    throw notFound("function", id);
  }
  return item;
}

function readName({ query: { name } }: Request): string | undefined {
  if (name === undefined || (typeof name === "string" && name !== "")) {
    return name;
  }
  throw invalid([{ field: "query name", detail: "expected the name of a function, once" }]);
}

/** Has the dependencies of a new version resolved. Where that job cannot be queued, the first run resolves them. */
async function withBuild({ functions, invoker, log }: FunctionRoutesProps, item: FunctionItem): Promise<FunctionItem> {
  if (!item.hasDependencies) {
    return item;
  }
  try {
    const buildJobId = await invoker.build(item);
    await functions.noteBuild(item, buildJobId);
    return { ...item, buildJobId };
  } catch (err) {
    const { functionId, tenant } = item;
    log.warn({ err, functionId, tenant }, "no job resolves the dependencies of the version; its first run does");
    return item;
  }
}

async function storeNextVersion(code: CodeStore, current: FunctionItem, upload: Upload): Promise<FunctionItem> {
  for (let version = current.version + 1; version <= current.version + VERSION_ATTEMPTS; version++) {
    const next = describe(upload, { ...current, version, now: new Date().toISOString() });
    if (await code.putCode(next.codeKey, upload.zip)) {
      return next;
    }
  }
  throw changedMeanwhile(current.functionId);
}

function describe(
  { fields, zip, hasDependencies }: Upload,
  identity: Pick<FunctionItem, "functionId" | "tenant" | "version" | "createdAt"> & { readonly now: string },
): FunctionItem {
  const { functionId, tenant, version, createdAt, now } = identity;
  return {
    ...fields,
    functionId,
    tenant,
    version,
    codeKey: codeKey(tenant, functionId, version),
    codeSha256: zip.sha256,
    codeBytes: zip.bytes,
    hasDependencies,
    createdAt,
    updatedAt: now,
  };
}

function view({ tenant: _tenant, codeKey: _codeKey, ...shown }: FunctionItem): FunctionView {
  return shown;
}

function changedMeanwhile(functionId: string): Problem {
  return new Problem({
    status: 409,
    kind: "conflict",
    title: "The function has changed meanwhile",
    detail: `Another request has changed ${functionId} at the same time.`,
    remedy: `Look at GET /v1/functions/${functionId}, then send the request again if it is still wanted.`,
  });
}
