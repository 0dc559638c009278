/** What a deployment of the Denoise service leaves in the stand-in, as far as its commands look at it, and what the stand-in lacks. */
import { createServer, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import { ApplicationAutoScalingClient, RegisterScalableTargetCommand } from "@aws-sdk/client-application-auto-scaling";
import { AutoScalingClient, SetInstanceProtectionCommand } from "@aws-sdk/client-auto-scaling";
import { DescribeVpcsCommand, EC2Client } from "@aws-sdk/client-ec2";
import {
  CreateClusterCommand,
  CreateServiceCommand,
  ECSClient,
  RegisterTaskDefinitionCommand,
  UpdateServiceCommand,
} from "@aws-sdk/client-ecs";
import {
  CreateTargetGroupCommand,
  ElasticLoadBalancingV2Client,
  RegisterTargetsCommand,
} from "@aws-sdk/client-elastic-load-balancing-v2";
import { GetObjectCommand, PutObjectCommand, S3Client } from "@aws-sdk/client-s3";
import { SSMClient } from "@aws-sdk/client-ssm";
import { getSignedUrl } from "@aws-sdk/s3-request-presigner";
import { DENOISE } from "../../commands/support/denoise/tier";
import { type EcsTier, scaledOf, type TierClients } from "../../commands/support/ecs-tier/tier";
import { Group } from "../../commands/support/group";
import { IN_BUCKET, OUT_BUCKET, TARGET_GROUP } from "../../modules/denoise/names";
import type { Cloud } from "./operations";

/** A tier's on-demand group as the commands for groups know them. */
function gpuGroup({ groups, stack }: EcsTier) {
  return { title: "GPU instance", group: groups[0] ?? "", logGroup: "", stack };
}
/** Where Flask listens in a task. */
const API_PORT = 50_101;
/** Private addresses of the targets. */
export const TARGETS = ["172.31.0.10"];

/** The clients that pausing needs, for the stand-in. */
export function clientsOf({ options }: Cloud, tier = DENOISE): TierClients {
  return {
    tier,
    ecs: new ECSClient(options),
    autoScaling: new AutoScalingClient(options),
    serviceScaling: new ApplicationAutoScalingClient(options),
    ssm: new SSMClient(options),
  };
}

/** Makes a tier's service with two tasks and its scaling, and its group with two protected instances. */
export async function deployService(cloud: Cloud, tier = DENOISE): Promise<void> {
  const { cluster, service: serviceName } = tier;
  const { ecs, serviceScaling } = clientsOf(cloud, tier);
  const group = gpuGroup(tier);
  const scaling = await cloud.createGroup(group, { min: 1, desired: 2, max: 3 });
  const { instances } = await new Group(scaling, group).status();
  await scaling.send(
    new SetInstanceProtectionCommand({
      AutoScalingGroupName: group.group,
      InstanceIds: instances.map(({ id }) => id),
      ProtectedFromScaleIn: true,
    }),
  );
  await ecs.send(new CreateClusterCommand({ clusterName: cluster }));
  const container = { name: "program", image: "image", memory: 512 };
  const family = serviceName.replace("service", "task");
  await ecs.send(new RegisterTaskDefinitionCommand({ family, containerDefinitions: [container] }));
  await ecs.send(new CreateServiceCommand({ cluster, serviceName, taskDefinition: family, desiredCount: 0 }));
  await ecs.send(new UpdateServiceCommand({ cluster, service: serviceName, desiredCount: 2 }));
  await serviceScaling.send(new RegisterScalableTargetCommand({ ...scaledOf(tier), MinCapacity: 1, MaxCapacity: 4 }));
}

/** Makes the target group. @returns what registers its targets */
export async function deployTargets(cloud: Cloud): Promise<() => Promise<void>> {
  const ec2 = new EC2Client(cloud.options);
  const { Vpcs = [] } = await ec2.send(new DescribeVpcsCommand({}));
  const VpcId = Vpcs[0]?.VpcId;
  const balancing = new ElasticLoadBalancingV2Client(cloud.options);
  const port = { Protocol: "HTTP", Port: API_PORT, TargetType: "ip" } as const;
  const { TargetGroups = [] } = await balancing.send(
    new CreateTargetGroupCommand({ Name: TARGET_GROUP, VpcId, ...port, HealthCheckPath: "/healthz" }),
  );
  const { TargetGroupArn } = TargetGroups[0] ?? {};
  return async () => {
    const Targets = TARGETS.map((Id) => ({ Id, Port: API_PORT }));
    await balancing.send(new RegisterTargetsCommand({ TargetGroupArn, Targets }));
  };
}

/** Answers to operations that the stand-in lacks or cannot play, by the last part of X-Amz-Target. */
export type Played = Readonly<Record<string, (request: Record<string, unknown>) => object>>;

/** AWS with some operations played, and all else passed on to the stand-in. */
export async function startPlayed(cloud: Cloud, played: Played): Promise<{ endpoint: string; stop(): Promise<void> }> {
  const server = createServer(async (request, response) => {
    const body = await bodyOf(request);
    const operation = String(request.headers["x-amz-target"]).split(".").at(-1) ?? "";
    const play = played[operation];
    if (play) {
      response.setHeader("content-type", "application/x-amz-json-1.1");
      response.end(JSON.stringify(play(JSON.parse(body.toString() || "{}") as Record<string, unknown>)));
      return;
    }
    const { host: _, ...headers } = request.headers as Record<string, string>;
    const answer = await fetch(cloud.endpoint + request.url, {
      method: request.method ?? "POST",
      headers,
      body: new Uint8Array(body),
    });
    response.writeHead(answer.status, { "content-type": answer.headers.get("content-type") ?? "" });
    response.end(Buffer.from(await answer.arrayBuffer()));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return {
    endpoint: `http://127.0.0.1:${port}`,
    stop: () => {
      server.closeAllConnections();
      return new Promise((resolve) => server.close(() => resolve()));
    },
  };
}

/** The body of a request. */
export async function bodyOf(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) {
    chunks.push(chunk as Buffer);
  }
  return Buffer.concat(chunks);
}

/** What the API does with an image, in place of a model. */
export type Treatment = (counts: Uint16Array, width: number) => Uint16Array;

/** The mean of each pixel and its eight neighbours: no match for a model, and cleaner than noise. */
export const boxBlur: Treatment = (counts, width) =>
  counts.map((_, pixel) => {
    const [column, row] = [pixel % width, Math.floor(pixel / width)];
    let [sum, count] = [0, 0];
    for (let y = row - 1; y <= row + 1; y++) {
      for (let x = column - 1; x <= column + 1; x++) {
        if (x >= 0 && x < width && y >= 0 && y * width + x < counts.length) {
          sum += counts[y * width + x] ?? 0;
          count++;
        }
      }
    }
    return Math.round(sum / count);
  });

/** An API as users see it, with presigned URLs of the stand-in's S3, an answer of 202, and a treatment in place of a model. */
export async function startApi(cloud: Cloud, treat: Treatment): Promise<{ url: string; stop(): Promise<void> }> {
  const s3 = new S3Client({ ...cloud.options, forcePathStyle: true });
  let output = "";
  const server = createServer(async (request, response) => {
    const { pathname, searchParams } = new URL(request.url ?? "", "http://api");
    const answer = (status: number, document: object) => {
      response.writeHead(status, { "content-type": "application/json", "apigw-requestid": "request-1" });
      response.end(JSON.stringify(document));
    };
    if (pathname === "/presign") {
      const key = searchParams.get("file") ?? "";
      const command =
        searchParams.get("mode") === "upload"
          ? new PutObjectCommand({ Bucket: IN_BUCKET, Key: key })
          : new GetObjectCommand({ Bucket: OUT_BUCKET, Key: key });
      answer(200, { key, url: await getSignedUrl(s3, command), expiresInSeconds: 300 });
    } else if (request.method === "POST") {
      const { file, strength } = JSON.parse((await bodyOf(request)).toString()) as { file: string; strength: number };
      if (strength > 20) {
        const detail = "strength: expected 0 to 20, got 21";
        answer(400, {
          title: "wrong",
          status: 400,
          detail,
          remedy: "Send a strength from 0 to 20.",
          field: "strength",
        });
        return;
      }
      const { Body } = await s3.send(new GetObjectCommand({ Bucket: IN_BUCKET, Key: file }));
      const noisy = Buffer.from((await Body?.transformToByteArray()) ?? []);
      const width = noisy.readUInt32LE(18);
      const from = noisy.length - width * width * 2;
      const counts = new Uint16Array(width * width).map((_, pixel) => noisy.readUInt16LE(from + pixel * 2));
      for (const [pixel, count] of treat(counts, width).entries()) {
        noisy.writeUInt16LE(count, from + pixel * 2);
      }
      output = file;
      await s3.send(new PutObjectCommand({ Bucket: OUT_BUCKET, Key: file, Body: noisy }));
      answer(202, { id: "one", status: "running" });
    } else {
      answer(200, { id: "one", status: "succeeded", output, steps: { denoise: 12.5 } });
    }
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    stop: () => {
      server.closeAllConnections();
      return new Promise((resolve) => server.close(() => resolve()));
    },
  };
}
