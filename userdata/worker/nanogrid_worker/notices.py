"""Notices that this machine has to go, from its metadata: its group's lifecycle hook, or the end of a spot instance."""

import json
import os
import random
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

import requests

from nanogrid_worker.log import logger

POLL_S = 5.0
_TIMEOUT_S = 2.0
_TOKEN_S = 21600
_ENDPOINT = "http://169.254.169.254"

log = logger(__name__)


@dataclass(frozen=True)
class Notice:
    """Why the machine goes.

    Attributes:
        kind: the group's hook, or the spot market.
        at: when it is taken away; None where the hook can be held.
    """

    kind: Literal["hook", "spot"]
    at: datetime | None


class Metadata:
    """The instance's metadata service, version 2. AWS_EC2_METADATA_SERVICE_ENDPOINT names another address."""

    def __init__(self) -> None:
        self._endpoint = os.environ.get("AWS_EC2_METADATA_SERVICE_ENDPOINT", _ENDPOINT).rstrip("/")
        self._session = requests.Session()
        # What a proxy would answer is not about this machine.
        self._session.trust_env = False
        self._token = ""

    def read(self, path: str) -> str | None:
        """A value; None where there is none.

        Raises:
            requests.RequestException: the service does not answer.
        """
        reply = self._get(path)
        if reply.status_code == requests.codes.unauthorized:
            self._token = ""
            reply = self._get(path)
        if reply.status_code == requests.codes.not_found:
            return None
        reply.raise_for_status()
        return reply.text

    def _get(self, path: str) -> requests.Response:
        if not self._token:
            lifetime = {"X-aws-ec2-metadata-token-ttl-seconds": str(_TOKEN_S)}
            reply = self._session.put(f"{self._endpoint}/latest/api/token", headers=lifetime, timeout=_TIMEOUT_S)
            reply.raise_for_status()
            self._token = reply.text
        return self._session.get(
            f"{self._endpoint}/latest/meta-data/{path}",
            headers={"X-aws-ec2-metadata-token": self._token},
            timeout=_TIMEOUT_S,
        )


class Notices:
    """Looks every POLL_S, and tells each kind of notice once.

    Args:
        metadata: where notices are.
        on_notice: called from another thread.
    """

    def __init__(self, metadata: Metadata, on_notice: Callable[[Notice], None]) -> None:
        self._metadata = metadata
        self._on_notice = on_notice
        self._told: set[str] = set()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._look_all, name="notices", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Looks no more."""
        self._stop.set()
        self._thread.join()

    def _look_all(self) -> None:
        while not self._stop.wait(POLL_S * random.uniform(0.8, 1.0)):  # noqa: S311 (jitter)
            try:
                self._tell(self._spot())
                self._tell(self._hook())
            except (requests.RequestException, ValueError, KeyError) as error:
                log.warning("notices cannot be read", error=repr(error))

    def _tell(self, notice: Notice | None) -> None:
        if notice is not None and notice.kind not in self._told:
            self._told.add(notice.kind)
            self._on_notice(notice)

    def _hook(self) -> Notice | None:
        state = self._metadata.read("autoscaling/target-lifecycle-state")
        return Notice("hook", None) if state == "Terminated" else None

    def _spot(self) -> Notice | None:
        text = self._metadata.read("spot/instance-action")
        if text is None:
            return None
        return Notice("spot", datetime.fromisoformat(json.loads(text)["time"]))
