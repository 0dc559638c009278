"""Objects of a bucket, read into files."""

from __future__ import annotations

import contextlib
import hashlib
import os
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from nanogrid_worker.errors import InfrastructureError, RunRefused

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_CHUNK = 1024 * 1024


def download(s3: S3Client, bucket: str, key: str, descriptor: int, max_bytes: int) -> str:
    """Writes an object to an open file; its SHA-256 in hex.

    Raises:
        RunRefused: it is larger than a worker takes.
        InfrastructureError: it cannot be read. errors.is_missing() tells whether it is not there.
    """
    digest = hashlib.sha256()
    try:
        reply = s3.get_object(Bucket=bucket, Key=key)
        if reply["ContentLength"] > max_bytes:
            message = f"{key} has {reply['ContentLength']} bytes; a worker takes {max_bytes}."
            raise RunRefused("exception", message, "TooLarge")
        with contextlib.closing(reply["Body"]) as body:
            for chunk in body.iter_chunks(_CHUNK):
                digest.update(chunk)
                os.write(descriptor, chunk)
    except (BotoCoreError, ClientError) as error:
        raise InfrastructureError(f"s3://{bucket}/{key} cannot be read: {error}") from error
    return digest.hexdigest()
