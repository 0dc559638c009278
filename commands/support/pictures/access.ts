/** Who may read and write what: the statements of IAM policies, in the words of a picture. */
import { parse } from "@cdktf/hcl2json";

/** What a statement allows on one resource. */
export interface Access {
  /** The ARN as the policy has it, with references. */
  readonly resource: string;
  /** Words such as `read` and `write`; none for actions that move no data. */
  readonly words: readonly Word[];
}

/** What is done with the data of a resource. */
export type Word = "receive" | "send" | "read" | "write" | "start" | "use";

/** Words whose data flows from the resource to whoever has the role. */
export const INWARD: ReadonlySet<Word> = new Set<Word>(["receive", "read"]);

interface Statement {
  readonly Effect: string;
  readonly Action?: string | readonly string[];
  readonly Resource?: string | readonly string[];
  readonly Principal?: unknown;
}

const JSON_ENCODED = /^\$\{jsonencode\((.*)\)\}$/s;
/** Actions that say something about a resource and carry none of its data. */
const ABOUT =
  /^(?:sqs:GetQueue\w+|sqs:ListMessageMoveTasks|s3:ListBucket\w*|s3:GetBucket\w+|dynamodb:DescribeTable|elasticache:Connect)$/;
/** The first word that an action's name begins with. */
const WORDS: readonly (readonly [RegExp, Word])[] = [
  [/^sqs:(?:Receive|DeleteMessage|ChangeMessageVisibility)/, "receive"],
  [/^(?:sqs:(?:Send|StartMessageMove)|sns:Publish|ses:Send)/, "send"],
  [/^(?:lambda|states|ecs|batch):(?:Invoke|Start|Run)/, "start"],
  [/^\w+:(?:Batch(?:Get|Check)|Get|List|Describe|Query|Scan|Head|Select|Download)/, "read"],
  [/^\w+:(?:Batch)?(?:Put|Update|Write|Delete|Create|Transact|Abort|Complete|Upload|Tag|Initiate)/, "write"],
];

/** What an action does with data, or undefined where it moves none. */
export function wordOf(action: string): Word | undefined {
  if (ABOUT.test(action)) {
    return undefined;
  }
  return WORDS.find(([pattern]) => pattern.test(action))?.[1] ?? "use";
}

/** What a policy allows, one entry for a resource of each statement. @param policy a document, or `jsonencode` of one */
export async function accessOf(policy: unknown): Promise<Access[]> {
  return (await statementsOf(policy))
    .filter(({ Effect }) => Effect === "Allow")
    .flatMap(({ Action, Resource }) => {
      const words = new Set(listOf(Action).flatMap((action) => wordOf(action) ?? []));
      return listOf(Resource).map((resource) => ({ resource, words: [...words] }));
    });
}

/** The services or identities that a trust policy names. */
export async function trustedBy(policy: unknown): Promise<string> {
  return JSON.stringify((await statementsOf(policy)).map(({ Principal }) => Principal));
}

async function statementsOf(policy: unknown): Promise<readonly Statement[]> {
  if (typeof policy !== "string") {
    return [];
  }
  const [, inner] = JSON_ENCODED.exec(policy) ?? [];
  const document =
    inner === undefined ? plain(policy) : ((await parse("policy.tf", `value = ${inner}`)).value as object);
  const { Statement = [] } = document as { Statement?: Statement | readonly Statement[] };
  return [Statement].flat();
}

/** A policy that is no expression; one that is another expression has no statements to show. */
function plain(policy: string): object {
  return policy.trimStart().startsWith("{") ? (JSON.parse(policy) as object) : {};
}

function listOf(value: string | readonly string[] | undefined): readonly string[] {
  return value === undefined ? [] : [value].flat();
}
