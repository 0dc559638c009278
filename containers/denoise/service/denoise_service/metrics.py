"""What the service counts, for GET /metrics."""

from prometheus_client import Counter, Gauge, Histogram

REQUESTS = Counter("denoise_requests", "Images, by how they ended", ["model", "status"])
STEP_SECONDS = Histogram(
    "denoise_step_seconds",
    "Time of a step of an image",
    ["step"],
    buckets=(0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30, 100, 300, 1000),
)
PIXELS = Counter("denoise_pixels", "Pixels of images that were denoised", ["model"])
TILES = Counter("denoise_tiles", "Tiles that Triton ran", ["model"])
TRITON_FAILURES = Counter("denoise_triton_failures", "Tiles that Triton gave no result for, however often asked")
REFUSED = Counter("denoise_refused", "Requests that found no place in the queue")
RUNNING = Gauge("denoise_running", "Images that are worked on")
WAITING = Gauge("denoise_waiting", "Images that wait for their turn")
