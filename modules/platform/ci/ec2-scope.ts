/** How EC2 actions are bounded: ids are AWS's, so that tags say what is the project's. */
import { EVERYTHING, type Row, read, type Scope, type TypeActions, write } from "./scope";

const OUR_TAGS = ["project", "environment"] as const;

/** EC2 resources that carry this project's and environment's tags. */
export const TAGGED: Scope = {
  label: "Tagged",
  arns: ["ec2:{region}:{account}:*"],
  conditions: OUR_TAGS.map((tag) => ({
    test: "StringEquals",
    variable: `aws:ResourceTag/${tag}`,
    values: [`{${tag}}`],
  })),
  reason: "ids are AWS's: the tags bound them",
};

/** EC2 resources that are made with this project's and environment's tags. */
export function created(...types: string[]): Scope {
  return {
    label: "New",
    arns: types.map((type) => `ec2:{region}:{account}:${type}/*`),
    conditions: OUR_TAGS.map((tag) => ({
      test: "StringEquals",
      variable: `aws:RequestTag/${tag}`,
      values: [`{${tag}}`],
    })),
    reason: "ids are AWS's: the tags that they are made with bound them",
  };
}

/** Tags of what is this project's already. */
export const TAGS: Row = write(TAGGED, "ec2:CreateTags", "ec2:DeleteTags");

/**
 * A type of EC2: its tags are set as it is made, and bound what may be changed.
 *
 * @param resource IAM's name of the resource
 * @param create the action that makes it
 * @param describe what a refresh calls
 * @param change what is called on this project's resources; the creating action too, where it names a resource that is there already
 */
export function tagged(
  resource: string,
  create: string,
  describe: readonly string[],
  change: readonly string[],
): TypeActions {
  return {
    rows: [
      read(EVERYTHING, ...describe),
      write(created(resource), create),
      write(createdBy(create), "ec2:CreateTags"),
      write(TAGGED, ...change),
      TAGS,
    ],
  };
}

/** Tags of what an action makes: EC2 asks for both permissions. */
export function createdBy(action: string): Scope {
  return {
    label: "TagsOfNew",
    arns: ["ec2:{region}:{account}:*"],
    conditions: [{ test: "StringEquals", variable: "ec2:CreateAction", values: [action.replace("ec2:", "")] }],
    reason: "ids are AWS's, and only what is made just now is meant",
  };
}
