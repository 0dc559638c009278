"""Processes of the tests, and waiting for them."""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

import boto3
import requests
from botocore.config import Config

ROOT = Path(__file__).resolve().parents[4]
SERVICE = ROOT / "containers" / "denoise" / "service"
MODELS = ROOT / "containers" / "denoise" / "models"
REGION = "ap-northeast-2"
IN_BUCKET, OUT_BUCKET = "ddn-in-bucket-test", "ddn-out-bucket-test"
START_S = 180

T = TypeVar("T")


def interpreter(variable: str, environment: str) -> str:
    """Return the Python of another project: as the test setup names it, or as it makes it."""
    return os.environ.get(variable) or str(ROOT / ".local" / "venv" / environment / "bin" / "python")


def free_port() -> int:
    """Return a port of loopback that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def wait_until(ask: Callable[[], T], timeout_s: float, what: str) -> T:
    """Ask until the answer is true, and return it."""
    deadline = time.monotonic() + timeout_s
    while not (answer := ask()):
        assert time.monotonic() < deadline, f"not within {timeout_s} s: {what}"
        time.sleep(0.05)
    return answer


def answers(url: str) -> bool:
    """Return whether a URL answers with 200."""
    with suppress(requests.RequestException):
        return requests.get(url, timeout=2).status_code == 200
    return False


class Process:
    """A process with a log, ended with the test."""

    def __init__(self, arguments: list[str], log: Path, environment: dict[str, str], folder: Path) -> None:
        self._log = log
        with log.open("ab") as opened:
            self._process = subprocess.Popen(
                arguments,
                env=environment,
                cwd=folder,
                stdout=opened,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        """Id of the process."""
        return self._process.pid

    def log(self) -> str:
        """Return what it said."""
        return self._log.read_text()

    def wait_for(self, url: str) -> None:
        """Wait until a URL of the process answers."""
        wait_until(
            lambda: self._lives() and answers(url),
            START_S,
            f"{url}:\n{self.log()[-2000:]}",
        )

    def stop(self, timeout_s: float = 30) -> int:
        """Stop it as an orchestrator does; its exit code."""
        self._process.terminate()
        try:
            return self._process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            self.kill()
            raise

    def kill(self) -> None:
        """Kill it and what it started, without notice."""
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()

    def _lives(self) -> bool:
        assert self._process.poll() is None, f"it has ended with {self._process.returncode}:\n{self.log()[-4000:]}"
        return True


class Triton:
    """Triton on the processor."""

    def __init__(self, models: Path, scratch: Path) -> None:
        self.http, self.grpc, self.metrics = free_port(), free_port(), free_port()
        self._models = models
        self._log = scratch / f"triton-{self.http}.log"
        self.start()

    def start(self) -> None:
        """Start it, at once or again; it is ready some time later."""
        python = interpreter("NANOGRID_TRITON_CPU_DEV_PYTHON", "triton-cpu-dev")
        ports = [
            f"--http-port={self.http}",
            f"--grpc-port={self.grpc}",
            f"--metrics-port={self.metrics}",
        ]
        self.process = Process(
            [python, "-m", "triton_cpu", f"--model-repository={self._models}", *ports],
            self._log,
            dict(os.environ),
            ROOT / "local" / "triton",
        )

    def wait_ready(self) -> None:
        """Wait until its models are loaded."""
        self.process.wait_for(f"http://127.0.0.1:{self.http}/v2/health/ready")


def models_without_warm_up(folder: Path) -> Path:
    """Copy the models into a folder, such that Triton starts with them at once."""
    shutil.copytree(MODELS, folder)
    for config in folder.glob("*/config.pbtxt"):
        text = config.read_text()
        config.write_text(text[: text.index("model_warmup")])
    return folder


class Aws:
    """The stand-in of AWS, with the two buckets."""

    def __init__(self, scratch: Path) -> None:
        python = interpreter("NANOGRID_STANDINS_PYTHON", "standins")
        log = scratch / "standins.log"
        self.process = Process(
            [python, "-m", "standins", "--aws-port", "0", "--gcp-port", "0"],
            log,
            {
                **os.environ,
                "PYTHONPATH": str(ROOT / "local" / "standins"),
                "PYTHONUNBUFFERED": "1",
            },
            scratch,
        )
        first = re.compile(r"http://127\.0\.0\.1:\d+")
        found = wait_until(
            lambda: first.search(log.read_text()),
            60,
            "the stand-ins say where they are",
        )
        assert found
        self.url = found.group()
        for bucket in (IN_BUCKET, OUT_BUCKET):
            self.client("s3").create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": REGION})

    def client(self, service: str) -> Any:
        """Return a client that may do everything."""
        make: Any = boto3.client
        return make(
            service,
            endpoint_url=self.url,
            region_name=REGION,
            aws_access_key_id="local",
            aws_secret_access_key="local",
            config=Config(s3={"addressing_style": "path"}),
        )

    def put(self, key: str, data: bytes) -> None:
        """Upload a noisy image, by a presigned URL as clients do."""
        parameters = {"Bucket": IN_BUCKET, "Key": key}
        url = self.client("s3").generate_presigned_url("put_object", Params=parameters, ExpiresIn=60)
        requests.put(url, data=data, timeout=30).raise_for_status()

    def get(self, key: str) -> bytes:
        """Download a clean image, or a record."""
        data: bytes = self.client("s3").get_object(Bucket=OUT_BUCKET, Key=key)["Body"].read()
        return data

    def holds(self, key: str) -> bool:
        """Return whether the out-bucket has a key."""
        found = self.client("s3").list_objects_v2(Bucket=OUT_BUCKET, Prefix=key).get("Contents", [])
        return any(each["Key"] == key for each in found)


class Service:
    """The API under gunicorn, as its container runs it."""

    def __init__(self, aws: Aws, triton: Triton, scratch: Path, **environment: str) -> None:
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        self.temp = Path(environment.get("DDN_TEMP_DIR", scratch / f"temp-{port}"))
        self.process = Process(
            [
                sys.executable,
                "-m",
                "gunicorn",
                "--config=gunicorn.conf.py",
                "denoise_service.wsgi:create_app()",
            ],
            scratch / f"service-{port}.log",
            {
                **os.environ,
                "AWS_ENDPOINT_URL": aws.url,
                "AWS_ACCESS_KEY_ID": "local",
                "AWS_SECRET_ACCESS_KEY": "local",
                "AWS_REGION": REGION,
                "DDN_IN_BUCKET": IN_BUCKET,
                "DDN_OUT_BUCKET": OUT_BUCKET,
                "DDN_PORT": str(port),
                "DDN_TRITON_HTTP": f"127.0.0.1:{triton.http}",
                "DDN_TRITON_GRPC": f"127.0.0.1:{triton.grpc}",
                # Small images have several tiles too.
                "DDN_TILE": "256",
                "DDN_TEMP_DIR": str(self.temp),
                **environment,
            },
            SERVICE,
        )
        self.process.wait_for(f"{self.url}/ping")

    def post(self, body: Any) -> requests.Response:
        """Ask for an image."""
        return requests.post(f"{self.url}/inference", json=body, timeout=60)

    def get(self, path: str, **options: Any) -> requests.Response:
        """Ask for anything else."""
        return requests.get(f"{self.url}{path}", timeout=10, **options)

    def files_left(self) -> list[Path]:
        """Return what lies in the folder for images on their way, besides the locks."""
        return [path for path in self.temp.rglob("*") if path.name != ".lock" and path.parent != self.temp]
