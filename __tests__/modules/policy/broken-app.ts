/** An app whose two stacks break the policy, for a test that synthesizes it as the CDKTF CLI would. */
import { CloudwatchLogGroup } from "@cdktf/provider-aws/lib/cloudwatch-log-group";
import { SqsQueue } from "@cdktf/provider-aws/lib/sqs-queue";
import { App } from "cdktf";
import { PlatformStack } from "../../../modules/platform/platform-stack";
import { loadSettings } from "../../../modules/platform/settings";

class Broken extends PlatformStack {}

const app = new App();
const settings = loadSettings("dev");
new CloudwatchLogGroup(new Broken(app, "first", settings), "logs", { name: "logs" });
new SqsQueue(new Broken(app, "second", settings), "queue", { name: "queue" });
app.synth();
