/** How PM2 runs the controller: one process, from the bundle beside this file. Settings come from PM2's own environment. */
module.exports = {
  apps: [
    {
      name: "controller",
      script: "controller.js",
      cwd: __dirname,
      exec_mode: "fork",
      instances: 1,
      // SHUTDOWN_GRACE_S (25 s), then 3 s for the last answers, then room.
      kill_timeout: 35_000,
      // A controller that cannot start waits longer each time, up to 15 s, and never gives up.
      exp_backoff_restart_delay: 200,
      max_memory_restart: "1200M",
    },
  ],
};
