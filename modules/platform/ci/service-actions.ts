/** What Terraform calls for ECS services, Lambda functions and HTTP APIs. */
import {
  type ActionTable,
  EVERYTHING,
  fixed,
  NAME,
  named,
  read,
  type Scope,
  serviceLinkedRole,
  type TypeActions,
  write,
} from "./scope";

const CLUSTERS = named("Clusters", `ecs:{region}:{account}:cluster/${NAME}*`);
const SERVICES = named("Services", `ecs:{region}:{account}:service/${NAME}*/*`);
const CAPACITY = named("Capacity", `ecs:{region}:{account}:capacity-provider/${NAME}*`);
const TASK_DEFINITIONS = named("TaskDefinitions", `ecs:{region}:{account}:task-definition/${NAME}*`);
const SCALABLE_TARGETS = fixed(
  "ScalableTargets",
  "ids are AWS's, and what is scaled is a service of ECS, bounded by its own name",
  "application-autoscaling:{region}:{account}:scalable-target/*",
);
const FUNCTIONS = named("Functions", `lambda:{region}:{account}:function:${NAME}*`);
/** Ids of mappings are Lambda's; what each calls is a function, which a name of the project begins. */
const EVENT_SOURCES = fixed(
  "EventSources",
  "ids of mappings are Lambda's to choose",
  "lambda:{region}:{account}:event-source-mapping:*",
);
const OF_OUR_FUNCTIONS = [
  { test: "ArnLike", variable: "lambda:FunctionArn", values: [`arn:aws:lambda:{region}:{account}:function:${NAME}*`] },
];
const OUR_EVENT_SOURCES: Scope = { ...EVENT_SOURCES, label: "OurEventSources", conditions: OF_OUR_FUNCTIONS };
const NEW_EVENT_SOURCES: Scope = {
  label: "NewEventSources",
  arns: ["*"],
  conditions: OF_OUR_FUNCTIONS,
  reason: "AWS defines no resource for making a mapping: its function bounds it",
};
/** Ids of APIs are AWS's, and API Gateway knows requests by their paths only. */
const APIS = fixed(
  "Apis",
  "ids are AWS's, and API Gateway bounds its HTTP methods by paths alone",
  ...["", "/*"].map((end) => `apigateway:{region}::/apis${end}`),
  ...["", "/*"].map((end) => `apigateway:{region}::/vpclinks${end}`),
  "apigateway:{region}::/tags/*",
);

const API_CALLS: TypeActions = {
  rows: [
    read(APIS, "apigateway:GET"),
    write(APIS, "apigateway:DELETE", "apigateway:PATCH", "apigateway:POST", "apigateway:PUT"),
  ],
};

export const SERVICE_ACTIONS: ActionTable = {
  aws_ecs_cluster: {
    name: "name",
    rows: [
      read(CLUSTERS, "ecs:DescribeClusters", "ecs:ListTagsForResource"),
      write(
        CLUSTERS,
        "ecs:CreateCluster",
        "ecs:DeleteCluster",
        "ecs:TagResource",
        "ecs:UntagResource",
        "ecs:UpdateCluster",
        "ecs:UpdateClusterSettings",
      ),
      serviceLinkedRole("ecs.amazonaws.com"),
    ],
  },
  aws_ecs_cluster_capacity_providers: {
    rows: [read(CLUSTERS, "ecs:DescribeClusters"), write(CLUSTERS, "ecs:PutClusterCapacityProviders")],
  },
  aws_ecs_capacity_provider: {
    name: "name",
    rows: [
      read(CAPACITY, "ecs:DescribeCapacityProviders", "ecs:ListTagsForResource"),
      write(
        CAPACITY,
        "ecs:CreateCapacityProvider",
        "ecs:DeleteCapacityProvider",
        "ecs:TagResource",
        "ecs:UntagResource",
        "ecs:UpdateCapacityProvider",
      ),
      // ECS scales by a plan of its own, which it makes with the caller's permission.
      write(
        EVERYTHING,
        "autoscaling-plans:CreateScalingPlan",
        "autoscaling-plans:DeleteScalingPlan",
        "autoscaling-plans:DescribeScalingPlans",
      ),
      serviceLinkedRole("autoscaling-plans.amazonaws.com"),
    ],
  },
  aws_ecs_task_definition: {
    name: "family",
    rows: [
      read(EVERYTHING, "ecs:DescribeTaskDefinition"),
      read(TASK_DEFINITIONS, "ecs:ListTagsForResource"),
      write(EVERYTHING, "ecs:DeregisterTaskDefinition"),
      write(TASK_DEFINITIONS, "ecs:RegisterTaskDefinition", "ecs:TagResource", "ecs:UntagResource"),
    ],
  },
  aws_ecs_service: {
    name: "name",
    rows: [
      read(SERVICES, "ecs:DescribeServices", "ecs:ListTagsForResource"),
      write(
        SERVICES,
        "ecs:CreateService",
        "ecs:DeleteService",
        "ecs:TagResource",
        "ecs:UntagResource",
        "ecs:UpdateService",
      ),
    ],
  },
  aws_appautoscaling_target: {
    rows: [
      read(EVERYTHING, "application-autoscaling:DescribeScalableTargets"),
      read(SCALABLE_TARGETS, "application-autoscaling:ListTagsForResource"),
      write(
        SCALABLE_TARGETS,
        "application-autoscaling:DeregisterScalableTarget",
        "application-autoscaling:RegisterScalableTarget",
        "application-autoscaling:TagResource",
        "application-autoscaling:UntagResource",
      ),
      serviceLinkedRole("ecs.application-autoscaling.amazonaws.com"),
    ],
  },
  aws_appautoscaling_policy: {
    rows: [
      read(EVERYTHING, "application-autoscaling:DescribeScalingPolicies"),
      write(
        SCALABLE_TARGETS,
        "application-autoscaling:DeleteScalingPolicy",
        "application-autoscaling:PutScalingPolicy",
      ),
    ],
  },
  aws_lambda_function: {
    name: "function_name",
    rows: [
      read(
        FUNCTIONS,
        "lambda:GetFunction",
        "lambda:GetFunctionCodeSigningConfig",
        "lambda:GetFunctionConfiguration",
        "lambda:GetRuntimeManagementConfig",
        "lambda:ListTags",
        "lambda:ListVersionsByFunction",
      ),
      write(
        FUNCTIONS,
        "lambda:CreateFunction",
        "lambda:DeleteFunction",
        "lambda:DeleteFunctionConcurrency",
        "lambda:PutFunctionConcurrency",
        "lambda:TagResource",
        "lambda:UntagResource",
        "lambda:UpdateFunctionCode",
        "lambda:UpdateFunctionConfiguration",
      ),
      // Lambda looks at a function's VPC in the name of who makes it.
      write(EVERYTHING, "ec2:DescribeSecurityGroups", "ec2:DescribeSubnets", "ec2:DescribeVpcs"),
    ],
  },
  aws_lambda_permission: {
    rows: [read(FUNCTIONS, "lambda:GetPolicy"), write(FUNCTIONS, "lambda:AddPermission", "lambda:RemovePermission")],
  },
  aws_lambda_event_source_mapping: {
    rows: [
      read(OUR_EVENT_SOURCES, "lambda:GetEventSourceMapping"),
      read(EVENT_SOURCES, "lambda:ListTags"),
      write(NEW_EVENT_SOURCES, "lambda:CreateEventSourceMapping"),
      write(OUR_EVENT_SOURCES, "lambda:DeleteEventSourceMapping", "lambda:UpdateEventSourceMapping"),
      write(EVENT_SOURCES, "lambda:TagResource", "lambda:UntagResource"),
    ],
  },
  aws_lambda_function_url: {
    rows: [
      read(FUNCTIONS, "lambda:GetFunctionUrlConfig"),
      write(
        FUNCTIONS,
        "lambda:CreateFunctionUrlConfig",
        "lambda:DeleteFunctionUrlConfig",
        "lambda:UpdateFunctionUrlConfig",
      ),
    ],
  },
  aws_apigatewayv2_api: API_CALLS,
  aws_apigatewayv2_authorizer: API_CALLS,
  aws_apigatewayv2_integration: API_CALLS,
  aws_apigatewayv2_route: API_CALLS,
  aws_apigatewayv2_stage: {
    rows: [
      ...API_CALLS.rows,
      // Access logs are delivered by CloudWatch, at the caller's order.
      write(
        EVERYTHING,
        "logs:CreateLogDelivery",
        "logs:DeleteLogDelivery",
        "logs:DescribeResourcePolicies",
        "logs:GetLogDelivery",
        "logs:ListLogDeliveries",
        "logs:PutResourcePolicy",
        "logs:UpdateLogDelivery",
      ),
      serviceLinkedRole("ops.apigateway.amazonaws.com"),
    ],
  },
  aws_apigatewayv2_vpc_link: {
    rows: [
      ...API_CALLS.rows,
      // The link's network interfaces are made by API Gateway's own role, which asks what the caller may see.
      read(EVERYTHING, "ec2:DescribeSecurityGroups", "ec2:DescribeSubnets", "ec2:DescribeVpcs"),
    ],
  },
};
