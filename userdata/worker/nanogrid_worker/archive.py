"""The archive in Google Cloud Storage: code and manifests of what has succeeded."""

import contextlib
import threading
import time
from typing import Any

from google.api_core.exceptions import Conflict, GoogleAPIError, PreconditionFailed
from google.auth.exceptions import GoogleAuthError
from google.cloud import storage
from requests.exceptions import RequestException

from nanogrid_worker.code import CodeStore
from nanogrid_worker.duty_index import Owing
from nanogrid_worker.errors import InfrastructureError, RunRefused, is_missing
from nanogrid_worker.log import logger
from nanogrid_worker.messages import Job
from nanogrid_worker.results import encode, manifest

_TIMEOUT_S = 20.0
# While Google Cloud does not answer, one job finds out and the others do not wait for it.
_AWAY_S = 30.0
_KNOWN_VERSIONS = 10_000

_FAILURES = (GoogleAPIError, GoogleAuthError, RequestException, OSError)

log = logger(__name__)


class Archive:
    """The bucket of the archive. Safe to share between threads.

    Args:
        bucket: its name.
        code: where functions' code is.
    """

    def __init__(self, bucket: str, code: CodeStore) -> None:
        # A creator may not read the bucket: the handle is made without asking for it.
        self._bucket = storage.Client().bucket(bucket)
        self._code = code
        self._lock = threading.Lock()
        self._known: set[str] = set()
        self._away_until = 0.0

    def store(self, owing: Owing) -> bool:
        """Stores a job's code and manifest; False, and a line in the log, if that failed."""
        if time.monotonic() < self._away_until:
            return False
        try:
            folder = f"{owing.tenant}/{owing.function_id}/{owing.function_version}"
            if not self._knows(folder):
                self._create(f"{folder}/code.zip", self._code.zip_bytes(_code_of(owing)), "application/zip")
                self._learn(folder)
            self._create(f"{folder}/{owing.job_id}.json", encode(manifest(owing.result)), "application/json")
        except (InfrastructureError, RunRefused) as error:
            # The function was deleted in between, and its code is not for keeping any more.
            is_gone = is_missing(error)
            log.warning("not archived, its code cannot be had", error=str(error), is_gone=is_gone)
            return is_gone
        except _FAILURES as error:
            self._away_until = time.monotonic() + _AWAY_S
            log.warning("not archived, job stays owed", error=repr(error))
            return False
        log.info("archived")
        return True

    def _create(self, name: str, data: bytes, content_type: str) -> None:
        blob = self._bucket.blob(name)
        # Already there is as good as created: what has a name never changes.
        with contextlib.suppress(PreconditionFailed, Conflict):
            blob.upload_from_string(
                data, content_type=content_type, if_generation_match=0, timeout=_TIMEOUT_S, retry=None
            )

    def _knows(self, folder: str) -> bool:
        with self._lock:
            return folder in self._known

    def _learn(self, folder: str) -> None:
        with self._lock:
            if len(self._known) >= _KNOWN_VERSIONS:
                self._known.clear()
            self._known.add(folder)


def _code_of(owing: Owing) -> Job:
    """As much of a job as the code store asks for."""
    fields: dict[str, Any] = {"code": None, "code_key": owing.code_key, "code_sha256": owing.code_sha256}
    return Job.model_construct(**fields)
