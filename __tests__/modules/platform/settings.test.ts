import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Testing } from "cdktf";
import { loadSettings, parseSettings, readSettings } from "../../../modules/platform/settings";
import { runFolder } from "../../support/synth";

const REQUIRED = { accountId: "111122223333", owner: "platform" };

/** The message with which a section is refused, line by line; empty where it is taken. */
function complaints(section: unknown, environment = "dev"): string[] {
  try {
    parseSettings({ [environment]: section }, environment);
    return [];
  } catch (error) {
    return (error as Error).message.split("\n").map((line) => line.trim());
  }
}

/** The one complaint about a section of NanoGrid. */
function complaint(nanogrid: object): string | undefined {
  const [, only, ...others] = complaints({ ...REQUIRED, nanogrid });
  expect(others).toEqual([]);
  return only;
}

describe("settings", () => {
  test("the defaults are the deployed values", () => {
    expect(parseSettings({ dev: REQUIRED }, "dev")).toEqual({
      environment: "dev",
      project: "nanogrid-cloud",
      accountId: "111122223333",
      region: "ap-northeast-2",
      owner: "platform",
      repository: "nanogrid-cloud",
      protectData: true,
      standIns: false,
      state: { bucket: "nanogrid-cloud-state-111122223333" },
      ci: {
        branch: "main",
        existingProvider: false,
        namePrefixes: [
          "nanogrid",
          "NanoGrid",
          "/nanogrid/",
          "/vpc/nanogrid/",
          "aws-waf-logs-nanogrid",
          "ddn",
          "deepdenoising",
          "/ecs/ddn-",
          "/aws/lambda/ddn-",
          "/aws/apigateway/ddn-",
          "/vpc/ddn/",
          "inference",
          "/ecs/inference-",
          "/aws/lambda/inference-",
          "/aws/apigateway/inference-",
          "/vpc/inference/",
          "ML-XGBoost",
          "ml-xgboost",
          "ml-function",
          "/aws/lambda/ML-XGBoost",
          "music",
          "/aws/eks/music",
          "/vpc/music/",
        ],
      },
      budget: { monthlyUsd: 500, usage: {} },
      google: { project: "ncp-test-465906", region: "asia-northeast3" },
      // Their values are held by __tests__/modules/denoise and __tests__/modules/inference.
      denoise: expect.objectContaining({ enabled: false }),
      inference: expect.objectContaining({ enabled: false }),
      // The same, by __tests__/modules/ml-function.
      mlFunction: expect.objectContaining({ enabled: false }),
      // And by __tests__/modules/music.
      music: expect.objectContaining({ enabled: false }),
      nanogrid: {
        network: {
          cidr: "10.0.0.0/16",
          subnets: {
            public1: { cidr: "10.0.1.0/24", zone: "a" },
            public2: { cidr: "10.0.2.0/24", zone: "c" },
            privateApp: { cidr: "10.0.10.0/24", zone: "a" },
            privateData1: { cidr: "10.0.20.0/24", zone: "a" },
            privateData2: { cidr: "10.0.21.0/24", zone: "c" },
          },
          natPerZone: false,
          flowLogsRetentionDays: 30,
        },
        data: {
          bucketSuffix: "",
          queue: { visibilityTimeoutSeconds: 60, maxReceiveCount: 5, retentionSeconds: 1_209_600 },
          redis: { nodeType: "cache.t3.micro", engineVersion: "7.1", replicas: 0, port: 6379 },
        },
        archive: {
          enabled: true,
          bucketSuffix: "",
          nearlineAfterDays: 30,
          coldlineAfterDays: 90,
          archiveAfterDays: 365,
        },
        controllers: {
          instanceType: "t3.small",
          count: 2,
          port: 8080,
          sshCidrs: [],
          rateLimitPer5Minutes: 1000,
          maxBodyBytes: 1_073_741_824,
          uploadMaxBytes: 52_428_800,
          idleTimeoutSeconds: 4000,
          syncMaxWaitSeconds: 3500,
          deregistrationDelaySeconds: 3600,
          requestsPerMinutePerKey: 600,
          logRetentionDays: 30,
        },
        workers: {
          instanceType: "t3.small",
          min: 2,
          desired: 2,
          max: 5,
          rootVolumeGib: 30,
          scaling: "depth",
          acceptedLatencySeconds: 60,
          meanJobSeconds: 6,
          spot: {
            enabled: false,
            instanceTypes: ["t3.small", "t3a.small", "t2.small"],
            onDemandBase: 1,
            onDemandPercentageAboveBase: 0,
          },
          concurrency: 1,
          warm: { max: 8, pauseAfterSeconds: 10, keepSeconds: 600, prewarmed: 1 },
          egress: { enabled: true, allowedCidrs: [] },
          gvisor: { enabled: false },
          dependencies: {
            pythonIndexUrl: expect.stringMatching(/^https:\/\//),
            nodeRegistryUrl: expect.stringMatching(/^https:\/\//),
          },
          callbackAllowedCidrs: [],
          logRetentionDays: 30,
        },
        ai: {
          enabled: true,
          instanceType: "t3.large",
          privateIp: "10.0.20.100",
          port: 11434,
          models: ["llama3.2:3b"],
          ollama: {
            version: expect.stringMatching(/^\d+\.\d+\.\d+$/),
            sha256: expect.stringMatching(/^[0-9a-f]{64}$/),
          },
          modelVolumeGib: 50,
          logRetentionDays: 30,
        },
        observability: {
          alarmEmails: [],
          oldestMessageSeconds: 900,
          errorRatePercent: 5,
          redisMemoryPercent: 80,
        },
      },
    });
  });

  test("the state bucket may have a name of its own", () => {
    expect(parseSettings({ dev: { ...REQUIRED, state: { bucket: "our-states" } } }, "dev").state.bucket).toBe(
      "our-states",
    );
  });

  describe("errors", () => {
    test("all come at once, each with its path, what came and what was expected", () => {
      const lines = complaints({
        owner: "",
        accountId: 1234,
        region: "Seoul",
        standins: true,
        nanogrid: {
          workers: { min: "two", scaling: "magic" },
          controllers: { port: 80, sshCidrs: ["anywhere"] },
          ai: { models: [] },
        },
      });
      expect(lines).toEqual([
        'cdktf.json, environment "dev": 9 settings are wrong.',
        "settings.accountId: 1234 is wrong: expected a value of type string. Correct it in cdktf.json.",
        'settings.region: "Seoul" is wrong: expected an AWS region such as ap-northeast-2. Correct it in cdktf.json.',
        'settings.owner: "" is wrong: expected 1 to 256 letters, digits, spaces and any of _ . : / = + @ -. Correct it in cdktf.json.',
        "settings.nanogrid.controllers.port: 80 is wrong: expected at least 1024. Correct it in cdktf.json.",
        expect.stringMatching(/^settings\.nanogrid\.controllers\.sshCidrs\.0: "anywhere" is wrong: expected .*CIDR/),
        'settings.nanogrid.workers.min: "two" is wrong: expected a value of type number. Correct it in cdktf.json.',
        'settings.nanogrid.workers.scaling: "magic" is wrong: expected one of "depth", "backlog". Correct it in cdktf.json.',
        "settings.nanogrid.ai.models: [] is wrong: expected at least 1 entries. Correct it in cdktf.json.",
        'settings.standins: unknown setting. Did you mean "standIns"?',
      ]);
    });

    test.each(["owner", "repository"])("a tag's value that Terraform would evaluate: %s", (key) => {
      // biome-ignore lint/suspicious/noTemplateCurlyInString: what Terraform would read as an expression.
      for (const value of ["${path.cwd}", 'platform ${file("/etc/passwd")}', "%{ if true }platform%{ endif }"]) {
        expect(complaints({ ...REQUIRED, [key]: value }).slice(1)).toEqual([
          expect.stringMatching(new RegExp(`^settings\\.${key}: .* is wrong: expected 1 to 256 letters, digits`)),
        ]);
      }
    });

    test("gVisor without a release and its checksum", () => {
      const workers = { gvisor: { enabled: true, version: "20260914.0" } };
      expect(complaints({ ...REQUIRED, nanogrid: { workers } }).slice(1)).toEqual([
        expect.stringMatching(
          /^settings\.nanogrid\.workers\.gvisor\.sha512: is missing, and gvisor\.enabled is true\./,
        ),
      ]);
    });

    test("one is announced as one", () => {
      expect(complaints({ ...REQUIRED, region: "x" })[0]).toBe('cdktf.json, environment "dev": 1 setting is wrong.');
    });

    test("a missing setting says what belongs there", () => {
      expect(complaints({ owner: "platform" })).toEqual([
        'cdktf.json, environment "dev": 1 setting is wrong.',
        "settings.accountId: missing (a value of type string). Add it in cdktf.json.",
      ]);
    });

    test("an unknown setting comes with the nearest known one, at any depth", () => {
      expect(complaint({ worker: {} })).toBe('settings.nanogrid.worker: unknown setting. Did you mean "workers"?');
      expect(complaint({ data: { redis: { replica: 1 } } })).toBe(
        'settings.nanogrid.data.redis.replica: unknown setting. Did you mean "replicas"?',
      );
      expect(complaint({ network: { subnets: { public1: { cdir: "10.0.1.0/24" } } } })).toBe(
        'settings.nanogrid.network.subnets.public1.cdir: unknown setting. Did you mean "cidr"?',
      );
    });

    test("an unknown setting that resembles none lists what is known there", () => {
      expect(complaint({ data: { redis: { password: "hunter2" } } })).toBe(
        "settings.nanogrid.data.redis.password: unknown setting. Remove it; known here: nodeType, engineVersion, replicas, port.",
      );
    });

    test.each([
      ["null", null],
      ["a list", []],
      ["text", "dev"],
    ])("a section that is %s is refused", (_, section) => {
      expect(complaints(section)[0]).toMatch(/^cdktf\.json, environment "dev": 1 setting is wrong\.$/);
    });
  });

  describe("values that only together are wrong", () => {
    test("max below min", () => {
      expect(complaint({ workers: { max: 1 } })).toBe(
        "settings.nanogrid.workers.max: 1 is below min (2). Raise max or lower min in cdktf.json.",
      );
    });

    test.each([
      [1, 2, 5],
      [6, 2, 5],
    ])("desired %i outside of %i to %i", (desired, min, max) => {
      expect(complaint({ workers: { desired, min, max } })).toMatch(
        new RegExp(
          `^settings\\.nanogrid\\.workers\\.desired: ${desired} is outside of min \\(${min}\\) to max \\(${max}\\)\\.`,
        ),
      );
    });

    test("subnets that overlap", () => {
      expect(complaint({ network: { subnets: { privateApp: { cidr: "10.0.20.128/25" } } } })).toBe(
        "settings.nanogrid.network.subnets.privateData1.cidr: 10.0.20.0/24 overlaps subnets.privateApp (10.0.20.128/25). " +
          "Give each subnet a range of its own.",
      );
    });

    test("a subnet outside of the VPC", () => {
      expect(complaint({ network: { subnets: { public2: { cidr: "10.1.2.0/24" } } } })).toBe(
        "settings.nanogrid.network.subnets.public2.cidr: 10.1.2.0/24 is outside of the VPC's 10.0.0.0/16. Choose a range inside it.",
      );
    });

    test("a retention that CloudWatch does not offer", () => {
      expect(complaint({ workers: { logRetentionDays: 31 } })).toMatch(
        /^settings\.nanogrid\.workers\.logRetentionDays: 31 is wrong/,
      );
    });
  });

  describe("limits of the clouds", () => {
    test.each<[string, object]>([
      ["an idle timeout over 4,000 s", { controllers: { idleTimeoutSeconds: 4001 } }],
      ["a synchronous wait over 3,500 s", { controllers: { syncMaxWaitSeconds: 3501 } }],
      ["a deregistration delay over 3,600 s", { controllers: { deregistrationDelaySeconds: 3601 } }],
      ["a visibility timeout over 12 h", { data: { queue: { visibilityTimeoutSeconds: 43_201 } } }],
      ["a retention over 14 days", { data: { queue: { retentionSeconds: 1_209_601 } } }],
      ["an instance type that is none", { workers: { instanceType: "small" } }],
      ["an AMI id that is none", { controllers: { amiId: "latest" } }],
      ["a certificate that is none", { controllers: { certificateArn: "arn:aws:iam::1:server-certificate/x" } }],
      ["a model name with a space", { ai: { models: ["llama 3"] } }],
      ["a model name with a quote", { ai: { models: ['x"; rm -rf /'] } }],
      ["an address that is none", { ai: { privateIp: "10.0.20.300" } }],
      ["an e-mail address that is none", { observability: { alarmEmails: ["ops"] } }],
      ["a suffix in capitals", { data: { bucketSuffix: "ACME" } }],
    ])("%s is refused", (_, nanogrid) => {
      expect(complaint(nanogrid)).toMatch(/is wrong: expected /);
    });
  });

  describe("the environment", () => {
    test("an unknown one names those that there are", () => {
      expect(() => parseSettings({ dev: REQUIRED, prod: REQUIRED }, "production")).toThrow(
        'ENVIRONMENT: "production" is not an environment of cdktf.json (known: dev, prod). ' +
          "Set ENVIRONMENT to one of them, or add context.environments.production.",
      );
    });

    test.each([undefined, null, "dev", ["dev"]])(
      "a cdktf.json whose environments are %p says where they belong",
      (environments) => {
        expect(() => parseSettings(environments, "dev")).toThrow(
          "cdktf.json: context.environments is missing. Add it with one section per environment, e.g. dev.",
        );
      },
    );

    const given = process.env.ENVIRONMENT;

    afterEach(() => {
      if (given === undefined) {
        delete process.env.ENVIRONMENT;
      } else {
        process.env.ENVIRONMENT = given;
      }
    });

    test("is dev unless ENVIRONMENT says otherwise", () => {
      const environments = { dev: REQUIRED, prod: { ...REQUIRED, owner: "somebody else" } };
      const app = Testing.app({ outdir: runFolder(), context: { environments } });
      delete process.env.ENVIRONMENT;
      expect(readSettings(app)).toMatchObject({ environment: "dev", owner: "platform" });
      process.env.ENVIRONMENT = "prod";
      expect(readSettings(app)).toMatchObject({ environment: "prod", owner: "somebody else" });
    });

    test("ends synth with the sentence alone when it is wrong: no stack trace, exit code 1", () => {
      const { status, stderr } = spawnSync(process.execPath, ["--import", "tsx", "main.ts"], {
        env: { ...process.env, ENVIRONMENT: "nope", CDKTF_OUTDIR: runFolder(), CDKTF_CONTEXT_JSON: undefined },
        encoding: "utf8",
        timeout: 30_000,
      });
      expect(stderr.trim()).toBe(
        'ENVIRONMENT: "nope" is not an environment of cdktf.json (known: dev, prod, local). ' +
          "Set ENVIRONMENT to one of them, or add context.environments.nope.",
      );
      expect(status).toBe(1);
    });

    test("comes from the file where no CLI hands it over", () => {
      const folder = mkdtempSync(join(tmpdir(), "settings-"));
      const file = join(folder, "cdktf.json");
      writeFileSync(file, JSON.stringify({ context: { environments: { stage: { ...REQUIRED, owner: "file" } } } }));
      try {
        expect(loadSettings("stage", file)).toMatchObject({ environment: "stage", owner: "file" });
        expect(() => loadSettings("prod", file)).toThrow("known: stage");
      } finally {
        rmSync(folder, { recursive: true, force: true });
      }
    });
  });
});
