/** Where the inference cluster lives: its VPC, who may connect to whom in it, and the database on the other side of a peering. */
import { MongodbatlasProvider } from "@cdktf/provider-mongodbatlas/lib/provider";
import type { Construct } from "constructs";
import { exception } from "../../constructs/exception";
import { InterfaceEndpoints } from "../../constructs/interface-endpoints";
import { PeeredAtlas } from "../../constructs/peered-atlas";
import { SecurityGroup } from "../../constructs/security-group";
import type { Vpc } from "../../constructs/vpc";
import { alarmTopic } from "../platform/alarm-topic";
import { contract, list } from "../platform/contract";
import { PlatformStack } from "../platform/platform-stack";
import type { Settings } from "../platform/settings";
import { twoZoneVpc } from "../platform/two-zone-vpc";
import { modelArns } from "./bedrock";
import {
  ALARM_TOPIC,
  ATLAS_CLUSTER,
  ATLAS_PROJECT,
  BOOTSTRAP_DATABASE_ROLE,
  FUNCTION_ROLES,
  functionRoleArn,
  type InferenceFunction,
  PREFIX,
} from "./names";
import { atlasRegionOf } from "./regions";

/** The bindings are of 1.41; 2.x has other shapes of clusters and connection strings. */
const ATLAS_PROVIDER_VERSION = "~> 1.41";

export const network = contract("inference-network", {
  vpcId: "VPC of the inference cluster",
  privateSubnetIds: list("Private 1 and 2: functions, tasks and the load balancer"),
  privateZones: list("Zones of those subnets, such as ap-northeast-2a"),
  functionSecurityGroupId: "inference-function-sg: the Lambda functions",
  linkSecurityGroupId: "inference-link-sg: the VPC link of the HTTP API",
  loadBalancerSecurityGroupId: "inference-alb-sg: the GPU tier's load balancer",
  taskSecurityGroupId: "inference-task-sg: the GPU tier's tasks",
  instanceSecurityGroupId: "inference-instance-sg: the GPU tier's instances",
  databaseUri: "Connection string of the database over the peering, without credentials",
  databaseName: "Database of the products and titles",
  alarmTopicArn: "SNS topic that every alarm notifies",
});

/** Port of the load balancer inside of the VPC. */
const HTTP = 80;
/** Port of the tasks. */
const TASK = 8080;
const HTTPS = 443;
/** Ports of Atlas's nodes: the routers of sharded clusters, the nodes, and the search nodes. */
const MONGODB = { from: 27015, to: 27017 };
/** What private subnets need of AWS where there is no NAT gateway; `s3`, where ECR keeps its layers, has a gateway endpoint. */
const SERVICES = ["ecs", "ecs-agent", "ecs-telemetry", "ecr.api", "ecr.dkr", "logs", "sqs", "sts"];
/** Functions that call Bedrock: the bootstrap does not. */
const BEDROCK_CALLERS: readonly InferenceFunction[] = ["products", "search", "titles", "batches"];
/** Built-in database roles of the functions that need no role of their own. */
const DATABASE_ROLES = { products: "readWrite", batches: "readWrite", titles: "readWrite", search: "read" } as const;
/** What the bootstrap does: it finds out what is there, and makes what is not. */
const BOOTSTRAP_ACTIONS = [
  "CREATE_COLLECTION",
  "CREATE_INDEX",
  "CREATE_SEARCH_INDEXES",
  "LIST_COLLECTIONS",
  "LIST_INDEXES",
  "LIST_SEARCH_INDEXES",
  "UPDATE_SEARCH_INDEX",
];

interface Groups {
  readonly functions: SecurityGroup;
  readonly link: SecurityGroup;
  readonly loadBalancer: SecurityGroup;
  readonly task: SecurityGroup;
  readonly instance: SecurityGroup;
}

export class InferenceNetwork extends PlatformStack {
  constructor(scope: Construct, settings: Settings) {
    super(scope, network.stack, settings);
    new MongodbatlasProvider(this, "mongodbatlas", {});
    this.addOverride("terraform.required_providers.mongodbatlas.version", ATLAS_PROVIDER_VERSION);

    const { egress, ...own } = settings.inference.network;
    const topic = alarmTopic(this, ALARM_TOPIC, settings.inference.alarms.emails);
    const { vpc, subnetIds, zones } = twoZoneVpc(this, PREFIX, settings.region, { ...own, nat: egress === "nat" });
    const groups = this.createGroups(vpc);
    this.createWaysOut(vpc, groups);
    const atlas = this.createDatabase(vpc, groups.functions);
    this.publish(network, {
      vpcId: vpc.id,
      privateSubnetIds: subnetIds,
      privateZones: zones,
      functionSecurityGroupId: groups.functions.id,
      linkSecurityGroupId: groups.link.id,
      loadBalancerSecurityGroupId: groups.loadBalancer.id,
      taskSecurityGroupId: groups.task.id,
      instanceSecurityGroupId: groups.instance.id,
      databaseUri: atlas.connectionString,
      databaseName: settings.inference.atlas.database,
      alarmTopicArn: topic.arn,
    });
  }

  private createGroups(vpc: Vpc): Groups {
    const group = (id: string, description: string) =>
      new SecurityGroup(this, `${id}-security-group`, { name: `${PREFIX}-${id}-sg`, description, vpcId: vpc.id });
    const functions = group("function", "Lambda functions: nothing inbound");
    const link = group("link", "VPC link of the HTTP API");
    const loadBalancer = group("alb", "Load balancer: requests from the VPC link and the functions");
    const task = group("task", "Tasks: requests from the load balancer");
    const instance = group("instance", "GPU instances: nothing inbound");
    for (const each of [functions, link, loadBalancer, task, instance]) {
      exception(each, "CKV2_AWS_5", "What carries the group is in another state, which reads its id from here.");
    }
    link.allowOut("to-load-balancer", HTTP, loadBalancer, "Requests to the load balancer");
    functions.allowOut("to-load-balancer", HTTP, loadBalancer, "Requests to the load balancer");
    for (const [id, source, from] of [
      ["from-link", link, "the VPC link"],
      ["from-functions", functions, "the functions"],
    ] as const) {
      const rule = loadBalancer.allowIn(id, HTTP, source, `Requests from ${from}`);
      exception(rule, "CKV_AWS_260", "Only that security group gets in, which the check does not see.");
    }
    loadBalancer.allowOut("to-tasks", TASK, task, "Requests and health checks to the tasks");
    task.allowIn("from-load-balancer", TASK, loadBalancer, "Requests and health checks from the load balancer");
    functions.allowOut(
      "to-database",
      MONGODB,
      { cidr: this.settings.inference.atlas.cidr },
      "MongoDB over the peering",
    );
    return { functions, link, loadBalancer, task, instance };
  }

  /**
   * AWS's own services over HTTPS, and nothing else: Bedrock by an endpoint of its own, so that prompts stay off the internet, the rest
   * through the NAT gateway or by endpoints.
   */
  private createWaysOut(vpc: Vpc, { functions, task, instance }: Groups): void {
    const { region, inference } = this.settings;
    const callers = { functions, tasks: task, instances: instance };
    const closed = inference.network.egress === "endpoints";
    const endpoints = new InterfaceEndpoints(this, "endpoints", {
      prefix: PREFIX,
      vpcId: vpc.id,
      region,
      subnetIds: [vpc.subnetId("Private 1"), vpc.subnetId("Private 2")],
      endpoints: [
        { service: "bedrock-runtime", statements: [this.modelsOnly()] },
        ...(closed ? SERVICES : []).map((service) => ({ service })),
      ],
    });
    endpoints.allow("functions", functions, closed);
    for (const [name, group] of Object.entries(callers)) {
      if (!closed) {
        group.allowOut("https", HTTPS, { cidr: "0.0.0.0/0" }, "AWS's services, through the NAT gateway and endpoints");
      } else if (group !== functions) {
        endpoints.allow(name, group);
        group.allowOut("to-s3", HTTPS, { prefixListId: vpc.prefixListId("s3") }, "Layers of images in S3");
      }
    }
  }

  /** The endpoint's policy: these functions, these models. */
  private modelsOnly(): object {
    const { region, accountId, inference } = this.settings;
    const { embeddingModel, titleModel } = inference.api;
    return {
      Sid: "InvokeModels",
      Effect: "Allow",
      Principal: "*",
      Action: "bedrock:InvokeModel",
      Resource: [...new Set([embeddingModel, titleModel].flatMap((id) => modelArns(id, region, accountId)))],
      Condition: {
        StringEquals: { "aws:PrincipalArn": BEDROCK_CALLERS.map((name) => functionRoleArn(accountId, name)) },
      },
    };
  }

  private createDatabase(vpc: Vpc, functions: SecurityGroup): PeeredAtlas {
    const { accountId, environment, region, inference, protectData } = this.settings;
    const { network: own, atlas: chosen } = inference;
    const atlas = new PeeredAtlas(this, "atlas", {
      // The settings refuse an enabled cluster without one.
      organizationId: chosen.organizationId ?? "",
      projectName: `${ATLAS_PROJECT}-${environment}`,
      clusterName: ATLAS_CLUSTER,
      atlasRegion: atlasRegionOf(region),
      atlasCidr: chosen.cidr,
      tier: chosen.tier,
      mongodbVersion: chosen.mongodbVersion,
      pointInTimeRecovery: chosen.pointInTimeRecovery,
      protect: protectData,
      tags: this.atlasTags,
      vpc: {
        accountId,
        region,
        id: vpc.id,
        cidr: own.cidr,
        routeTables: vpc.privateRouteTables,
      },
      access:
        chosen.access === "subnets"
          ? { cidrs: { "private-1": own.subnets.private1.cidr, "private-2": own.subnets.private2.cidr } }
          : { securityGroupId: functions.id },
    });
    const bootstrap = atlas.customRole("bootstrap-role", BOOTSTRAP_DATABASE_ROLE, chosen.database, BOOTSTRAP_ACTIONS);
    for (const name of Object.keys(FUNCTION_ROLES) as InferenceFunction[]) {
      const role = name === "bootstrap" ? bootstrap : { role: DATABASE_ROLES[name], database: chosen.database };
      atlas.allowRole(`user-${name}`, functionRoleArn(accountId, name), [role]);
    }
    return atlas;
  }

  /** The stack's tags as Atlas takes them: letters, digits, spaces and any of ; @ _ - . + */
  private get atlasTags(): Record<string, string> {
    const entries = Object.entries(this.tags).map(([key, value]) => [key, value.replace(/[^A-Za-z0-9 ;@_.+-]/g, "-")]);
    return Object.fromEntries(entries);
  }
}
