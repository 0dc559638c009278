"""Product inference: embeddings and attributes of product texts, in batches on a GPU."""
