"""Stand-ins for the tests: a process of their own on free ports, and a real Redis behind ElastiCache's endpoints."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import pytest
import redis
from botocore.config import Config
from google.auth.credentials import AnonymousCredentials
from google.cloud import storage

PACKAGE = Path(__file__).parents[3] / "local" / "standins"
REGION = "ap-northeast-2"


def start_standins(*arguments: str) -> subprocess.Popen[str]:
    """Starts the stand-ins as `npm start` does."""
    return subprocess.Popen(
        [sys.executable, "-m", "standins", *arguments],
        env={**os.environ, "PYTHONPATH": str(PACKAGE)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def stop(process: subprocess.Popen[Any]) -> int:
    """Stops a process as an operator does, and returns its exit code."""
    process.terminate()
    try:
        return process.wait(timeout=10)
    except subprocess.TimeoutExpired:
        process.kill()
        raise


@dataclass(frozen=True)
class StandIns:
    """Where the stand-ins of this test run are."""

    aws_url: str
    gcp_url: str
    redis_port: int

    def client(self, service: str, **config: Any) -> Any:
        """A boto3 client of the AWS stand-in."""
        return boto3.client(
            service,
            endpoint_url=self.aws_url,
            region_name=REGION,
            aws_access_key_id="local",
            aws_secret_access_key="local",
            config=Config(retries={"total_max_attempts": 1}, max_pool_connections=50, **config),
        )

    def gcs(self) -> storage.Client:
        """A client of the Google Cloud Storage stand-in."""
        nobody = AnonymousCredentials()  # type: ignore[no-untyped-call]
        return storage.Client("nanogrid-local", nobody, client_options={"api_endpoint": self.gcp_url})


@pytest.fixture(scope="session")
def redis_port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """A real Redis, empty, on a free port."""
    program = shutil.which("redis-server")
    assert program, "redis-server was not found in PATH. Install Redis (Debian: apt-get install redis-server)."
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    folder = tmp_path_factory.mktemp("redis")
    process = subprocess.Popen(
        [program, "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", str(folder)],
        stdout=subprocess.DEVNULL,
    )
    client = redis.Redis(port=port, socket_timeout=1)
    deadline = time.monotonic() + 10
    while True:
        try:
            client.ping()
            break
        except redis.ConnectionError:
            assert time.monotonic() < deadline, "Redis did not answer within 10 s"
            time.sleep(0.05)
    yield port
    stop(process)


@pytest.fixture(scope="session")
def standins(redis_port: int) -> Iterator[StandIns]:
    """The stand-ins, on free ports."""
    process = start_standins("--aws-port", "0", "--gcp-port", "0", "--redis-port", str(redis_port))
    assert process.stdout
    urls = re.findall(r"http://127\.0\.0\.1:\d+", process.stdout.readline())
    assert len(urls) == 2, f"the stand-ins did not start: {process.stderr.read() if process.stderr else ''}"
    yield StandIns(urls[0], urls[1], redis_port)
    stop(process)


@pytest.fixture
def aws(standins: StandIns) -> Callable[..., Any]:
    """Makes boto3 clients of the AWS stand-in."""
    return standins.client
