import { mebibytes, millis, Workload, type WorkloadProps } from "../../constructs/workload";
import { constructed } from "../support/constructed";
import type { Block, Synthesis } from "../support/synth";

function workload(props: Partial<WorkloadProps> = {}) {
  return constructed((scope) => {
    new Workload(scope, "singer", {
      name: "singer",
      namespace: "songs",
      image: "registry.example.com/singer:1",
      port: 8000,
      replicas: 2,
      environment: { KEY: "value" },
      resources: { cpuMillis: 500, memoryMib: 1024, scratchMib: 64 },
      placement: { nodeLabels: { pool: "system" } },
      uid: 10001,
      probes: { live: "/livez", ready: "/readyz" },
      startSeconds: 60,
      stopSeconds: 45,
      ...props,
    });
  });
}

const specOf = (synthesis: Synthesis) => synthesis.resource("kubernetes_deployment_v1").spec as Block;
const podOf = (synthesis: Synthesis) => (specOf(synthesis).template as Block).spec as Block;
const containerOf = (synthesis: Synthesis) => (podOf(synthesis).container as readonly Block[])[0] as Block;

const GPU = { cpuMillis: 2000, memoryMib: 2048, scratchMib: 64, gpus: { resource: "nvidia.com/gpu", count: 1 } };

describe("Workload", () => {
  const plain = workload();

  test("runs as somebody who is not root, without privileges, a writable system or a token of the API", () => {
    expect(podOf(plain)).toMatchObject({
      automount_service_account_token: false,
      security_context: { run_as_non_root: true, run_as_user: "10001", seccomp_profile: { type: "RuntimeDefault" } },
    });
    expect(containerOf(plain).security_context).toEqual({
      allow_privilege_escalation: false,
      capabilities: { drop: ["ALL"] },
      privileged: false,
      read_only_root_filesystem: true,
      run_as_non_root: true,
    });
  });

  test("gets the memory that it asks for, and never more; CPU it may borrow", () => {
    expect(containerOf(plain).resources).toEqual({
      requests: { cpu: "500m", memory: "1Gi", "ephemeral-storage": "64Mi" },
      limits: { memory: "1Gi", "ephemeral-storage": "64Mi" },
    });
  });

  test("with a GPU, one pod goes before the next comes: there may be no other GPU", () => {
    const gpu = workload({ resources: GPU, placement: { nodeLabels: { pool: "gpu" }, tolerates: ["nvidia.com/gpu"] } });
    expect((specOf(gpu).strategy as Block).rolling_update).toEqual({ max_surge: "0", max_unavailable: "1" });
    expect((specOf(plain).strategy as Block).rolling_update).toEqual({ max_surge: "1", max_unavailable: "0" });
    expect(containerOf(gpu).resources).toMatchObject({
      requests: { "nvidia.com/gpu": "1" },
      limits: { "nvidia.com/gpu": "1" },
    });
    expect(podOf(gpu)).toMatchObject({
      node_selector: { pool: "gpu" },
      toleration: [{ key: "nvidia.com/gpu", operator: "Exists", effect: "NoSchedule" }],
    });
  });

  test("is scaled by somebody else without Terraform undoing it", () => {
    const scaled = workload({ replicas: "scaled-elsewhere" });
    expect(specOf(scaled).replicas).toBe("0");
    expect(scaled.resource("kubernetes_deployment_v1").lifecycle).toEqual({ ignore_changes: ["spec[0].replicas"] });
    expect(plain.resource("kubernetes_deployment_v1")).not.toHaveProperty("lifecycle");
  });

  test("reads a secret's value in the cluster: it is in no state", () => {
    const secret = { name: "session", key: "key" };
    expect(containerOf(workload({ secrets: { SESSION_KEY: secret } })).env).toEqual([
      { name: "KEY", value: "value" },
      { name: "SESSION_KEY", value_from: { secret_key_ref: secret } },
    ]);
  });

  test("sees folders of one claim, each as it may", () => {
    const mounts = [
      { claim: "files", path: "/data", folder: "data" },
      { claim: "files", path: "/models", folder: "models", readOnly: true },
    ];
    const synthesis = workload({ mounts });
    expect(podOf(synthesis).volume).toEqual([
      { name: "scratch", empty_dir: { size_limit: "64Mi" } },
      { name: "files", persistent_volume_claim: { claim_name: "files" } },
    ]);
    expect(containerOf(synthesis).volume_mount).toEqual([
      { name: "scratch", mount_path: "/tmp" },
      { name: "files", mount_path: "/data", sub_path: "data", read_only: false },
      { name: "files", mount_path: "/models", sub_path: "models", read_only: true },
    ]);
  });

  test("waits for its models as long as it is told, and loses one pod at a time to whoever empties nodes", () => {
    const { period_seconds, failure_threshold } = containerOf(workload({ startSeconds: 900 })).startup_probe as Block;
    expect(Number(period_seconds) * Number(failure_threshold)).toBe(900);
    expect((plain.resource("kubernetes_pod_disruption_budget_v1").spec as Block).max_unavailable).toBe("1");
  });

  test("writes quantities as Kubernetes gives them back, so that no plan shows a change", () => {
    expect([millis(250), millis(2000), mebibytes(512), mebibytes(24 * 1024)]).toEqual(["250m", "2", "512Mi", "24Gi"]);
  });
});
