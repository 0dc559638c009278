/** Buckets of Google Cloud without a way in for the public. */
import { isTrue, strings } from "../json";
import type { Rule } from "../rule";

const EVERYONE = ["allUsers", "allAuthenticatedUsers"];

export const gcsBucketsArePrivate: Rule = {
  id: "gcs-buckets-are-private",
  title:
    "Buckets of Google Cloud have one kind of access rules and prevent public access, and nobody unnamed is a member.",
  reason: "One member called allUsers, or an ACL of one object, would show it to everyone.",
  remedy:
    'Use constructs/archive-bucket.ts, or set uniform_bucket_level_access and public_access_prevention = "enforced".',
  types: /^google_(storage_bucket|.*_iam_(member|binding))$/,
  check: ({ type, body }) => {
    if (type !== "google_storage_bucket") {
      const open = [...strings(body.member), ...strings(body.members)].filter((member) => EVERYONE.includes(member));
      return open.length === 0 ? undefined : `${open.join(", ")} may use it`;
    }
    const found = [
      ...(isTrue(body.uniform_bucket_level_access) ? [] : ["uniform_bucket_level_access is off"]),
      ...(body.public_access_prevention === "enforced" ? [] : ["public access is not prevented"]),
    ];
    return found.length === 0 ? undefined : found.join(", ");
  },
};
