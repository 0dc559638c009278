"""Clients of AWS, all with timeouts and bounded retries. AWS_ENDPOINT_URL points them at a stand-in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import boto3
import botocore
from botocore.config import Config

from nanogrid_worker import __version__
from nanogrid_worker.settings import Settings

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sqs import SQSClient

_READ_TIMEOUT_S = 20


@dataclass(frozen=True)
class Aws:
    """The clients that the worker uses. All are safe to share between threads."""

    sqs: SQSClient
    s3: S3Client
    dynamodb: DynamoDBClient
    # Their types are no dependency of the project: each is called in one place.
    secretsmanager: Any
    autoscaling: Any


def connect(settings: Settings) -> Aws:
    """Makes the clients. Connects to nothing yet."""
    session = boto3.Session(region_name=settings.aws_region)
    config = Config(
        connect_timeout=5,
        read_timeout=_READ_TIMEOUT_S + settings.poll_wait_s,
        retries={"mode": "standard", "total_max_attempts": 4},
        # More than one thread per job talks: the job's own, its heartbeat, and those of duties.
        max_pool_connections=settings.concurrency * 2 + 8,
        tcp_keepalive=True,
        # Both are done anew for each call, which a job waits for twice. What is wrong with a request, AWS says too.
        user_agent=f"nanogrid-worker/{__version__} Botocore/{botocore.__version__}",
        parameter_validation=False,
    )
    return Aws(
        sqs=session.client("sqs", config=config),
        s3=session.client("s3", config=config),
        dynamodb=session.client("dynamodb", config=config),
        secretsmanager=session.client("secretsmanager", config=config),
        autoscaling=session.client("autoscaling", config=config),
    )
