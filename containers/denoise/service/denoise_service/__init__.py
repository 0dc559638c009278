"""The Denoise service's API. One process takes requests, reads and checks images, and lets Triton do the arithmetic."""
