/**
 * A real Kubernetes control plane on loopback: etcd, the API server with TLS, tokens and RBAC, the scheduler, the controllers, and KWOK in
 * the kubelets' place. Pods are placed, replaced and counted as in any cluster; no container runs, and no network policy is enforced.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { generateKeyPairSync, randomBytes } from "node:crypto";
import { once } from "node:events";
import { existsSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { Agent } from "node:https";
import { type AddressInfo, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { Problem } from "../../commands/support/problem";
import { withoutAccounts } from "../clouds";
import { LOOPBACK } from "../ports";
import { KubernetesApi } from "./api";
import type { KubernetesBinaries } from "./binaries";

const READY_MS = 90_000;
const STOP_MS = 5_000;
const POLL_MS = 100;
/** Clients and server fill their caches by lists: etcd 3.4, which Debian has, cannot say how far a watch is. */
const ETCD_3_4 = { KUBE_FEATURE_WatchListClient: "false" };
/** Users of the API, and the groups that say what they may do. Their names are those that Kubernetes' own roles are bound to. */
const USERS = {
  admin: ["admin", "system:masters"],
  scheduler: ["system:kube-scheduler", ""],
  controllers: ["system:kube-controller-manager", ""],
  // It does what kubelets do, for any node.
  kwok: ["kwok", "system:masters"],
} as const;
/** Label of the nodes that KWOK plays. A node that loses it falls silent, as one that lost its power does. */
export const PLAYED = { "local/kubelet": "kwok" } as const;

/** How patient the cluster is with a silent node, in seconds. Kubernetes' own values are 50 and 300. */
export interface Patience {
  /** After which it counts as lost. It renews its lease every quarter of that. */
  readonly graceSeconds: number;
  /** After which its pods are given up. */
  readonly evictionSeconds: number;
}

const PATIENCE: Patience = { graceSeconds: 8, evictionSeconds: 1 };

/** What a control plane may have otherwise. */
export interface ControlPlaneOptions {
  /** @default 8 seconds, and 1 */
  readonly patience?: Patience;
  /** Profiles of the scheduler beside `default-scheduler`, as KubeSchedulerConfiguration has them. @default - none */
  readonly schedulerProfiles?: readonly object[];
}

/** A control plane that runs. */
export interface ControlPlane {
  /** As an administrator. */
  readonly api: KubernetesApi;
  /** File that leads kubectl, and Terraform's providers by KUBE_CONFIG_PATH, there as an administrator. */
  readonly kubeconfig: string;
  /** Ends all of it, with all that it kept. A second call does nothing. */
  stop(): Promise<void>;
}

/**
 * Starts an empty control plane on free ports.
 *
 * @param binaries Kubernetes' programs and KWOK; etcd is looked for on PATH
 * @throws Problem when a part does not start; what has started is stopped then
 */
export async function startControlPlane(
  binaries: KubernetesBinaries,
  { patience = PATIENCE, schedulerProfiles = [] }: ControlPlaneOptions = {},
): Promise<ControlPlane> {
  const folder = mkdtempSync(join(tmpdir(), "kubernetes-"));
  const parts = new Parts(folder);
  try {
    const [client, peer, secure] = await freePorts(3);
    const etcd = `http://${LOOPBACK}:${client}`;
    const url = `https://${LOOPBACK}:${secure}`;
    const secrets = new Secrets(folder);
    parts.start("etcd", "etcd", [
      "--name=local",
      `--data-dir=${join(folder, "etcd")}`,
      `--listen-client-urls=${etcd}`,
      `--advertise-client-urls=${etcd}`,
      `--listen-peer-urls=http://${LOOPBACK}:${peer}`,
      `--initial-advertise-peer-urls=http://${LOOPBACK}:${peer}`,
      `--initial-cluster=local=http://${LOOPBACK}:${peer}`,
      "--logger=zap",
      "--log-level=warn",
    ]);
    const certificates = join(folder, "certificates");
    parts.start("kube-apiserver", binaries["kube-apiserver"], [
      `--etcd-servers=${etcd}`,
      `--bind-address=${LOOPBACK}`,
      `--advertise-address=${LOOPBACK}`,
      `--secure-port=${secure}`,
      // It makes a certificate for this address there, at its start.
      `--cert-dir=${certificates}`,
      `--token-auth-file=${secrets.tokens}`,
      `--service-account-issuer=${url}`,
      `--service-account-key-file=${secrets.key}`,
      `--service-account-signing-key-file=${secrets.key}`,
      "--service-cluster-ip-range=10.96.0.0/16",
      "--authorization-mode=Node,RBAC",
      // Endpoints of the API itself may not be on loopback.
      "--endpoint-reconciler-type=none",
      `--default-not-ready-toleration-seconds=${patience.evictionSeconds}`,
      `--default-unreachable-toleration-seconds=${patience.evictionSeconds}`,
      "--profiling=false",
      "--feature-gates=WatchList=false",
    ]);
    const certificate = join(certificates, "apiserver.crt");
    await parts.until("kube-apiserver", "made its certificate", async () => existsSync(certificate));
    const authority = readFileSync(certificate);
    const agent = new Agent({ ca: authority, keepAlive: true });
    const api = new KubernetesApi(url, secrets.token("admin"), agent);
    await parts.until("kube-apiserver", "is ready", async () => {
      await api.get("/readyz");
      return true;
    });
    const kubeconfig = (user: keyof typeof USERS) => secrets.kubeconfig(user, url, authority);
    parts.start("kube-scheduler", binaries["kube-scheduler"], [
      `--config=${schedulerConfig(folder, kubeconfig("scheduler"), schedulerProfiles)}`,
      "--secure-port=0",
    ]);
    parts.start("kube-controller-manager", binaries["kube-controller-manager"], [
      `--kubeconfig=${kubeconfig("controllers")}`,
      `--service-account-private-key-file=${secrets.key}`,
      // Each controller has the role that Kubernetes made for it, and no more.
      "--use-service-account-credentials=true",
      "--secure-port=0",
      "--leader-elect=false",
      "--node-monitor-period=1s",
      `--node-monitor-grace-period=${patience.graceSeconds}s`,
    ]);
    parts.start("kwok", binaries.kwok, [
      `--kubeconfig=${kubeconfig("kwok")}`,
      `--config=${join(__dirname, "stages.yaml")}`,
      "--manage-all-nodes=false",
      `--manage-nodes-with-label-selector=${Object.entries(PLAYED).flat().join("=")}`,
      `--node-lease-duration-seconds=${patience.graceSeconds}`,
      "--cidr=10.100.0.0/16",
      "--node-ip=10.0.0.1",
    ]);
    // The controllers make it in every namespace; where it is, they work.
    await parts.until("kube-controller-manager", "works", async () => {
      await api.get("/api/v1/namespaces/default/serviceaccounts/default");
      return true;
    });
    const stop = async () => {
      agent.destroy();
      await parts.stop();
    };
    return { api, kubeconfig: kubeconfig("admin"), stop };
  } catch (error) {
    await parts.stop();
    throw error;
  }
}

/** The programs, each with its log in the folder. */
class Parts {
  private readonly running = new Map<string, ChildProcess>();
  private readonly kill = () => {
    for (const child of this.running.values()) {
      child.kill("SIGKILL");
    }
  };

  constructor(private readonly folder: string) {
    process.once("exit", this.kill);
  }

  start(name: string, command: string, args: readonly string[]): void {
    const log = openSync(this.logOf(name), "a");
    // A proxy of the shell is for other hosts.
    const env = { ...withoutAccounts(process.env), NO_PROXY: LOOPBACK, no_proxy: LOOPBACK, ...ETCD_3_4 };
    const child = spawn(command, args, { cwd: this.folder, env, stdio: ["ignore", log, log] });
    child.once("error", () => undefined);
    this.running.set(name, child);
  }

  /** Waits until something holds; while a question fails, it does not hold. */
  async until(name: string, what: string, holds: () => Promise<boolean>): Promise<void> {
    const end = Date.now() + READY_MS;
    while (!(await holds().catch(() => false))) {
      const child = this.running.get(name);
      if (child?.pid === undefined || child.exitCode !== null || Date.now() > end) {
        const log = existsSync(this.logOf(name)) ? readFileSync(this.logOf(name), "utf8").slice(-2_000) : "";
        throw new Problem(`${name}: not in time, or not at all: ${what}.`, `The end of its log says why:\n${log}`);
      }
      await sleep(POLL_MS);
    }
  }

  /** The last that was started first, so that none misses what it works on. */
  async stop(): Promise<void> {
    for (const [name, child] of [...this.running].reverse()) {
      this.running.delete(name);
      if (child.pid !== undefined && child.exitCode === null && child.signalCode === null) {
        const exited = once(child, "exit");
        child.kill("SIGTERM");
        const timer = setTimeout(() => child.kill("SIGKILL"), STOP_MS);
        await exited;
        clearTimeout(timer);
      }
    }
    process.off("exit", this.kill);
    rmSync(this.folder, { recursive: true, force: true });
  }

  private logOf(name: string): string {
    return join(this.folder, `${name}.log`);
  }
}

/** Tokens, the key that signs those of service accounts, and who takes them where: files that only their owner reads. */
class Secrets {
  readonly tokens: string;
  readonly key: string;
  private readonly values = new Map(Object.keys(USERS).map((user) => [user, randomBytes(32).toString("hex")]));

  constructor(private readonly folder: string) {
    const lines = Object.entries(USERS).map(
      ([user, [name, group]]) => `${this.values.get(user)},${name},${user},"${group}"`,
    );
    this.tokens = this.write("tokens.csv", `${lines.join("\n")}\n`);
    const { privateKey } = generateKeyPairSync("rsa", {
      modulusLength: 2048,
      publicKeyEncoding: { type: "spki", format: "pem" },
      privateKeyEncoding: { type: "pkcs1", format: "pem" },
    });
    this.key = this.write("service-accounts.key", privateKey);
  }

  token(user: keyof typeof USERS): string {
    return this.values.get(user) ?? "";
  }

  kubeconfig(user: keyof typeof USERS, server: string, authority: Buffer): string {
    const name = "local";
    const document = {
      apiVersion: "v1",
      kind: "Config",
      clusters: [{ name, cluster: { server, "certificate-authority-data": authority.toString("base64") } }],
      users: [{ name: user, user: { token: this.token(user) } }],
      contexts: [{ name, context: { cluster: name, user } }],
      "current-context": name,
    };
    // JSON is YAML.
    return this.write(`${user}.kubeconfig`, JSON.stringify(document));
  }

  private write(file: string, content: string): string {
    const path = join(this.folder, file);
    writeFileSync(path, content, { mode: 0o600 });
    return path;
  }
}

/** JSON is YAML. Clients are as fast as the one API server lets them: nobody else uses it. */
function schedulerConfig(folder: string, kubeconfig: string, profiles: readonly object[]): string {
  const path = join(folder, "scheduler.json");
  const document = {
    apiVersion: "kubescheduler.config.k8s.io/v1",
    kind: "KubeSchedulerConfiguration",
    clientConnection: { kubeconfig, qps: 1_000, burst: 1_000 },
    leaderElection: { leaderElect: false },
    profiles: [{ schedulerName: "default-scheduler" }, ...profiles],
  };
  writeFileSync(path, JSON.stringify(document));
  return path;
}

async function freePorts(count: number): Promise<number[]> {
  const servers = Array.from({ length: count }, () => createServer().listen(0, LOOPBACK));
  await Promise.all(servers.map((server) => once(server, "listening")));
  const ports = servers.map((server) => (server.address() as AddressInfo).port);
  await Promise.all(servers.map((server) => once(server.close(), "close")));
  return ports;
}
