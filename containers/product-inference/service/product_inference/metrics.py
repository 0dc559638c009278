"""What the service counts, for GET /metrics."""

from prometheus_client import Counter, Gauge, Histogram

_SECONDS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20)
_ITEMS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024)

REQUESTS = Counter("product_inference_requests", "Requests, by endpoint and status", ["endpoint", "status"])
REQUEST_SECONDS = Histogram("product_inference_request_seconds", "Time of a request", ["endpoint"], buckets=_SECONDS)
ITEMS = Counter("product_inference_items", "Texts and products that were answered", ["endpoint"])
BATCH_ITEMS = Histogram("product_inference_batch_items", "Texts that ran together", buckets=_ITEMS)
QUEUE_WAIT_SECONDS = Histogram(
    "product_inference_queue_wait_seconds", "Time that a text waited for its run", buckets=_SECONDS
)
INFERENCE_SECONDS = Histogram("product_inference_inference_seconds", "Time of a run of the model", buckets=_SECONDS)
TOKENS = Counter("product_inference_tokens", "Tokens that ran: of texts, and padding between them", ["kind"])
TRUNCATED = Counter("product_inference_truncated", "Texts of which the model read the beginning only")
FAILED_ITEMS = Counter("product_inference_failed_items", "Texts that the model failed on, however they were run")
REFUSED = Counter("product_inference_refused", "Requests that found no place in the queue")
QUEUE_ITEMS = Gauge("product_inference_queue_items", "Texts that wait for their run")
