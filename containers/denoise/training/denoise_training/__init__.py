"""Makes the Denoise service's models: data, noise, networks, training, export to ONNX and their evaluation."""
