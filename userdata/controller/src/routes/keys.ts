/** API keys of a tenant: make, list, delete. */
import type { Router } from "express";
import { allow, ownerOf } from "../auth";
import { readJson } from "../body";
import { KEY_ID } from "../ids";
import type { ApiKeys } from "../keys";
import type { Logger } from "../log";
import { fieldErrors, invalid, notFound, Problem, unsupportedType } from "../problems";
import { newKey } from "../schemas";

const BODY_BYTES = 4 * 1024;
/** Most keys of a tenant; the operator's command can make more. */
const MAX_KEYS = 100;

export function keyRoutes(router: Router, keys: ApiKeys, log: Logger): void {
  router.post("/v1/keys", allow("admin"), async (request, response) => {
    if (!request.is("application/json")) {
      throw unsupportedType(request.get("content-type"), "application/json");
    }
    const body = await readJson(request, BODY_BYTES, "Send name, role and requestsPerMinute alone.");
    const parsed = newKey.safeParse(body.value);
    if (!parsed.success) {
      throw invalid(fieldErrors(parsed.error));
    }
    const { tenant, keyId: by } = ownerOf(response);
    if ((await keys.list(tenant)).length >= MAX_KEYS) {
      throw tooManyKeys();
    }
    const created = await keys.create({ tenant, ...parsed.data });
    log.info(
      { requestId: response.locals.requestId, tenant, keyId: created.keyId, role: created.role, by },
      "key made",
    );
    response.status(201).json(created);
  });

  router.get("/v1/keys", allow("admin"), async (_request, response) => {
    const { tenant, keyId } = ownerOf(response);
    const items = await keys.list(tenant);
    response.json({ items: items.map((key) => ({ ...key, current: key.keyId === keyId })) });
  });

  router.delete("/v1/keys/:keyId", allow("admin"), async (request, response) => {
    const { tenant, keyId: by } = ownerOf(response);
    const { keyId } = request.params;
    if (keyId === by) {
      throw inUse(keyId);
    }
    if (!KEY_ID.test(keyId) || !(await keys.remove(tenant, keyId))) {
      throw notFound("key", keyId);
    }
    log.info({ requestId: response.locals.requestId, tenant, keyId, by }, "key deleted");
    response.status(204).end();
  });
}

function inUse(keyId: string): Problem {
  return new Problem({
    status: 409,
    kind: "key-in-use",
    title: "A key cannot delete itself",
    detail: `${keyId} is the key that this request was made with.`,
    remedy: "Make another admin key, and delete this one with it.",
  });
}

function tooManyKeys(): Problem {
  return new Problem({
    status: 409,
    kind: "too-many-keys",
    title: "The tenant has too many keys",
    detail: `A tenant may have ${MAX_KEYS} keys.`,
    remedy: "Delete keys that are not used any more: GET /v1/keys lists them.",
  });
}
