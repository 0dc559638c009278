"""The Music pipeline: transcribe, classify, N candidates side by side, collect. Kubeflow Pipelines runs it."""
