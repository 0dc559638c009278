import { AwsProvider } from "@cdktf/provider-aws/lib/provider";
import { SqsQueue } from "@cdktf/provider-aws/lib/sqs-queue";
import { type App, Testing } from "cdktf";
import { Construct } from "constructs";
import { contract, list } from "../../../modules/platform/contract";
import { PlatformStack } from "../../../modules/platform/platform-stack";
import { parseSettings, type Settings } from "../../../modules/platform/settings";
import "../../support/constructed";
import { output, runFolder, Synthesis } from "../../support/synth";

const offered = contract("producer", { vpcId: "The VPC", subnetIds: list("Its subnets"), redisTls: "Whether TLS" });

class Producer extends PlatformStack {
  constructor(scope: Construct, settings: Settings) {
    super(scope, offered.stack, settings);
    this.publish(offered, { vpcId: "vpc-1", subnetIds: ["subnet-a", "subnet-c"], redisTls: "true" });
  }
}

class Consumer extends PlatformStack {
  constructor(scope: Construct, settings: Settings) {
    super(scope, "consumer", settings);
    const { vpcId, subnetIds, redisTls } = this.read(offered);
    new SqsQueue(this, "queue", { name: vpcId, policy: redisTls, tags: { first: subnetIds as unknown as string } });
  }
}

/** A building block with a resource of the same name as itself, as they all have. */
class Box extends Construct {
  constructor(scope: Construct, id: string) {
    super(scope, id);
    new SqsQueue(this, "Resource", {});
    new SqsQueue(this, "dead-letters", {});
  }
}

class Boxes extends PlatformStack {
  constructor(scope: Construct, settings: Settings, ids: readonly string[]) {
    super(scope, "boxes", settings);
    for (const id of ids) {
      new Box(this, id);
    }
    new SqsQueue(this, "own", {});
  }
}

function settings(section: object = {}): Settings {
  return parseSettings({ dev: { accountId: "111122223333", owner: "platform", ...section } }, "dev");
}

function app(): App {
  return Testing.app({ outdir: runFolder() });
}

function synth(stack: PlatformStack): Synthesis {
  return new Synthesis(Testing.synth(stack));
}

const STATE = {
  bucket: "nanogrid-cloud-state-111122223333",
  region: "ap-northeast-2",
  encrypt: true,
  allowed_account_ids: ["111122223333"],
  use_lockfile: true,
};

describe("PlatformStack", () => {
  test("its state is <project>/<environment>/<stack>, encrypted and locked natively", () => {
    expect(synth(new Producer(app(), settings())).at("terraform", "backend", "s3")).toEqual({
      ...STATE,
      key: "nanogrid-cloud/dev/producer.tfstate",
    });
  });

  test("Terraform refuses another account, and every resource is tagged", () => {
    expect(synth(new Producer(app(), settings({ repository: "git" }))).text).toHaveProviderWithProperties(AwsProvider, {
      region: "ap-northeast-2",
      allowed_account_ids: ["111122223333"],
      default_tags: [
        {
          tags: {
            project: "nanogrid-cloud",
            environment: "dev",
            stack: "producer",
            owner: "platform",
            repository: "git",
          },
        },
      ],
    });
  });

  test("pins Terraform and the provider by range, so that fixes arrive", () => {
    const synthesis = synth(new Producer(app(), settings()));
    expect(synthesis.at("terraform", "required_version")).toBe(">= 1.11");
    expect(synthesis.at("terraform", "required_providers")).toEqual({ aws: { source: "aws", version: "~> 6.47" } });
  });

  test("against the stand-ins the provider and the state use path-style S3 and check nothing that is not there", () => {
    const local = synth(new Producer(app(), settings({ standIns: true })));
    expect(local.at("provider", "aws", 0)).toMatchObject({
      s3_use_path_style: true,
      skip_credentials_validation: true,
      skip_metadata_api_check: "true",
      max_retries: 2,
    });
    expect(local.at("terraform", "backend", "s3")).toMatchObject({
      use_path_style: true,
      skip_credentials_validation: true,
      skip_metadata_api_check: true,
    });
    expect(local.text).not.toContain("endpoint");
  });

  test("in a real cloud every check is made", () => {
    const { text } = synth(new Producer(app(), settings()));
    for (const relaxed of ["skip_", "path_style", "max_retries"]) {
      expect(text).not.toContain(relaxed);
    }
  });

  test("addresses are the path of constructs, without a hash", () => {
    const addresses = synth(new Boxes(app(), settings(), ["queue"]))
      .resources()
      .map(({ address }) => address);
    expect(addresses.sort()).toEqual(["aws_sqs_queue.own", "aws_sqs_queue.queue", "aws_sqs_queue.queue_dead-letters"]);
  });

  test("two constructs that would share an address stop synth with both paths", () => {
    class Clash extends PlatformStack {
      constructor(scope: Construct) {
        super(scope, "clash", settings());
        new Box(this, "queue");
        new SqsQueue(this, "queue_dead-letters", {});
      }
    }
    expect(() => synth(new Clash(app()))).toThrow(
      /clash\/queue_dead-letters: its address SqsQueue\.queue_dead-letters is that of clash\/queue\/dead-letters\. Give one of them another id\.|clash\/queue\/dead-letters: its address SqsQueue\.queue_dead-letters is that of clash\/queue_dead-letters/,
    );
  });

  describe("contracts", () => {
    const root = app();
    const producer = new Producer(root, settings());
    const consumer = new Consumer(root, settings());
    const published = synth(producer);
    const reading = synth(consumer);

    test("are published as outputs with static names and descriptions", () => {
      expect(published.at("output")).toEqual({
        vpc_id: { description: "The VPC", value: "vpc-1" },
        subnet_ids: { description: "Its subnets", value: ["subnet-a", "subnet-c"] },
        redis_tls: { description: "Whether TLS", value: "true" },
      });
    });

    test("are read from the producer's state, under the names that it publishes", () => {
      expect(reading.resource("aws_sqs_queue")).toMatchObject({
        name: output("producer", "vpc_id"),
        policy: output("producer", "redis_tls"),
        tags: { first: output("producer", "subnet_ids") },
      });
      expect(reading.at("data", "terraform_remote_state", "producer")).toMatchObject({
        backend: "s3",
        config: published.at("terraform", "backend", "s3"),
      });
    });

    test("make the reader depend on the producer", () => {
      expect(consumer.dependencies).toEqual([producer]);
      expect(producer.dependencies).toEqual([]);
    });

    test("reading a stack that is not part of the environment stops synth with a remedy", () => {
      expect(() => new Consumer(app(), settings())).toThrow(
        'consumer: reads producer, which is not part of environment "dev". Keep both stacks or leave both out in ' +
          "cdktf.json, and construct the producer first in main.ts.",
      );
    });
  });
});
