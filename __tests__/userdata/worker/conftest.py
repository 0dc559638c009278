"""What the worker's tests run against: the real worker process, real Redis, real Docker, and stand-ins of the clouds.

Every server listens on loopback at a free port and ends with the session. Without a Docker engine, tests that need one
are skipped, and say so. DOCKER_HOST names the engine; NANOGRID_REDIS_SERVER the redis-server to start;
NANOGRID_WORKER_PYTHON the interpreter of workers, such as one that has the locked requirements alone.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import docker
import pytest
import requests
from docker.errors import DockerException
from support.clouds import Clouds, Grid
from support.processes import Server, free_port, wait_until
from support.worker import Worker, WorkerOptions

WORKER_FOLDER = Path(__file__).parents[3] / "userdata" / "worker"
BUILD_TIMEOUT_S = 900


@pytest.fixture(scope="session")
def scratch() -> Iterator[Path]:
    """A folder with a short path, since a unix socket's path has at most 107 characters."""
    folder = Path(tempfile.mkdtemp(prefix="ngw-"))
    yield folder
    shutil.rmtree(folder)


@pytest.fixture(scope="session")
def runtime_image() -> Iterator[str]:
    """The image that Python functions run in, built if it is not there."""
    try:
        docker.from_env(timeout=10).ping()
    except DockerException as error:
        pytest.skip(f"no Docker engine answers, set DOCKER_HOST: {error}")
    # A name of this process' own: whoever else tests on this engine has one too.
    tag = f"nanogrid/runtime-python:tests-{os.getpid()}"
    build = WORKER_FOLDER / "runtimes" / "build"
    subprocess.run([build, "--runtime", "python", "--tag", tag], check=True, timeout=BUILD_TIMEOUT_S)
    yield tag
    subprocess.run(["docker", "image", "rm", "--force", tag], check=False, capture_output=True, timeout=60)


@pytest.fixture(scope="session")
def redis_port(scratch: Path) -> Iterator[int]:
    """A real Redis."""
    program = shutil.which(os.environ.get("NANOGRID_REDIS_SERVER", "redis-server"))
    if program is None:
        pytest.skip("redis-server is missing: install it, or set NANOGRID_REDIS_SERVER")
    port = free_port()
    arguments = [program, "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", str(scratch)]
    with Server(arguments, scratch / "redis.log", port):
        yield port


@pytest.fixture(scope="session")
def clouds(scratch: Path) -> Iterator[Clouds]:
    """Stand-ins of AWS and of Google Cloud Storage."""
    aws, gcs = free_port(), free_port()
    moto = [sys.executable, "-m", "moto.server", "--host", "127.0.0.1", "--port", str(aws)]
    emulator = [sys.executable, "-m", "gcp_storage_emulator", "start", "--host", "127.0.0.1", "--port", str(gcs)]
    with (
        Server(moto, scratch / "moto.log", aws),
        Server([*emulator, "--in-memory"], scratch / "gcs.log", gcs),
    ):
        wait_until(lambda: requests.get(f"http://127.0.0.1:{aws}/moto-api/", timeout=5).ok, 30, "moto answers")
        yield Clouds(aws_port=aws, gcs_port=gcs)


@pytest.fixture
def grid(clouds: Clouds, redis_port: int) -> Grid:
    """A queue with its dead letters, tables and buckets of a test's own."""
    return Grid(clouds, redis_port)


@pytest.fixture(scope="module")
def shared_grid(clouds: Clouds, redis_port: int) -> Grid:
    """A grid for the tests that one worker serves."""
    return Grid(clouds, redis_port)


@pytest.fixture(scope="module")
def shared_worker(shared_grid: Grid, runtime_image: str, scratch: Path) -> Iterator[Worker]:
    """A worker for the tests that only need one to be there."""
    with Worker(shared_grid, runtime_image, scratch, WorkerOptions()) as worker:
        worker.wait_ready()
        yield worker


@pytest.fixture
def start_worker(grid: Grid, runtime_image: str, scratch: Path) -> Iterator[Callable[..., Worker]]:
    """Starts workers on the test's own grid; `start_worker(VISIBILITY_TIMEOUT_S="5")`."""
    workers: list[Worker] = []

    def start(**environment: str) -> Worker:
        worker = Worker(grid, runtime_image, scratch, WorkerOptions(environment))
        workers.append(worker)
        worker.wait_ready()
        return worker

    yield start
    for worker in workers:
        worker.stop()
