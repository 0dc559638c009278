/**
 * The Music pipeline: music-cluster by the real aws provider against the stand-ins, and what is ours of music-platform and music-services by
 * the real kubernetes and helm providers against a real Kubernetes control plane, whose scheduler places pods on nodes as the emitted node groups describe them.
 */
import type { KubernetesApi, KubernetesObject } from "../../local/kubernetes/api";
import { kubernetesBinaries } from "../../local/kubernetes/binaries";
import { type ControlPlane, PLAYED, startControlPlane } from "../../local/kubernetes/control-plane";
import { ARROWS } from "../../modules/music/connections";
import { Deployment } from "../support/deployment";
import { addDisk, addNode, defineKinds, musicSection, podsOf, scale } from "../support/music-cluster";
import { NetworkRules, type PolicyPod } from "../support/network-policies";
import { until } from "../support/servers";
import type { Synthesis } from "../support/synth";
import { describeUnless, has } from "../support/tools";

const APPLY_MS = 300_000;
const SCHEDULE_MS = 60_000;
const CLUSTER = "music-cluster";
const PLATFORM = "music-platform";
const SERVICES = "music-services";
const NAMESPACE = "/api/v1/namespaces/music";
const KUBEFLOW = "/api/v1/namespaces/kubeflow";
const DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
/** Parts of Kubeflow Pipelines, by the label `app` of their pods. */
const BACKEND = [
  "metadata-grpc-server",
  "ml-pipeline",
  "ml-pipeline-persistenceagent",
  "ml-pipeline-scheduledworkflow",
  "mysql",
  "workflow-controller",
];

const missing = process.env.NANOGRID_NO_PROVIDERS
  ? `no Terraform providers: ${process.env.NANOGRID_NO_PROVIDERS}`
  : process.env.NANOGRID_NO_KUBERNETES
    ? `no Kubernetes: ${process.env.NANOGRID_NO_KUBERNETES}`
    : has("etcd")
      ? undefined
      : "no etcd (Debian: apt-get install etcd-server)";

describeUnless(missing)("the Music pipeline on a real control plane", () => {
  let plane: ControlPlane;
  let api: KubernetesApi;
  let deployment: Deployment;
  let cluster: Synthesis;

  beforeAll(async () => {
    plane = await startControlPlane(kubernetesBinaries(process.env));
    ({ api } = plane);
    deployment = await Deployment.start(musicSection(), undefined, { KUBE_CONFIG_PATH: plane.kubeconfig });
    cluster = deployment.json(CLUSTER);
    await defineKinds(api);
    await addNode(api, cluster, "system", "system-1");
    await addNode(api, cluster, "system", "system-2");
    await addDisk(api, { namespace: "kubeflow", claim: "mysql", storageClass: "music-disks", gib: 10 });
    await deployment.planAndApply(CLUSTER);
    await deployment.applyOnly(PLATFORM, own());
    await deployment.planAndApply(SERVICES);
  }, APPLY_MS);

  afterAll(async () => {
    await deployment?.stop();
    await plane?.stop();
  });

  /** What music-platform makes itself, and by a chart of ours: other charts are elsewhere. */
  const own = () =>
    deployment
      .json(PLATFORM)
      .resources()
      .filter(({ type, body }) => type !== "helm_release" || String(body.chart).startsWith("./"))
      .map(({ address }) => address);
  const onNode = async (program: string) =>
    (await podsOf(api, program))
      .flatMap(({ spec, status }) => (status.phase === "Running" ? [spec.nodeName] : []))
      .sort();
  const placed = (program: string, ...nodes: string[]) =>
    until(
      `${program} on ${nodes.join(", ") || "no node"}`,
      async () => JSON.stringify(await onNode(program)) === JSON.stringify(nodes),
      SCHEDULE_MS,
    );

  test("starts with the front and the back on the system nodes, and no stage", async () => {
    await placed("front", "system-1", "system-2");
    await placed("back", "system-1", "system-2");
    expect(await podsOf(api, "first-stage")).toEqual([]);
    expect(await podsOf(api, "second-stage")).toEqual([]);
  });

  test("a stage waits for a node of its group, with the reason that makes the autoscaler add one", async () => {
    await scale(api, "first-stage", 1);
    await scale(api, "second-stage", 1);
    const reasonOf = async (program: string) => {
      const [pod] = await podsOf(api, program);
      return pod?.status.conditions?.find(({ type }: KubernetesObject) => type === "PodScheduled");
    };
    await until("the first stage is unschedulable", async () => (await reasonOf("first-stage")) !== undefined);
    // The cluster autoscaler acts on this reason alone.
    expect(await reasonOf("first-stage")).toMatchObject({
      status: "False",
      reason: "Unschedulable",
      message: expect.stringContaining("0/2 nodes are available: 2 node(s) didn't match Pod's node affinity/selector"),
    });
  });

  test(
    "the first stage lands on gpu-small, the second on gpu-large",
    async () => {
      await addNode(api, cluster, "gpu-small", "small-1");
      await addNode(api, cluster, "gpu-large", "large-1");
      await placed("first-stage", "small-1");
      await placed("second-stage", "large-1");
    },
    SCHEDULE_MS,
  );

  test(
    "two pods never share a GPU: the second waits until there is another",
    async () => {
      await scale(api, "first-stage", 2);
      const waiting = async () => (await podsOf(api, "first-stage")).find(({ status }) => status.phase === "Pending");
      await until("one waits", async () =>
        /Insufficient nvidia.com\/gpu/.test((await waiting())?.status.conditions?.[0]?.message ?? ""),
      );
      expect(await onNode("first-stage")).toEqual(["small-1"]);
      await addNode(api, cluster, "gpu-small", "small-2");
      await placed("first-stage", "small-1", "small-2");
    },
    SCHEDULE_MS,
  );

  test(
    "plans no change, also after the stages were scaled",
    async () => {
      await deployment.assertUnchanged(CLUSTER);
      await deployment.assertUnchanged(PLATFORM, own());
      await deployment.assertUnchanged(SERVICES);
    },
    APPLY_MS,
  );

  test(
    "a node's death moves its pods",
    async () => {
      await scale(api, "first-stage", 1);
      await until("one is left", async () => (await onNode("first-stage")).length === 1);
      const [home = ""] = await onNode("first-stage");
      const other = home === "small-1" ? "small-2" : "small-1";
      const [played = ""] = Object.keys(PLAYED);
      await api.patch(`/api/v1/nodes/${home}`, { metadata: { labels: { [played]: null } } });
      await placed("first-stage", other);
      // It comes back, and lets go of what it had.
      await api.patch(`/api/v1/nodes/${home}`, { metadata: { labels: PLAYED } });
    },
    SCHEDULE_MS,
  );

  const pod = (resources: object, securityContext: object = {}) => ({
    metadata: { generateName: "extra-" },
    spec: {
      securityContext: { runAsNonRoot: true, runAsUser: 1000, seccompProfile: { type: "RuntimeDefault" } },
      containers: [
        {
          name: "extra",
          image: "example.com/extra:1",
          resources,
          securityContext: {
            allowPrivilegeEscalation: false,
            capabilities: { drop: ["ALL"] },
            ...securityContext,
          },
        },
      ],
    },
  });

  test("the quota holds: no more GPUs than the node groups can have", async () => {
    const { status } = await api.get(`${NAMESPACE}/resourcequotas/music`);
    const scaling = ["gpu-small", "gpu-large"].map(
      (group) =>
        cluster.resource("aws_eks_node_group", { node_group_name: group }).scaling_config as { max_size: number },
    );
    expect(Number(status.hard["requests.nvidia.com/gpu"])).toBe(
      scaling.reduce((sum, { max_size }) => sum + max_size, 0),
    );
    await expect(api.create(`${NAMESPACE}/pods`, pod({ limits: { "nvidia.com/gpu": 5 } }))).rejects.toThrow(
      /exceeded quota: music, requested: requests.nvidia.com\/gpu=5/,
    );
    await expect(api.create(`${NAMESPACE}/pods`, pod({ limits: { memory: "25Gi" } }))).rejects.toThrow(
      /maximum memory usage per Container is 24Gi/,
    );
  });

  test("the key that users are signed with is made in the cluster, and is in no state", async () => {
    const { data } = await api.get(`${NAMESPACE}/secrets/session`);
    const key = Buffer.from(data.key, "base64").toString();
    expect(key).toMatch(/^[0-9A-Za-z]{48}$/);
    const [front] = await podsOf(api, "front");
    expect(front?.spec.containers[0].env).toContainEqual({
      name: "MUSIC_SESSION_KEY",
      valueFrom: { secretKeyRef: expect.objectContaining({ name: "session", key: "key" }) },
    });
    const state = JSON.stringify(deployment.state(SERVICES));
    expect([state.includes(key), state.includes(data.key)]).toEqual([false, false]);
  });

  test(
    "Kubeflow Pipelines runs on the system nodes, with its database on a disk",
    async () => {
      const running = async () =>
        (await api.list(`${KUBEFLOW}/pods`))
          .filter(({ status }) => status.phase === "Running")
          .map(({ metadata, spec }) => [metadata.labels.app, spec.nodeName.replace(/-\d$/, "")])
          .sort();
      const expected = BACKEND.map((app) => [app, "system"]);
      await until("all of it runs", async () => (await running()).length === expected.length, SCHEDULE_MS);
      expect(await running()).toEqual(expected);
      const claim = await api.get(`${KUBEFLOW}/persistentvolumeclaims/mysql`);
      expect(claim).toMatchObject({ spec: { storageClassName: "music-disks" }, status: { phase: "Bound" } });
    },
    SCHEDULE_MS,
  );

  test("all of Kubeflow Pipelines would be let in by the strictest standard", async () => {
    const strict = { metadata: { name: "strict", labels: { "pod-security.kubernetes.io/enforce": "restricted" } } };
    await api.create("/api/v1/namespaces", strict);
    try {
      await until("it has its service account", async () =>
        api.get("/api/v1/namespaces/strict/serviceaccounts/default").then(
          () => true,
          () => false,
        ),
      );
      for (const { metadata, spec } of await api.list(`${KUBEFLOW}/pods`)) {
        const { nodeName, serviceAccount, serviceAccountName, ...rest } = spec;
        await api.create("/api/v1/namespaces/strict/pods?dryRun=All", {
          metadata: { generateName: `${metadata.labels.app}-` },
          spec: rest,
        });
      }
    } finally {
      await api.delete("/api/v1/namespaces/strict");
    }
  });

  test("the database's passwords are made in the cluster, and are in no state", async () => {
    const { data } = await api.get(`${KUBEFLOW}/secrets/mysql`);
    const state = JSON.stringify(deployment.state(PLATFORM));
    expect(Object.keys(data).sort()).toEqual(["password", "root-password"]);
    for (const encoded of Object.values(data) as string[]) {
      const password = Buffer.from(encoded, "base64").toString();
      expect(password).toMatch(/^[0-9A-Za-z]{48}$/);
      expect([state.includes(password), state.includes(encoded)]).toEqual([false, false]);
    }
    expect(data.password).not.toBe(data["root-password"]);
  });

  test("a run of the pipeline can say what came of it, and reads neither secrets nor pods", async () => {
    const may = async (user: string, verb: string, group: string, resource: string, name?: string) => {
      const { status } = await api.create("/apis/authorization.k8s.io/v1/subjectaccessreviews", {
        spec: {
          user: `system:serviceaccount:kubeflow:${user}`,
          resourceAttributes: { namespace: "kubeflow", verb, group, resource, name },
        },
      });
      return status.allowed;
    };
    expect(await may("pipeline-runner", "create", "argoproj.io", "workflowtaskresults")).toBe(true);
    expect(await may("pipeline-runner", "get", "", "configmaps", "kfp-launcher")).toBe(true);
    expect(await may("pipeline-runner", "get", "", "configmaps", "mysql")).toBe(false);
    expect(await may("ml-pipeline", "create", "argoproj.io", "workflows")).toBe(true);
    expect(await may("workflow-controller", "create", "", "pods")).toBe(true);
    for (const user of ["pipeline-runner", "ml-pipeline", "workflow-controller", "ml-pipeline-persistenceagent"]) {
      expect([user, await may(user, "get", "", "secrets", "mysql")]).toEqual([user, false]);
    }
    expect(await may("pipeline-runner", "get", "", "pods")).toBe(false);
  });

  test("a container that may become root is not let in", async () => {
    await expect(
      api.create(`${NAMESPACE}/pods`, pod({}, { allowPrivilegeEscalation: true, runAsUser: 0 })),
    ).rejects.toThrow(/violates PodSecurity "restricted:latest"/);
  });

  test("KEDA is told to take each stage from none to what its group holds, by the queue's depth", async () => {
    const objects = await api.list("/apis/keda.sh/v1alpha1/namespaces/music/scaledobjects");
    expect(objects.map(({ metadata }) => metadata.name)).toEqual(["first-stage", "second-stage"]);
    for (const { metadata, spec } of objects) {
      expect(spec).toMatchObject({ scaleTargetRef: { name: metadata.name }, minReplicaCount: 0, maxReplicaCount: 2 });
      expect(spec.triggers[0].metadata.query).toBe(
        `max(music_stage_backlog{namespace="music",stage="${metadata.name}"})`,
      );
    }
  });

  test("the policies allow the pipeline's arrows, and nothing else", async () => {
    const rules = new NetworkRules(await api.list("/apis/networking.k8s.io/v1/networkpolicies"), {
      music: (await api.get(NAMESPACE)).metadata.labels,
      kubeflow: { "kubernetes.io/metadata.name": "kubeflow" },
      monitoring: { "kubernetes.io/metadata.name": "monitoring" },
      ingress: { "kubernetes.io/metadata.name": "ingress", "music/entrance": "allowed" },
      default: { "kubernetes.io/metadata.name": "default" },
    });
    const service = (name: string): PolicyPod => ({ namespace: "music", labels: { "app.kubernetes.io/name": name } });
    const pods: Readonly<Record<string, PolicyPod>> = {
      front: service("front"),
      back: service("back"),
      "first-stage": service("first-stage"),
      "second-stage": service("second-stage"),
      unknown: service("unknown"),
      step: { namespace: "kubeflow", labels: { "pipelines.kubeflow.org/v2_component": "true" } },
      ...Object.fromEntries(BACKEND.map((app) => [app, { namespace: "kubeflow", labels: { app } }])),
      prometheus: { namespace: "monitoring", labels: { "app.kubernetes.io/name": "prometheus" } },
      grafana: { namespace: "monitoring", labels: { "app.kubernetes.io/name": "grafana" } },
      ingress: { namespace: "ingress", labels: {} },
      stranger: { namespace: "default", labels: { "app.kubernetes.io/name": "front" } },
    };
    const ports = [...new Set([...ARROWS.map(({ port }) => port), 3306, 8887])];
    const ours = (name: string) => ["music", "kubeflow"].includes(pods[name]?.namespace ?? "");
    const allowed = Object.entries(pods).flatMap(([from, source]) =>
      Object.entries(pods).flatMap(([to, target]) =>
        ports.flatMap((port) =>
          from !== to && (ours(from) || ours(to)) && rules.allows(source, target, port)
            ? [`${from} -> ${to}:${port}`]
            : [],
        ),
      ),
    );
    expect(allowed.sort()).toEqual([
      "back -> ml-pipeline:8888",
      "front -> back:8000",
      "ingress -> front:8080",
      "metadata-grpc-server -> mysql:3306",
      "ml-pipeline -> mysql:3306",
      "ml-pipeline-persistenceagent -> ml-pipeline:8887",
      "ml-pipeline-persistenceagent -> ml-pipeline:8888",
      "ml-pipeline-scheduledworkflow -> ml-pipeline:8887",
      "ml-pipeline-scheduledworkflow -> ml-pipeline:8888",
      "prometheus -> back:8000",
      "prometheus -> first-stage:8001",
      "prometheus -> second-stage:8002",
      "step -> first-stage:8001",
      "step -> metadata-grpc-server:8080",
      "step -> ml-pipeline:8887",
      "step -> second-stage:8002",
    ]);
    const outside = {
      "any address": { namespace: "outside", labels: {}, address: "203.0.113.1" },
      "pod identities": { namespace: "outside", labels: {}, address: "169.254.170.23" },
    };
    const left = Object.entries(pods).flatMap(([from, source]) =>
      Object.entries(outside).flatMap(([to, target]) =>
        [80, 443].flatMap((port) =>
          ours(from) && rules.allows(source, target, port) ? [`${from} -> ${to}:${port}`] : [],
        ),
      ),
    );
    const callers = BACKEND.filter((app) => app !== "mysql" && app !== "metadata-grpc-server");
    expect(left.sort()).toEqual(
      [
        ...[...callers, "step"].flatMap((name) => Object.keys(outside).map((to) => `${name} -> ${to}:443`)),
        "step -> pod identities:80",
      ].sort(),
    );
  });

  test(
    "destroys to nothing",
    async () => {
      expect(await deployment.destroy(SERVICES)).toEqual([]);
      expect((await api.list("/api/v1/namespaces")).map(({ metadata }) => metadata.name)).not.toContain("music");
      const disks = async () =>
        (await api.list("/api/v1/persistentvolumes")).map(({ metadata, status }) => [metadata.name, status.phase]);
      expect(await disks()).toEqual([["mysql", "Bound"]]);
      expect(await deployment.destroy(PLATFORM, own())).toEqual([]);
      expect((await api.list("/api/v1/namespaces")).map(({ metadata }) => metadata.name)).not.toContain("kubeflow");
      expect((await api.list(DEFINITIONS)).filter(({ spec }) => /argoproj|kubeflow/.test(spec.group))).toEqual([]);
      // Nobody claims it any more: the driver would delete it.
      await until("its claim is gone", async () => (await disks())[0]?.[1] === "Released");
      expect(await deployment.destroy(CLUSTER)).toEqual([]);
    },
    APPLY_MS,
  );
});
