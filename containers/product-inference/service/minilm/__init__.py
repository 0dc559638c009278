"""The model of tests and of local runs: all-MiniLM-L6-v2, as a folder that the service loads."""
