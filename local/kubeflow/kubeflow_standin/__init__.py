"""A stand-in of Kubeflow Pipelines' API: it runs what it is given with the SDK's local runner, on this machine."""
