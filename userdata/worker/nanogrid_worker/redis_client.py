"""Connections with Redis, with IAM authentication where the settings name a user."""

from urllib.parse import urlencode

import boto3
import redis
from botocore.auth import SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from redis.backoff import ExponentialWithJitterBackoff
from redis.credentials import CredentialProvider
from redis.exceptions import RedisError
from redis.retry import Retry

from nanogrid_worker.settings import Settings

_TOKEN_S = 900
_TIMEOUT_S = 2.0


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


def connect_redis(settings: Settings, name: str) -> redis.Redis:
    """A client with timeouts and one retry. Connects to nothing yet.

    Args:
        settings: where Redis is.
        name: of its connections, for Redis' own list of clients.
    """
    return redis.Redis(
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
        retry=Retry(ExponentialWithJitterBackoff(base=0.05, cap=0.5), retries=1),
        health_check_interval=30,
        client_name=name,
    )
