"""NanoGrid's worker: takes jobs from the queue and runs each function in a sandbox of its own."""

__version__ = "0.1.0"
