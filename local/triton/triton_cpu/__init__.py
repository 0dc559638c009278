"""NVIDIA's Triton server from its PyPI package, with ONNX Runtime on this machine's processor behind its models."""
