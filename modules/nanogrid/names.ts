/** Physical names that more than one of NanoGrid's stacks must know before the other exists. */

/** The workers' role: the archive trusts it, the workers' stack creates it. */
export const WORKER_ROLE = "nanogrid_worker_role";
/** The hook at which a worker that must go drains: the group has it, and its program completes it. */
export const DRAIN_HOOK = "drain";
/** The workers' auto-scaling group: its role may act on it, and its launch template comes first. */
export const WORKER_GROUP = "nanogrid-worker-asg";
