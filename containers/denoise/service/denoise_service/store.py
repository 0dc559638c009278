"""The buckets: noisy images are read from one, clean images and records of requests are written to the other."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
from boto3.exceptions import S3UploadFailedError
from boto3.s3.transfer import TransferConfig
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, IncompleteReadError
from s3transfer.exceptions import RetriesExceededError

from denoise_service.log import logger
from denoise_service.problems import Problem, no_such_image, too_large, unavailable

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

log = logger(__name__)

_MIB = 1024**2
TRANSFER = TransferConfig(multipart_threshold=32 * _MIB, multipart_chunksize=32 * _MIB, max_concurrency=4)
"""Of objects over the threshold: each of the threads holds a part in memory."""
_CLIENT = Config(
    connect_timeout=5,
    read_timeout=30,
    retries={"mode": "standard", "total_max_attempts": 4},
    max_pool_connections=32,
    tcp_keepalive=True,
)
_MISSING = ("NoSuchKey", "404")
_ERRORS = (BotoCoreError, ClientError, S3UploadFailedError, RetriesExceededError, IncompleteReadError)


class Store:
    """The two buckets. Safe to share between threads. Connects to nothing before it is used."""

    def __init__(self, region: str, in_bucket: str, out_bucket: str) -> None:
        self.s3: S3Client = boto3.Session(region_name=region).client("s3", config=_CLIENT)
        self._in = in_bucket
        self._out = out_bucket

    def download(self, key: str, file: Path, max_bytes: int) -> int:
        """Write a noisy image to a file; its size in bytes.

        Raises:
            Problem: 404 when there is none, 413 over `max_bytes`, 503 when S3 does not answer.
        """
        try:
            size = self.s3.head_object(Bucket=self._in, Key=key)["ContentLength"]
            if size > max_bytes:
                detail = f"{key} has {size:,} bytes; the service takes {max_bytes:,}."
                raise too_large("file", detail, "Crop the image, or compress it without loss.")
            self.s3.download_file(self._in, key, str(file), Config=TRANSFER)
        except _ERRORS as error:
            if _is_missing(error):
                raise no_such_image(key) from None
            raise _away(f"s3://{self._in}/{key} cannot be read", error) from error
        return size

    def upload(self, file: Path, key: str, content_type: str, metadata: dict[str, str]) -> None:
        """Store a clean image, in parts where it is large. Parts of an upload that fails are removed.

        Raises:
            Problem: 503 when S3 does not take it.
        """
        extra = {"ContentType": content_type, "Metadata": metadata}
        try:
            self.s3.upload_file(str(file), self._out, key, ExtraArgs=extra, Config=TRANSFER)
        except _ERRORS as error:
            raise _away(f"s3://{self._out}/{key} cannot be written", error) from error

    def write_record(self, key: str, record: dict[str, Any]) -> None:
        """Store a record of a request.

        Raises:
            Problem: 503 when S3 does not take it.
        """
        body = json.dumps(record, separators=(",", ":")).encode()
        try:
            self.s3.put_object(Bucket=self._out, Key=key, Body=body, ContentType="application/json")
        except _ERRORS as error:
            raise _away(f"s3://{self._out}/{key} cannot be written", error) from error

    def read_record(self, key: str) -> dict[str, Any] | None:
        """Read a record; None where there is none.

        Raises:
            Problem: 503 when S3 does not answer.
        """
        try:
            with self.s3.get_object(Bucket=self._out, Key=key)["Body"] as body:
                record: dict[str, Any] = json.loads(body.read())
                return record
        except _ERRORS as error:
            if _is_missing(error):
                return None
            raise _away(f"s3://{self._out}/{key} cannot be read", error) from error


def _is_missing(error: Exception) -> bool:
    return isinstance(error, ClientError) and error.response["Error"]["Code"] in _MISSING


def _away(what: str, error: Exception) -> Problem:
    log.error("S3 call failed", what=what, error=str(error))
    return unavailable("The storage of images does not answer as it should.")
