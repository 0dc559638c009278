"""Secrets of functions: read for the run that names them, kept in memory for a minute, never written anywhere."""

import threading
import time
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from nanogrid_worker.aws import Aws
from nanogrid_worker.errors import InfrastructureError, RunRefused
from nanogrid_worker.messages import Job

_KEPT_S = 60.0
# A secret that is being deleted answers with the second.
_MISSING = ("ResourceNotFoundException", "InvalidRequestException")


class SecretStore:
    """Secrets Manager, where a tenant's secret is `<prefix><tenant>/<name>`."""

    def __init__(self, aws: Aws, prefix: str) -> None:
        self._client = aws.secretsmanager
        self._prefix = prefix
        self._lock = threading.Lock()
        self._kept: dict[str, tuple[float, str]] = {}

    def environment(self, job: Job) -> dict[str, str]:
        """The variables of a job that are secrets.

        Raises:
            RunRefused: one of them does not exist.
            InfrastructureError: they cannot be read.
        """
        return {variable: self._value(job.tenant, variable, name) for variable, name in job.secrets.items()}

    def _value(self, tenant: str, variable: str, name: str) -> str:
        secret_id = f"{self._prefix}{tenant}/{name}"
        with self._lock:
            read_at, value = self._kept.get(secret_id, (0.0, ""))
        if read_at and time.monotonic() - read_at < _KEPT_S:
            return value
        value = self._read(secret_id, variable, name)
        with self._lock:
            self._forget_old()
            self._kept[secret_id] = (time.monotonic(), value)
        return value

    def _read(self, secret_id: str, variable: str, name: str) -> str:
        try:
            reply: dict[str, Any] = self._client.get_secret_value(SecretId=secret_id)
        except ClientError as error:
            if error.response["Error"]["Code"] in _MISSING:
                raise _missing(variable, name) from None
            raise InfrastructureError(f"secret {name} cannot be read: {error}") from error
        except BotoCoreError as error:
            raise InfrastructureError(f"secret {name} cannot be read: {error}") from error
        if "SecretString" not in reply:
            raise _missing(variable, name)
        return str(reply["SecretString"])

    def _forget_old(self) -> None:
        oldest = time.monotonic() - _KEPT_S
        self._kept = {secret_id: kept for secret_id, kept in self._kept.items() if kept[0] > oldest}


def _missing(variable: str, name: str) -> RunRefused:
    message = f"The secret {name}, which the variable {variable} refers to, does not exist or is no text. Create it."
    return RunRefused("exception", message, "SecretMissing")
