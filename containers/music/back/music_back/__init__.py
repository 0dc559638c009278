"""The back of the Music pipeline: upload, start, status, candidates, download."""
