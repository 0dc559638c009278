"""The sandbox: hardened containers, the pool that they wait in, and what is said with the runner inside."""
