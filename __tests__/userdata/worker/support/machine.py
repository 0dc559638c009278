"""The machine around a worker: its metadata service, and its auto-scaling group in the stand-ins."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

from support.servers import Recorder, Request, recording

TOKEN = "token-of-the-tests"
_DATA = "/latest/meta-data"


class Metadata:
    """The metadata service of an instance, version 2: without the token that it gave, it answers 401.

    Attributes:
        instance_id: the instance.
        lifecycle_state: what its group wants of it.
    """

    def __init__(self, recorder: Recorder) -> None:
        self.url = recorder.url
        self.instance_id = "i-0123456789abcdef0"
        self.lifecycle_state = "InService"
        self._spot: str | None = None
        recorder.status = 404
        recorder.answers = {
            "/latest/api/token": lambda request: self._token(request),
            f"{_DATA}/instance-id": lambda request: self._value(request, self.instance_id),
            f"{_DATA}/autoscaling/target-lifecycle-state": lambda request: self._value(request, self.lifecycle_state),
            f"{_DATA}/spot/instance-action": lambda request: self._value(request, self._spot),
        }

    def take_away_in(self, seconds: float) -> None:
        """Gives the notice of a spot instance."""
        at = datetime.now(UTC) + timedelta(seconds=seconds)
        self._spot = json.dumps({"action": "terminate", "time": at.strftime("%Y-%m-%dT%H:%M:%SZ")})

    def _token(self, request: Request) -> tuple[int, str, bytes]:
        asked = {name.lower() for name in request.headers}
        is_good = request.method == "PUT" and "x-aws-ec2-metadata-token-ttl-seconds" in asked
        return (200 if is_good else 400), "text/plain", TOKEN.encode()

    def _value(self, request: Request, value: str | None) -> tuple[int, str, bytes]:
        headers = {name.lower(): text for name, text in request.headers.items()}
        if headers.get("x-aws-ec2-metadata-token") != TOKEN:
            return 401, "text/plain", b""
        return (404, "text/plain", b"") if value is None else (200, "text/plain", value.encode())


@contextmanager
def metadata_service() -> Iterator[Metadata]:
    """An instance's metadata, on loopback."""
    with recording() as recorder:
        yield Metadata(recorder)
