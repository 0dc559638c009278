"""Makes the model of ML-XGBoost, from a seed: data, training, metrics on held-out rows, and the files of the image."""
