/** Every rule, in the order of their names. */
import type { Rule } from "../rule";
import { alarmsSayWhatToDo } from "./alarms-say-what-to-do";
import { dataIsProtected } from "./data-is-protected";
import { dataStoresAreEncrypted } from "./data-stores-are-encrypted";
import { databasesCanBeRestored } from "./databases-can-be-restored";
import { defaultSecurityGroupsAreClosed } from "./default-security-groups-are-closed";
import { ecsServicesHavePrivateAddresses } from "./ecs-services-have-private-addresses";
import { ecsTasksAreConfined } from "./ecs-tasks-are-confined";
import { eksClustersAreClosed } from "./eks-clusters-are-closed";
import { gcsBucketsArePrivate } from "./gcs-buckets-are-private";
import { iamNoLongLivedKeys } from "./iam-no-long-lived-keys";
import { iamNoWildcardAction } from "./iam-no-wildcard-action";
import { iamNoWildcardResource } from "./iam-no-wildcard-resource";
import { iamPermissionsAreWrittenOut } from "./iam-permissions-are-written-out";
import { iamPoliciesCanBeRead } from "./iam-policies-can-be-read";
import { iamPrincipalsAreNamed } from "./iam-principals-are-named";
import { imagesNeverChange } from "./images-never-change";
import { imdsV2HopLimit1 } from "./imds-v2-hop-limit-1";
import { lambdaCallersAreNamed } from "./lambda-callers-are-named";
import { lambdaFailuresAreKept } from "./lambda-failures-are-kept";
import { lambdaLogsExpire } from "./lambda-logs-expire";
import { loadBalancersDropInvalidHeaders } from "./load-balancers-drop-invalid-headers";
import { logGroupsExpire } from "./log-groups-expire";
import { noIngressFromTheWorld } from "./no-ingress-from-the-world";
import { noSecretsInEnvironment } from "./no-secrets-in-environment";
import { noSecretsInState } from "./no-secrets-in-state";
import { queuesHaveDeadLetters } from "./queues-have-dead-letters";
import { s3BucketsAreEncrypted } from "./s3-buckets-are-encrypted";
import { s3BucketsArePrivate } from "./s3-buckets-are-private";
import { securityGroupRulesStandAlone } from "./security-group-rules-stand-alone";
import { stateIsEncryptedAndLocked } from "./state-is-encrypted-and-locked";
import { tls12OrNewer } from "./tls-1-2-or-newer";
import { tlsOnly } from "./tls-only";
import { volumesAreEncrypted } from "./volumes-are-encrypted";
import { vpcsLogTheirFlows } from "./vpcs-log-their-flows";

export const RULES: readonly Rule[] = [
  alarmsSayWhatToDo,
  dataIsProtected,
  dataStoresAreEncrypted,
  databasesCanBeRestored,
  defaultSecurityGroupsAreClosed,
  ecsServicesHavePrivateAddresses,
  ecsTasksAreConfined,
  eksClustersAreClosed,
  gcsBucketsArePrivate,
  iamNoLongLivedKeys,
  iamNoWildcardAction,
  iamNoWildcardResource,
  iamPermissionsAreWrittenOut,
  iamPoliciesCanBeRead,
  iamPrincipalsAreNamed,
  imagesNeverChange,
  imdsV2HopLimit1,
  lambdaCallersAreNamed,
  lambdaFailuresAreKept,
  lambdaLogsExpire,
  loadBalancersDropInvalidHeaders,
  logGroupsExpire,
  noIngressFromTheWorld,
  noSecretsInEnvironment,
  noSecretsInState,
  queuesHaveDeadLetters,
  s3BucketsAreEncrypted,
  s3BucketsArePrivate,
  securityGroupRulesStandAlone,
  stateIsEncryptedAndLocked,
  tls12OrNewer,
  tlsOnly,
  volumesAreEncrypted,
  vpcsLogTheirFlows,
];
