/** The GPU tier of the inference cluster, as its commands know it. */
import * as names from "../../../modules/inference/names";
import { tierOf } from "../ecs-tier/tier";

export const INFERENCE = tierOf(names, {
  stack: "inference-gpu",
  pausedParameter: "/inference/paused",
  command: "npm run inference --",
  pages: {
    pause: "inference-gpu-pause",
    unhealthy: "inference-gpu-unhealthy",
    notReady: "inference-gpu-unhealthy",
    rollout: "inference-gpu-deploy",
  },
  stays: [
    "the internal load balancer, by the hour",
    "NAT gateway or VPC endpoints of the inference VPC, by the hour",
    "the database in MongoDB Atlas, by the hour",
    "images in ECR, by the gigabyte",
    "log groups, alarms, functions and the HTTP API: next to nothing without requests",
  ],
});
