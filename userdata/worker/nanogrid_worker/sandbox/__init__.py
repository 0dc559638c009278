"""The sandbox: one hardened container per run, and what is said with the runner inside."""
