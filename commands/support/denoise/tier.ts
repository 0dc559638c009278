/** The Denoise service as a tier of tasks on GPU instances. */
import * as names from "../../../modules/denoise/names";
import { tierOf } from "../ecs-tier/tier";

export const DENOISE = tierOf(names, {
  stack: "denoise-service",
  pausedParameter: "/denoise/paused",
  command: "npm run denoise --",
  pages: {
    pause: "denoise-pause",
    unhealthy: "denoise-unhealthy",
    notReady: "denoise-triton-not-ready",
    rollout: "denoise-rollout",
  },
  stays: [
    "the internal load balancer, by the hour",
    "NAT gateway or VPC endpoints of the Denoise VPC, by the hour",
    "objects in the buckets and images in ECR, by the gigabyte",
    "log groups, alarms and the HTTP API: next to nothing without requests",
  ],
});
