"""The live log: what a run prints, in Redis while it prints it. The result has the log in any case."""

import codecs
import json
import threading

import redis

from nanogrid_worker.teller import Teller

MAX_ATTEMPT_BYTES = 1024 * 1024
BATCH_BYTES = 64 * 1024
BATCH_S = 0.1
_TTL_S = 24 * 3600


class LiveLog:
    """The live log of one attempt of a job.

    Bytes are gathered for BATCH_S and told in batches of whole characters; what is no UTF-8 becomes U+FFFD. What Redis
    does not take is lost, and so is what an attempt prints beyond MAX_ATTEMPT_BYTES.
    """

    def __init__(self, teller: Teller, job_id: str, attempt: int) -> None:
        self._teller = teller
        self._job_id = job_id
        self._attempt = attempt
        self._lock = threading.Lock()
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._waiting = bytearray()
        self._taken = 0
        self._due_in_s = float("inf")

    def write(self, data: bytes) -> None:
        """Takes what was printed. Never waits for Redis."""
        with self._lock:
            data = data[: MAX_ATTEMPT_BYTES - self._taken]
            self._taken += len(data)
            self._waiting += self._decoder.decode(data).encode()
        self._tell_within(0.0 if len(self._waiting) >= BATCH_BYTES else BATCH_S)

    def close(self) -> None:
        """Has the rest told, before whatever is told after."""
        with self._lock:
            self._waiting += self._decoder.decode(b"", final=True).encode()
        self._tell_within(0.0)

    def _tell_within(self, seconds: float) -> None:
        with self._lock:
            if self._teller.is_failing:
                self._waiting.clear()
            if not self._waiting or seconds >= self._due_in_s:
                return
            self._due_in_s = seconds
        self._teller.soon(self._tell, seconds)

    def _tell(self, client: redis.Redis) -> None:
        with self._lock:
            waiting, self._waiting, self._due_in_s = bytes(self._waiting), bytearray(), float("inf")
        while waiting:
            size = _whole(waiting)
            self._tell_batch(client, waiting[:size])
            waiting = waiting[size:]

    def _tell_batch(self, client: redis.Redis, batch: bytes) -> None:
        key = f"nanogrid:job:{self._job_id}"
        log_key = f"{key}:log:{self._attempt}"
        with client.pipeline(transaction=False) as both:
            both.append(log_key, batch)
            both.expire(log_key, _TTL_S)
            length, _ = both.execute()
        # Redis may have lost what was there before: where a batch begins, only Redis knows.
        event = {
            "job_id": self._job_id,
            "type": "log",
            "attempt": self._attempt,
            "offset": length - len(batch),
            "text": batch.decode(),
        }
        client.publish(f"{key}:events", json.dumps(event, ensure_ascii=False, separators=(",", ":")))


def _whole(text: bytes) -> int:
    """The length of the longest batch that ends between two characters."""
    size = min(BATCH_BYTES, len(text))
    while size < len(text) and text[size] & 0xC0 == 0x80:
        size -= 1
    return size
