"""Servers of the tests. Each listens on loopback at a free port, and ends with the session."""

import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from support.processes import MODELS, ROOT, Aws, Service, Triton, models_without_warm_up

# The tests' images come from the seeds of the training.
sys.path.append(str(ROOT / "containers" / "denoise" / "training"))


@pytest.fixture(scope="session")
def scratch() -> Iterator[Path]:
    """A folder that is gone afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="denoise-tests-"))
    yield folder
    shutil.rmtree(folder)


@pytest.fixture(scope="session")
def aws(scratch: Path) -> Iterator[Aws]:
    """The stand-in of AWS, with the two buckets."""
    stand_in = Aws(scratch)
    yield stand_in
    stand_in.process.stop()


@pytest.fixture(scope="session")
def triton(scratch: Path) -> Iterator[Triton]:
    """Triton with the models as they are committed, unchanged."""
    server = Triton(MODELS, scratch)
    server.wait_ready()
    yield server
    server.process.stop()


@pytest.fixture(scope="session")
def service(aws: Aws, triton: Triton, scratch: Path) -> Iterator[Service]:
    """The API, which speaks gRPC to Triton."""
    running = Service(aws, triton, scratch)
    yield running
    running.process.stop()


@pytest.fixture(scope="session")
def http_service(aws: Aws, triton: Triton, scratch: Path) -> Iterator[Service]:
    """The API, which speaks HTTP to Triton."""
    running = Service(aws, triton, scratch, DDN_TRITON_PROTOCOL="http")
    yield running
    running.process.stop()


@pytest.fixture(scope="session")
def own_triton(scratch: Path) -> Iterator[Triton]:
    """A Triton that tests may kill."""
    server = Triton(models_without_warm_up(scratch / "models"), scratch)
    server.wait_ready()
    yield server
    server.process.stop()


@pytest.fixture
def start_service(aws: Aws, scratch: Path) -> Iterator[Callable[..., Service]]:
    """Starts APIs of a test's own; `start_service(triton, DDN_CONCURRENCY="1")`."""
    started: list[Service] = []

    def start(triton: Triton, **environment: str) -> Service:
        started.append(Service(aws, triton, scratch, **environment))
        return started[-1]

    yield start
    for each in started:
        each.process.kill()
