/** The way in to Denoise: an HTTP API, the function that presigns, and the VPC link to the service. */
import type { Construct } from "constructs";
import { HttpApi } from "../../constructs/http-api";
import { NodeFunction } from "../../constructs/node-function";
import { presignArtifact } from "../../lambdas/presign/artifact";
import { presignStatements } from "../../lambdas/presign/permissions";
import { authorizerOf } from "../platform/api-settings";
import { contract, type ValuesOf } from "../platform/contract";
import { PlatformStack } from "../platform/platform-stack";
import type { Settings } from "../platform/settings";
import { apiAlarms } from "./alarms";
import { API, PRESIGN_FUNCTION } from "./names";
import { service } from "./service";
import { storage } from "./storage";

export const api = contract("denoise-api", {
  apiId: "Id of ddn-presign-api",
  apiUrl: "URL of ddn-presign-api",
  presignFunctionName: "Function behind GET /presign: DDN_LAMBDA_FUNC_NAME",
  presignLogGroup: "Log group of that function",
  accessLogGroup: "Access log of the API",
});

const PRESIGN_MEMORY_MIB = 256;
const PRESIGN_TIMEOUT_SECONDS = 10;
const PAGE = "The page is the same for everyone and holds no data: what it calls asks who is there.";
const STAND_INS = "Only stand-ins have no authorizer: settings refuse it elsewhere.";

type Stored = ValuesOf<typeof storage>;

export class DenoiseApi extends PlatformStack {
  constructor(scope: Construct, settings: Settings) {
    super(scope, api.stack, settings);
    const { api: own, corsOrigins } = settings.denoise;
    const stored = this.read(storage);
    const running = this.read(service);
    const presign = this.createPresign(stored);
    const front = new HttpApi(this, "api", {
      name: API,
      description: "Denoise: presigned URLs and inference",
      authorizer: authorizerOf(own),
      openReason: own.authorizer === "none" ? STAND_INS : undefined,
      corsOrigins,
      requestsPerSecond: own.requestsPerSecond,
      burst: own.burst,
      logRetentionDays: own.logRetentionDays,
    });
    front.route("get-presign", "GET /presign", front.toFunction("presign-integration", presign));
    const link = {
      name: "ddn-link",
      subnetIds: running.subnetIds,
      securityGroupIds: [running.linkSecurityGroupId],
    };
    const tasks = front.toListener("service", link, running.listenerArn);
    front.route("post-inference", "POST /inference", tasks);
    front.route("get-inference", "GET /inference/{id}", tasks);
    front.route("get-ping", "GET /ping", tasks);
    if (own.page) {
      front.route("get-page", "GET /", tasks, { openReason: PAGE });
      front.route("get-page-files", "GET /page/{proxy+}", tasks, { openReason: PAGE });
    }
    apiAlarms(this, settings, { topicArn: stored.alarmTopicArn, apiId: front.id, functionName: presign.name });
    this.publish(api, {
      apiId: front.id,
      apiUrl: front.url,
      presignFunctionName: presign.name,
      presignLogGroup: presign.logGroupName,
      accessLogGroup: front.logGroupName,
    });
  }

  private createPresign(stored: Stored): NodeFunction {
    const { api: own } = this.settings.denoise;
    return new NodeFunction(this, "presign", {
      name: PRESIGN_FUNCTION,
      description: "Presigned URLs for uploads and downloads of Denoise",
      roleName: "ddn_presign_role",
      bundle: presignArtifact(),
      handler: "handler.handler",
      environment: {
        DDN_IN_BUCKET: stored.inBucket,
        DDN_OUT_BUCKET: stored.outBucket,
        DDN_MAX_UPLOAD_BYTES: String(own.maxUploadBytes),
        DDN_URL_SECONDS: String(own.urlSeconds),
      },
      statements: presignStatements({ inBucketArn: stored.inBucketArn, outBucketArn: stored.outBucketArn }),
      memoryMib: PRESIGN_MEMORY_MIB,
      timeoutSeconds: PRESIGN_TIMEOUT_SECONDS,
      reservedConcurrency: own.presignConcurrency,
      logRetentionDays: own.logRetentionDays,
    });
  }
}
