/**
 * Denoise on loopback with IAM: its three stacks by real Terraform, and its programs with their roles' keys; what the stacks emit decides what
 * they may do.
 */
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { CloudWatchClient } from "@aws-sdk/client-cloudwatch";
import { S3Client } from "@aws-sdk/client-s3";
import { clientConfig } from "../../commands/support/clients";
import { DenoiseApi } from "../../commands/support/denoise/api";
import { presignArtifact } from "../../lambdas/presign/artifact";
import { clientOptions, withoutAccounts } from "../../local/clouds";
import { type Gateway, startGateway } from "../../local/gateway/gateway";
import { deployedFunction } from "../../local/lambda/deployed";
import type { LocalFunction } from "../../local/lambda/function";
import { prepareNodeRuntime } from "../../local/lambda/node-runtime";
import { apiService, type Own, type ProgramNeeds, tritonService } from "../../local/phases/denoise-programs";
import { handedOver } from "../../local/phases/denoise-states";
import type { Places } from "../../local/places";
import { type ServiceSpec, startService, stopService } from "../../local/services";
import { API, bucketName, IN_BUCKET, OUT_BUCKET, PRESIGN_FUNCTION } from "../../modules/denoise/names";
import { removeScratch, scratchPlaces } from "../local/scratch";
import { Deployment } from "../support/deployment";
import { freePort } from "../support/servers";
import { Authorizer } from "./authorizer";
import type { Emitted } from "./emitted";

export const TASK_ROLE = "ddn_task_role";
export const PRESIGN_ROLE = "ddn_presign_role";
const SERVICE_STACK = "denoise-service";
const STACKS = ["denoise-storage", SERVICE_STACK, "denoise-api"] as const;
const STOP_MS = 20_000;
/** The sidecar looks so often, in seconds, for a test. */
const INTERVAL_SECONDS = "1";

type Clients = ReturnType<typeof clientOptions>;

/** One way in: an API and the stand-in of API Gateway before it. */
export interface Entrance {
  readonly api: DenoiseApi;
  readonly url: string;
}

export class DenoiseWorld {
  private readonly gateways: Gateway[] = [];
  private readonly services: string[] = [];

  private constructor(
    readonly authorizer: Authorizer,
    private readonly deployment: Deployment,
    private readonly presign: LocalFunction,
    private readonly needs: ProgramNeeds,
    private readonly own: Own,
  ) {}

  /** Deploys the stacks, and starts Triton. */
  static async start(section: object, emitted: Emitted): Promise<DenoiseWorld> {
    const command = await prepareNodeRuntime();
    const authorizer = await Authorizer.start(emitted);
    const deployment = await Deployment.start(section, authorizer.url);
    for (const stack of STACKS) {
      await deployment.apply(stack);
    }
    const places = scratchPlaces();
    mkdirSync(places.home, { recursive: true });
    const denoise = handedOver(deployment.state(SERVICE_STACK));
    const { settings, standIns } = deployment;
    const presign = await deployedFunction({
      name: PRESIGN_FUNCTION,
      awsEndpoint: `http://127.0.0.1:${standIns.ports.aws}`,
      region: settings.region,
      artifact: presignArtifact(),
      command,
    });
    const ports = {
      api: await freePort(),
      http: await freePort(),
      grpc: await freePort(),
      metrics: await freePort(),
    };
    const needs = needsOf(deployment, places, denoise);
    const world = new DenoiseWorld(authorizer, deployment, presign, needs, { ports, folder: places.run });
    await world.run(tritonService(needs, world.own));
    return world;
  }

  /** Options of clients that sign as a role, or as the operator. */
  options(role = "local"): Clients {
    const { settings, standIns } = this.deployment;
    const options = clientOptions(standIns.ports, settings.region);
    return { ...options, credentials: { accessKeyId: role, secretAccessKey: "local" }, maxAttempts: 1 };
  }

  s3(role?: string): S3Client {
    return new S3Client(this.options(role));
  }

  cloudWatch(): CloudWatchClient {
    return new CloudWatchClient(this.options());
  }

  get inBucket(): string {
    return bucketName(IN_BUCKET, this.deployment.settings.denoise.storage.bucketSuffix);
  }

  get outBucket(): string {
    return bucketName(OUT_BUCKET, this.deployment.settings.denoise.storage.bucketSuffix);
  }

  /** Starts an API with the task's role, and a gateway before it. */
  async entrance(name: string, env: Readonly<Record<string, string>> = {}): Promise<Entrance> {
    const { settings, standIns } = this.deployment;
    const api = await freePort();
    const own = { folder: join(this.own.folder, name), ports: { ...this.own.ports, api } };
    const service = apiService(this.needs, own);
    const { grpc, http } = own.ports;
    await this.run({
      ...service,
      name: `api-${name}`,
      env: {
        ...service.env,
        DDN_PORT: String(api),
        DDN_TRITON_HTTP: `127.0.0.1:${http}`,
        DDN_TRITON_GRPC: `127.0.0.1:${grpc}`,
        AWS_ACCESS_KEY_ID: TASK_ROLE,
        ...env,
      },
    });
    const gateway = await startGateway({
      awsEndpoint: `http://127.0.0.1:${standIns.ports.aws}`,
      region: settings.region,
      apiName: API,
      functions: { [PRESIGN_FUNCTION]: this.presign },
      upstream: `http://127.0.0.1:${api}`,
    });
    this.gateways.push(gateway);
    const config = clientConfig(settings, this.deployment.env);
    return { url: gateway.url, api: await DenoiseApi.open({ config, url: gateway.url, say: () => undefined }) };
  }

  /** Starts the sidecar with the task's role. */
  async sidecar(): Promise<void> {
    const { denoise, places, pythons } = this.needs;
    const { metrics } = this.own.ports;
    const service = apiService(this.needs, this.own);
    await this.run({
      ...service,
      name: "sidecar",
      command: pythons.denoise,
      args: ["-m", "denoise_service.sidecar"],
      cwd: places.home,
      env: {
        ...service.env,
        ...denoise.metricsEnv,
        DDN_TRITON_METRICS: `http://127.0.0.1:${metrics}/metrics`,
        DDN_METRICS_INTERVAL_SECONDS: INTERVAL_SECONDS,
        AWS_ACCESS_KEY_ID: TASK_ROLE,
      },
      ready: async () => true,
    });
  }

  async stop(): Promise<void> {
    await Promise.all(this.gateways.map((gateway) => gateway.close()));
    await Promise.all(this.services.map((name) => stopService(this.needs.places, name, STOP_MS)));
    await this.presign.close();
    await this.deployment.stop();
    await this.authorizer.stop();
    removeScratch();
  }

  private async run(spec: ServiceSpec): Promise<void> {
    await startService(this.needs.places, spec, this.needs.signal);
    this.services.push(spec.name);
  }
}

/** What `npm run local:denoise` knows when it starts the programs. */
function needsOf(
  { settings, standIns }: Deployment,
  places: Places,
  denoise: ReturnType<typeof handedOver>,
): ProgramNeeds {
  const python = (variable: string) => process.env[variable] ?? "";
  return {
    options: {
      system: "denoise",
      once: true,
      verbose: false,
      install: false,
      terraform: true,
      buildProviders: false,
      awsPort: standIns.ports.aws,
      gcpPort: standIns.ports.gcp,
    },
    places: { ...places, project: process.cwd() },
    env: withoutAccounts(process.env),
    signal: new AbortController().signal,
    settings,
    standIns: { ports: standIns.ports, redisPort: 0 },
    pythons: {
      standIns: python("NANOGRID_STANDINS_PYTHON"),
      worker: "",
      productInference: "",
      mlFunction: "",
      triton: python("NANOGRID_TRITON_CPU_DEV_PYTHON"),
      denoise: python("NANOGRID_DENOISE_SERVICE_DEV_PYTHON"),
      music: "",
    },
    denoise: { ...denoise, states: [] },
  };
}
