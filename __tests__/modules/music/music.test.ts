/** What the three stacks of the Music pipeline emit. */
import { readFileSync } from "node:fs";
import { backImage } from "../../../containers/music/back/image";
import { firstStageImage } from "../../../containers/music/first-stage/image";
import { frontImage } from "../../../containers/music/front/image";
import { pipelineImage } from "../../../containers/music/pipeline/image";
import { MUSIC_METRICS } from "../../../containers/music/program";
import { secondStageImage } from "../../../containers/music/second-stage/image";
import { PIPELINE_IMAGES } from "../../../modules/music/charts";
import { statementsOf } from "../../support/expression";
import { type Block, expr, output, type Synthesis, stackOf } from "../../support/synth";

const cluster = stackOf("dev", "music-cluster");
const platform = stackOf("dev", "music-platform");
const services = stackOf("dev", "music-services");

/** The one container of a program's pods. */
function containerOf(environment: "dev" | "options", program: string): Block {
  const { spec } = stackOf(environment, "music-services").resource("kubernetes_deployment_v1", program);
  const pod = ((spec as Block).template as Block).spec as Block;
  return (pod.container as readonly Block[])[0] as Block;
}

describe("music-cluster", () => {
  test("is idle at the price of the control plane and the system nodes: GPU groups are empty", () => {
    const sizes = cluster
      .resources("aws_eks_node_group")
      .map(({ body }) => [body.node_group_name, body.instance_types, (body.scaling_config as Block).min_size]);
    expect(sizes.sort()).toEqual([
      ["gpu-large", ["g6e.2xlarge"], 0],
      ["gpu-small", ["g4dn.xlarge"], 0],
      ["system", ["t3.large"], 2],
    ]);
  });

  test("starts nodes once pods can have addresses and identities, and what wants a node after them", () => {
    for (const { body } of cluster.resources("aws_eks_node_group")) {
      expect(body.depends_on).toEqual(expect.arrayContaining(["aws_eks_addon.cluster_vpc-cni-addon"]));
    }
    for (const addon of ["coredns", "aws-efs-csi-driver", "aws-ebs-csi-driver"]) {
      expect(cluster.resource("aws_eks_addon", { addon_name: addon }).depends_on).toEqual(
        expect.arrayContaining(["aws_eks_node_group.system-nodes"]),
      );
    }
    expect(cluster.resource("aws_eks_addon", { addon_name: "vpc-cni" }).configuration_values).toContain(
      '"enableNetworkPolicy":"true"',
    );
  });

  test("lets CI in where there is CI: one role deploys, the other looks", () => {
    const admitted = stackOf("options", "music-cluster")
      .resources("aws_eks_access_policy_association")
      .map(({ name, body }) => [name.replace(/^cluster_/, ""), String(body.policy_arn).split("/")[1]]);
    expect(admitted.sort()).toEqual([
      ["admin-1-access", "AmazonEKSClusterAdminPolicy"],
      ["ci-access-deploy-access", "AmazonEKSClusterAdminPolicy"],
      ["ci-access-plan-access", "AmazonEKSAdminViewPolicy"],
    ]);
    expect(cluster.resources("aws_eks_access_entry")).toEqual([]);
  });
});

describe("the images of music-cluster", () => {
  const options = stackOf("options", "music-cluster");
  const pulledBy = async (stack: Synthesis) => {
    const statements = await statementsOf(stack.resource("aws_iam_role_policy", "node-role_permissions").policy);
    return statements.find(({ sid }) => sid === "PullImages")?.resources;
  };

  test.each([
    ["front", "music-front", frontImage],
    ["back", "music-back", backImage],
    ["first-stage", "music-first-stage", firstStageImage],
    ["second-stage", "music-second-stage", secondStageImage],
    ["step", "music-pipeline-python", pipelineImage],
  ])(
    "%s is built for %s from what the checkout has, under its hash, and others come after the push",
    (id, repository, source) => {
      const { tag } = source();
      const image = cluster.resource("terraform_data", `${id}-image`);
      expect(JSON.stringify(image.provisioner)).toMatch(
        new RegExp(
          `--environment dev --repository ${repository} --tag ${tag} --context assets/\\S+/[0-9A-F]{32}/ --dockerfile Dockerfile"`,
        ),
      );
      expect(image.triggers_replace).toEqual({
        uri: `${expr(`aws_ecr_repository.${id}-repository.repository_url`)}:${tag}`,
      });
      expect(cluster.outputs[`${id.replace("-", "_")}_image_uri`]).toBe(expr(`terraform_data.${id}-image.output.uri`));
      expect(cluster.resource("aws_ecr_repository", { name: repository }).image_tag_mutability).toBe("IMMUTABLE");
    },
  );

  test("one that was built elsewhere is used as it is, and not built; its repository stays", () => {
    expect(options.outputs.front_image_uri).toBe(
      `444455556666.dkr.ecr.ap-northeast-2.amazonaws.com/team/front@sha256:${"0b".repeat(32)}`,
    );
    expect(options.outputs.step_image_uri).toBe("registry.example.com/team/step:7");
    expect(
      options
        .resources("terraform_data")
        .map(({ name }) => name)
        .sort(),
    ).toEqual(["back-image", "first-stage-image", "second-stage-image"]);
    expect(options.resources("aws_ecr_repository")).toHaveLength(5);
  });

  test("nodes pull these and no others", async () => {
    const own = (...ids: string[]) => ids.map((id) => expr(`aws_ecr_repository.${id}-repository.arn`));
    expect(await pulledBy(cluster)).toEqual(own("front", "back", "first-stage", "second-stage", "step"));
    expect(await pulledBy(options)).toEqual([
      "arn:aws:ecr:ap-northeast-2:444455556666:repository/team/front",
      ...own("back", "first-stage", "second-stage", "step"),
    ]);
  });
});

describe.each([
  ["music-platform", platform],
  ["music-services", services],
])("%s", (_, stack) => {
  test("asks for a token at each run: none is written anywhere", () => {
    const exec = {
      api_version: "client.authentication.k8s.io/v1beta1",
      command: "aws",
      args: [
        ...["eks", "get-token", "--output", "json", "--region", "ap-northeast-2", "--cluster-name"],
        output("music-cluster", "cluster_name"),
      ],
    };
    const [kubernetes] = stack.at("provider", "kubernetes") as readonly Block[];
    const [helm] = stack.at("provider", "helm") as readonly Block[];
    expect(kubernetes).toMatchObject({ host: output("music-cluster", "cluster_endpoint"), exec: [exec] });
    expect(helm?.kubernetes).toMatchObject({ host: output("music-cluster", "cluster_endpoint"), exec });
    expect(kubernetes).not.toHaveProperty("token");
  });

  test("plans without a cluster: no resource has to ask for kinds", () => {
    expect(stack.resources("kubernetes_manifest")).toEqual([]);
  });
});

describe("music-platform", () => {
  const fromElsewhere = platform.resources("helm_release").filter(({ body }) => "repository" in body);

  test("pins the version of every chart", () => {
    const charts = fromElsewhere;
    expect(charts.map(({ body }) => body.chart).sort()).toEqual([
      "cluster-autoscaler",
      "keda",
      "kube-prometheus-stack",
      "nvidia-device-plugin",
    ]);
    for (const { body } of charts) {
      expect(body.version).toMatch(/^\d+\.\d+\.\d+$/);
      expect(body.atomic).toBe(true);
    }
  });

  test("registers GPUs on nodes that have one, and starts nothing on others", () => {
    const { values } = platform.resource("helm_release", { chart: "nvidia-device-plugin" });
    const { affinity } = JSON.parse((values as string[])[0] ?? "");
    expect(affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms).toEqual([
      { matchExpressions: [{ key: "music/nodes", operator: "In", values: ["gpu-small", "gpu-large"] }] },
    ]);
  });

  test("installs Kubeflow Pipelines from the repository, on the system nodes, with its artifacts in the bucket", () => {
    const valuesOf = (environment: "dev" | "options") => {
      const { values } = stackOf(environment, "music-platform").resource("helm_release", {
        name: "kubeflow-pipelines",
      });
      return JSON.parse((values as string[])[0] ?? "");
    };
    expect(valuesOf("dev")).toMatchObject({
      bucket: output("music-cluster", "artifacts_bucket"),
      region: "ap-northeast-2",
      runner: "pipeline-runner",
      server: { name: "ml-pipeline", port: 8888 },
      nodeLabels: { "music/nodes": "system" },
      databaseClaim: { resources: { requests: { storage: "10Gi" } } },
      clients: { namespace: "music", caller: { "app.kubernetes.io/name": "back" } },
    });
    expect(valuesOf("options").databaseClaim.resources.requests.storage).toBe("20Gi");
  });

  test("pins every image of Kubeflow Pipelines, and the parts that belong together to one version", () => {
    for (const image of Object.values(PIPELINE_IMAGES)) {
      expect(image).toMatch(/^[\w.-]+\/[\w./-]+:v?\d+\.\d+\.\d+$/);
    }
    const versionsOf = (registry: string) =>
      new Set(
        Object.values(PIPELINE_IMAGES)
          .filter((image) => image.startsWith(registry))
          .map((image) => image.split(":")[1]),
      );
    expect([...versionsOf("ghcr.io/kubeflow/")]).toHaveLength(1);
    expect([...versionsOf("quay.io/argoproj/")]).toHaveLength(1);
  });

  test("writes no key of AWS anywhere: a run's pods have a role, and the API server has keys of nobody", () => {
    const server = readFileSync("modules/music/charts/kubeflow-pipelines/templates/server.yaml", "utf8");
    expect(server.match(/ACCESSKEY\n\s+value: \w+/g)?.map((line) => line.split(" ").at(-1))).toEqual([
      "nobody",
      "nobody",
    ]);
    const roles = cluster.resources("aws_eks_pod_identity_association").map(({ body }) => body.service_account);
    expect(roles.sort()).toEqual(["cluster-autoscaler", "pipeline-runner"]);
  });

  test("shows the queue, the stages' latency and the GPUs, by metrics that the programs have", () => {
    const { data } = platform.resource("kubernetes_config_map_v1");
    const dashboard = JSON.parse(String((data as Block)["music-pipeline.json"])) as {
      panels: { title: string; targets: { expr: string }[] }[];
    };
    const queries = dashboard.panels.flatMap(({ targets }) => targets.map(({ expr }) => expr)).join("\n");
    for (const metric of [
      "music_queue_depth",
      MUSIC_METRICS.backlog,
      "music_stage_seconds_bucket",
      "music_gpu_use_ratio",
    ]) {
      expect(queries).toContain(metric);
    }
    expect(stackOf("options", "music-platform").resources("kubernetes_config_map_v1")).toEqual([]);
  });
});

describe("music-services", () => {
  test.each(["dev", "options"] as const)(
    "runs the images that music-cluster publishes, and gives back the steps' (%s)",
    (environment) => {
      const images = ["front", "back", "first-stage", "second-stage"].map(
        (program) => containerOf(environment, program).image,
      );
      expect(images).toEqual(
        ["front", "back", "first_stage", "second_stage"].map((name) => output("music-cluster", `${name}_image_uri`)),
      );
      expect(containerOf(environment, "back").env).toContainEqual({
        name: "MUSIC_PIPELINE_IMAGE",
        value: output("music-cluster", "step_image_uri"),
      });
    },
  );

  test("gives the namespace as many GPUs as the node groups can have, and a run as many candidates as the large one", () => {
    const { spec } = stackOf("options", "music-services").resource("kubernetes_resource_quota_v1");
    expect(((spec as Block).hard as Block)["requests.nvidia.com/gpu"]).toBe("6");
    expect(containerOf("options", "back").env).toContainEqual({ name: "MUSIC_GPU_QUOTA", value: "2" });
  });

  test("emits its charts beside its stack, so that no plan depends on where it runs", () => {
    for (const { body } of services.resources("helm_release")) {
      expect(body.chart).toMatch(/^\.\/assets\//);
    }
    expect(readFileSync("modules/music/charts/session/templates/secret.yaml", "utf8")).toContain("lookup");
  });
});
