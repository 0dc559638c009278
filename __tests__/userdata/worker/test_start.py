"""What stops a worker before its first job."""

import subprocess
import sys
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
from support.clouds import Grid, without_proxies
from support.worker import WORKER_FOLDER, Worker, WorkerOptions

from nanogrid_worker.sandbox.protections import missing_in_engine, missing_in_sandbox

GOOD_ENGINE = {
    "MemoryLimit": True,
    "PidsLimit": True,
    "CpuCfsQuota": True,
    "SwapLimit": True,
    "SecurityOptions": ["name=seccomp,profile=default", "name=userns"],
}
GOOD_SANDBOX = {
    "uid": 65534,
    "gid": 65534,
    "groups": [65534],
    "capabilities": {"CapBnd": "0" * 16},
    "no_new_privileges": "1",
    "seccomp": "2",
    "interfaces": ["lo"],
    "uid_map": ["0", "100000", "65536"],
    "reached": [],
    "writable": [],
    "opened": [],
    "environment": ["HOME", "PATH"],
}


def start(**environment: str) -> subprocess.CompletedProcess[str]:
    """A worker that is expected to end by itself."""
    return subprocess.run(
        [sys.executable, "-B", "-m", "nanogrid_worker"],
        cwd=WORKER_FOLDER,
        env={**without_proxies(), **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_a_worker_needs_nothing_but_its_own_requirements() -> None:
    """worker: its program imports nothing that only its tests and type checks have."""
    code = "import sys, nanogrid_worker.__main__; print(*sorted({m.partition('.')[0] for m in sys.modules}))"
    imported = subprocess.run(
        [sys.executable, "-B", "-c", code], cwd=WORKER_FOLDER, capture_output=True, text=True, timeout=60, check=True
    ).stdout.split()
    locks = [(WORKER_FOLDER / name).read_text() for name in ("requirements.lock", "requirements-dev.lock")]
    shipped, all_of_them = ({line.partition("==")[0] for line in lock.splitlines() if "==" in line} for lock in locks)
    of = packages_distributions()
    used = {name.lower().replace("_", "-") for module in imported for name in of.get(module, [])}
    assert "boto3" in used
    assert used & (all_of_them - shipped) == set()


def test_every_wrong_setting_is_named_at_once() -> None:
    """settings: every missing and wrong variable is named at once, with what was expected."""
    ended = start(
        REDIS_PORT="70000",
        SQS_QUEUE_URL="tasks",
        REDIS_USER="worker",
        VISIBILITY_TIMEOUT_S="soon",
        CALLBACK_ALLOWED_CIDRS="10.0.0.1/8",
    )
    assert ended.returncode == 64
    lines = ended.stderr.splitlines()
    assert lines[0] == "nanogrid-worker cannot start:"
    named = {line.split(":")[0] for line in lines[1:]}
    assert {"AWS_REGION", "S3_CODE_BUCKET", "JOBS_TABLE", "REDIS_HOST", "RUNTIME_IMAGE_PYTHON"} <= named
    assert {"REDIS_PORT", "SQS_QUEUE_URL", "VISIBILITY_TIMEOUT_S", "CALLBACK_ALLOWED_CIDRS"} <= named
    assert "AWS_REGION: is not set. Set it to the region of the queue" in ended.stderr
    assert "got '70000'" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_iam_authentication_needs_tls_and_a_name() -> None:
    """settings: REDIS_USER without TLS and a cache name is refused, since its token would travel in clear."""
    names = ["AWS_REGION", "ENVIRONMENT", "S3_CODE_BUCKET", "S3_USER_DATA_BUCKET", "JOBS_TABLE", "REDIS_HOST"]
    good = dict.fromkeys([*names, "RUNTIME_IMAGE_PYTHON"], "x")
    urls = {"SQS_QUEUE_URL": "http://aws.test/1/q", "AI_ENDPOINT": "http://10.0.20.100:11434"}
    ended = start(**good, **urls, REDIS_USER="worker")
    assert ended.returncode == 64
    assert [line.split(":")[0] for line in ended.stderr.splitlines()[1:]] == ["REDIS_CACHE_NAME", "REDIS_TLS"]


def test_a_message_moves_before_sqs_forgets_its_receipt() -> None:
    """settings: a hand-over so late that SQS may have let go of the receipt is refused."""
    names = ["AWS_REGION", "ENVIRONMENT", "S3_CODE_BUCKET", "S3_USER_DATA_BUCKET", "JOBS_TABLE", "REDIS_HOST"]
    good = dict.fromkeys([*names, "RUNTIME_IMAGE_PYTHON"], "x")
    ended = start(**good, SQS_QUEUE_URL="http://aws.test/1/q", HAND_OVER_AFTER_S="42000", VISIBILITY_TIMEOUT_S="3600")
    assert ended.returncode == 64
    assert "HAND_OVER_AFTER_S" in ended.stderr


def test_a_worker_without_its_runtime_image_refuses_to_start(grid: Grid, runtime_image: str, scratch: Path) -> None:
    """worker: without its runtime image it refuses to start, and says how to build it."""
    with Worker(grid, f"{runtime_image}-of-nowhere", scratch, WorkerOptions()) as worker:
        assert worker.process.wait(60) == 69
        error = worker.logged("worker refuses to start")[0]["error"]
    assert "Build it with runtimes/build" in error


def test_a_worker_without_an_engine_refuses_to_start(grid: Grid, scratch: Path) -> None:
    """worker: without an engine it refuses to start, and names the address that does not answer."""
    options = WorkerOptions({"DOCKER_HOST": "unix:///nowhere/docker.sock"})
    with Worker(grid, "any", scratch, options) as worker:
        assert worker.process.wait(60) == 69
        assert "unix:///nowhere/docker.sock" in worker.logged("worker refuses to start")[0]["error"]


@pytest.mark.parametrize(
    ("difference", "says"),
    [
        ({"MemoryLimit": False}, "memory limits"),
        ({"PidsLimit": False}, "process limits"),
        ({"CpuCfsQuota": False}, "processor limits"),
        ({"SwapLimit": False}, "swap limits"),
        ({"SecurityOptions": ["name=userns"]}, "seccomp"),
        ({"SecurityOptions": ["name=seccomp,profile=unconfined", "name=userns"]}, "seccomp profile"),
        ({"SecurityOptions": ["name=seccomp,profile=default"]}, "user namespaces"),
    ],
)
def test_an_engine_that_lacks_a_protection_is_not_used(difference: dict[str, object], says: str) -> None:
    """protections: an engine that lacks one is not used."""
    assert missing_in_engine(GOOD_ENGINE, has_swap=True, require_user_namespaces=True) == []
    (missing,) = missing_in_engine({**GOOD_ENGINE, **difference}, has_swap=True, require_user_namespaces=True)
    assert says in missing


@pytest.mark.parametrize(
    ("difference", "says"),
    [
        ({"uid": 0}, "root"),
        ({"groups": [0, 65534]}, "root"),
        ({"capabilities": {"CapBnd": "00000000a80425fb"}}, "capabilities"),
        ({"no_new_privileges": "0"}, "no-new-privileges"),
        ({"seccomp": "0"}, "seccomp"),
        ({"reached": ["169.254.169.254 port 80"]}, "metadata service"),
        ({"writable": ["/"]}, "written"),
        ({"opened": ["/proc/1/environ"]}, "runner"),
        ({"environment": ["AWS_SECRET_ACCESS_KEY", "PATH"]}, "AWS_SECRET_ACCESS_KEY"),
    ],
)
def test_a_sandbox_that_lacks_a_protection_is_not_used(difference: dict[str, object], says: str) -> None:
    """protections: a sandbox in which one has no effect is not used."""
    assert missing_in_sandbox(GOOD_SANDBOX, wants_seccomp=True) == []
    (missing,) = missing_in_sandbox({**GOOD_SANDBOX, **difference}, wants_seccomp=True)
    assert says in missing
