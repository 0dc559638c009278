/** Functions: create, list, read, update, delete. */
import type { Response, Router } from "express";
import { tenantOf } from "../auth";
import type { CodeStore } from "../code-store";
import { codeKey, type FunctionItem, type FunctionsTable } from "../functions-table";
import { FUNCTION_ID, newId } from "../ids";
import { readPage } from "../paging";
import { notFound, Problem } from "../problems";
import { type Upload, withUpload } from "../upload";

/** How many version numbers an update tries: each taken one is an update that runs at the same time, or died half-way. */
const VERSION_ATTEMPTS = 10;

export interface FunctionRoutesProps {
  readonly functions: FunctionsTable;
  readonly code: CodeStore;
  /** Largest body of an upload, in bytes. */
  readonly uploadMaxBytes: number;
}

export function functionRoutes(router: Router, { functions, code, uploadMaxBytes }: FunctionRoutesProps): void {
  router.post("/v1/functions", async (request, response) => {
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
      return created;
    });
    response.status(201).location(`/v1/functions/${item.functionId}`).json(view(item));
  });

  router.get("/v1/functions", async (request, response) => {
    const page = await functions.list(tenantOf(response), readPage(request));
    response.json({ ...page, items: page.items.map(view) });
  });

  router.get("/v1/functions/:functionId", async (request, response) => {
    response.json(view(await requireFunction(functions, response, request.params.functionId)));
  });

  router.put("/v1/functions/:functionId", async (request, response) => {
    const current = await requireFunction(functions, response, request.params.functionId);
    const item = await withUpload(request, uploadMaxBytes, async (upload) => {
      const updated = await storeNextVersion(code, current, upload);
      if (!(await functions.replace(updated))) {
        await code.remove([updated.codeKey]);
        throw changedMeanwhile(current.functionId);
      }
      return updated;
    });
    response.json(view(item));
  });

  router.delete("/v1/functions/:functionId", async (request, response) => {
    const item = await requireFunction(functions, response, request.params.functionId);
    const { tenant, functionId, version } = item;
    // Code first: if this stops half-way, the function is still there to be deleted again.
    await code.remove(Array.from({ length: version }, (_, index) => codeKey(tenant, functionId, index + 1)));
    if (!(await functions.remove(item)) && (await functions.find(tenant, functionId))) {
      throw changedMeanwhile(functionId);
    }
    response.status(204).end();
  });
}

/**
 * The function of the path, if it is the tenant's.
 * @throws Problem 404
 */
export async function requireFunction(
  functions: FunctionsTable,
  response: Response,
  id: string,
): Promise<FunctionItem> {
  const item = FUNCTION_ID.test(id) ? await functions.find(tenantOf(response), id) : undefined;
  if (!item) {
    throw notFound("function", id);
  }
  return item;
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
  { fields, zip }: Upload,
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
    createdAt,
    updatedAt: now,
  };
}

function view({ tenant: _tenant, codeKey: _codeKey, ...shown }: FunctionItem) {
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
