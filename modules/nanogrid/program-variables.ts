/** Variables of the programs' cloud-init templates that the settings alone decide; the rest is known once stacks are deployed. */
import type { Settings } from "../platform/settings";
import { DRAIN_HOOK } from "./names";

/** What names of functions' secrets begin with; the tenant and the secret's own name follow. */
export const FUNCTION_SECRETS = "nanogrid/functions/";
/** Network of functions that may reach the internet, made by userdata/worker/egress-network. */
const EGRESS_NETWORK = "nanogrid-egress";

/** Variables of userdata/controller/cloud-init.yaml.tftpl. */
export function controllerVariables({ environment, region, nanogrid }: Settings): Record<string, string> {
  const { controllers } = nanogrid;
  return {
    environment,
    region,
    port: String(controllers.port),
    upload_max_bytes: String(controllers.uploadMaxBytes),
    key_requests_per_minute: String(controllers.requestsPerMinutePerKey),
    sync_max_wait_seconds: String(controllers.syncMaxWaitSeconds),
    deregistration_delay_seconds: String(controllers.deregistrationDelaySeconds),
  };
}

/** Variables of userdata/worker/cloud-init.yaml.tftpl. */
export function workerVariables({ environment, region, nanogrid }: Settings): Record<string, string> {
  const { ai, data, workers } = nanogrid;
  const { dependencies, egress, gvisor, warm } = workers;
  return {
    environment,
    region,
    visibility_timeout_seconds: String(data.queue.visibilityTimeoutSeconds),
    ai_endpoint: ai.enabled ? `http://${ai.privateIp}:${ai.port}` : "",
    secrets_prefix: FUNCTION_SECRETS,
    concurrency: String(workers.concurrency),
    warm_max: String(warm.max),
    warm_pause_after_seconds: String(warm.pauseAfterSeconds),
    warm_keep_seconds: String(warm.keepSeconds),
    prewarmed: String(warm.prewarmed),
    egress_network: egress.enabled ? EGRESS_NETWORK : "",
    egress_allowed_cidrs: egress.allowedCidrs.join(","),
    sandbox_runtime: gvisor.enabled ? "runsc" : "",
    gvisor_version: gvisor.version ?? "",
    gvisor_sha512: gvisor.sha512 ?? "",
    python_index_url: dependencies.pythonIndexUrl,
    node_registry_url: dependencies.nodeRegistryUrl,
    lifecycle_hook: DRAIN_HOOK,
    callback_allowed_cidrs: workers.callbackAllowedCidrs.join(","),
  };
}
