"""The archive in Google Cloud Storage: finished code and manifests, off the response path."""

import contextlib
import queue
import threading
import time
from dataclasses import dataclass

from botocore.exceptions import BotoCoreError, ClientError
from google.api_core.exceptions import Conflict, GoogleAPIError, PreconditionFailed
from google.auth.exceptions import GoogleAuthError
from google.cloud import storage
from requests.exceptions import RequestException

from nanogrid_worker.code import CodeStore
from nanogrid_worker.errors import InfrastructureError, RunRefused
from nanogrid_worker.jobs import JobsTable
from nanogrid_worker.log import logger
from nanogrid_worker.messages import Job
from nanogrid_worker.results import Document, encode, manifest
from nanogrid_worker.retry import retrying

_WAITING = 200
_ATTEMPTS = 8
_LONGEST_WAIT_S = 60.0
_TIMEOUT_S = 30.0

_TRANSIENT = (GoogleAPIError, GoogleAuthError, RequestException, InfrastructureError, BotoCoreError, ClientError)

log = logger(__name__)


@dataclass(frozen=True)
class _Owed:
    job: Job
    result: Document


class Archive:
    """A bounded line of jobs that wait for their copy, and the thread that serves it.

    What does not fit, or fails for good, stays OWED in the jobs table.
    """

    def __init__(self, bucket: str, code: CodeStore, jobs: JobsTable) -> None:
        # A creator may not read the bucket: the handle is made without asking for it.
        self._bucket = storage.Client().bucket(bucket)
        self._code = code
        self._jobs = jobs
        self._line: queue.Queue[_Owed | None] = queue.Queue(maxsize=_WAITING)
        self._leaving = threading.Event()
        self._thread = threading.Thread(target=self._serve, name="archive", daemon=True)
        self._thread.start()

    def add(self, job: Job, result: Document) -> None:
        """Queues a finished job."""
        try:
            self._line.put_nowait(_Owed(job, result))
        except queue.Full:
            log.warning("archive is behind, job stays owed", job_id=job.job_id)

    def close(self, timeout_s: float) -> None:
        """Finishes what waits, for so long at most."""
        deadline = time.monotonic() + timeout_s
        with contextlib.suppress(queue.Full):
            self._line.put(None, timeout=timeout_s)
        self._thread.join(max(0.0, deadline - time.monotonic()))
        self._leaving.set()

    def _serve(self) -> None:
        while not self._leaving.is_set() and (owed := self._line.get()) is not None:
            bound = log.bind(job_id=owed.job.job_id)
            try:
                for attempt in retrying("archive", _TRANSIENT, _ATTEMPTS, _LONGEST_WAIT_S):
                    with attempt:
                        self._store(owed)
                bound.info("archived")
            except (*_TRANSIENT, RunRefused, OSError) as error:
                bound.error("not archived, job stays owed", error=repr(error))

    def _store(self, owed: _Owed) -> None:
        job = owed.job
        folder = f"{job.tenant}/{job.function_id}/{job.function_version}"
        self._create(f"{folder}/code.zip", self._code.zip_bytes(job), "application/zip")
        self._create(f"{folder}/{job.job_id}.json", encode(manifest(owed.result)), "application/json")
        self._jobs.archived(job.job_id)

    def _create(self, name: str, data: bytes, content_type: str) -> None:
        blob = self._bucket.blob(name)
        # Already there is as good as created: what has a name never changes.
        with contextlib.suppress(PreconditionFailed, Conflict):
            blob.upload_from_string(
                data, content_type=content_type, if_generation_match=0, timeout=_TIMEOUT_S, retry=None
            )
