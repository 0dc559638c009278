"""Redis: a job's view and its events. It makes answers fast and is never needed; the jobs table is the truth."""

import json
from typing import Any
from urllib.parse import urlencode

import boto3
import redis
from botocore.auth import SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from redis.backoff import ExponentialWithJitterBackoff
from redis.credentials import CredentialProvider
from redis.exceptions import RedisError
from redis.retry import Retry

from nanogrid_worker.log import logger
from nanogrid_worker.results import Document
from nanogrid_worker.settings import Settings
from nanogrid_worker.times import iso, now

_TTL_S = 24 * 3600
_TOKEN_S = 900
_TIMEOUT_S = 2.0

log = logger(__name__)


class IamToken(CredentialProvider):
    """ElastiCache's IAM authentication: a presigned request as the password, made anew for each connection.

    A token is good for 15 minutes and a connection for 12 hours; when the server hangs up, the client's retry connects
    again, and asks for the next token.
    """

    def __init__(self, user: str, cache_name: str, region: str) -> None:
        self._user = user
        self._cache_name = cache_name
        self._region = region
        self._session = boto3.Session(region_name=region)

    def get_credentials(self) -> tuple[str, str]:
        """User name and token."""
        credentials = self._session.get_credentials()
        if credentials is None:
            raise RedisError("no AWS credentials to sign Redis's token with")
        query = urlencode({"Action": "connect", "User": self._user})
        request = AWSRequest("GET", f"https://{self._cache_name}/?{query}")
        signer = SigV4QueryAuth(credentials.get_frozen_credentials(), "elasticache", self._region, expires=_TOKEN_S)
        signer.add_auth(request)
        return self._user, str(request.url).removeprefix("https://")


class StatusBoard:
    """Where waiting controllers look, and what they listen to."""

    def __init__(self, settings: Settings) -> None:
        self._redis = redis.Redis(
            host=settings.redis_host,
            port=settings.redis_port,
            ssl=settings.redis_tls,
            credential_provider=(
                IamToken(settings.redis_user, settings.redis_cache_name, settings.aws_region)
                if settings.redis_user
                else None
            ),
            socket_timeout=_TIMEOUT_S,
            socket_connect_timeout=_TIMEOUT_S,
            retry=Retry(ExponentialWithJitterBackoff(base=0.05, cap=0.5), retries=2),
            health_check_interval=30,
            client_name="nanogrid-worker",
        )

    def status(self, job_id: str, status: str) -> None:
        """Tells that a job has changed its status."""
        self._tell(job_id, {"job_id": job_id, "status": status, "updated_at": iso(now())})

    def result(self, result: Document) -> None:
        """Tells a job's result."""
        self._tell(result["job_id"], {"updated_at": result["finished_at"], **result})

    def close(self) -> None:
        """Closes connections."""
        self._redis.close()

    def _tell(self, job_id: str, view: dict[str, Any]) -> None:
        text = json.dumps(view, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "backslashreplace")
        key = f"nanogrid:job:{job_id}"
        try:
            with self._redis.pipeline(transaction=True) as both:
                both.set(key, text, ex=_TTL_S)
                both.publish(f"{key}:events", text)
                both.execute()
        except RedisError as error:
            log.warning("Redis was not told", status=view["status"], error=repr(error))
