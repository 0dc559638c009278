"""The sandbox images, built as users build them, and functions run in them without a worker around."""

import atexit
import functools
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import docker
import pytest
from docker.errors import DockerException

from nanogrid_worker.results import Outcome
from nanogrid_worker.sandbox.engine import Engine, Spec, life_of
from nanogrid_worker.sandbox.sandbox import Sandbox

RUNTIMES_FOLDER = Path(__file__).parents[4] / "userdata" / "worker" / "runtimes"
BUILD_TIMEOUT_S = 900


@functools.cache
def built(runtime: str) -> str:
    """The image of a runtime, built anew from this checkout."""
    try:
        docker.from_env(timeout=10).ping()
    except DockerException as error:
        pytest.skip(f"no Docker engine answers, set DOCKER_HOST: {error}")
    # A name of this process' own: whoever else tests on this engine has one too.
    tag = f"nanogrid/runtime-{runtime}:tests-of-{os.getpid()}"
    remove = ["docker", "image", "rm", "--force", tag]
    atexit.register(lambda: subprocess.run(remove, check=False, capture_output=True, timeout=60))
    subprocess.run([RUNTIMES_FOLDER / "build", "--runtime", runtime, "--tag", tag], check=True, timeout=BUILD_TIMEOUT_S)
    return tag


@contextmanager
def engine() -> Iterator[Engine]:
    """An engine for the containers of one test or module."""
    made = Engine(cpus=2, runtime="", life=life_of(os.getpid()))
    yield made
    made.close()


@dataclass
class Ran:
    """A run: its outcome, what it printed, and its files by name."""

    outcome: Outcome
    files: dict[str, bytes] = field(default_factory=dict)

    @property
    def output(self) -> Any:
        """What the function returned; fails with the whole outcome when it did not."""
        assert self.outcome.code == "ok", self.outcome
        return self.outcome.output

    @property
    def error(self) -> dict[str, str]:
        """The error of a run that failed with one."""
        assert self.outcome.error is not None, self.outcome
        return self.outcome.error

    @property
    def log(self) -> str:
        """What it printed."""
        return self.outcome.logs.decode()


class Lab:
    """A container whose function each test replaces, which a worker never does. A new one follows a spoilt one."""

    def __init__(self, made_by: Engine, image: str, scratch: Path, memory_mb: int = 128) -> None:
        self._engine = made_by
        self.folder = Path(tempfile.mkdtemp(prefix="lab-", dir=scratch))
        self._code = self.folder / "function"
        self._dependencies = self.folder / "dependencies"
        for folder in (self.folder, self._code, self._dependencies):
            folder.mkdir(exist_ok=True)
            folder.chmod(0o755)
        self._spec = Spec(
            image=image, memory_mb=memory_mb, job_id="lab", code=self._code, dependencies=self._dependencies
        )
        self._sandbox: Sandbox | None = None

    def run(
        self,
        files: dict[str, str],
        event: Any = None,
        *,
        handler: str = "main.handler",
        environment: dict[str, str] | None = None,
        timeout_s: float | None = 20,
        dependencies: dict[str, str] | None = None,
    ) -> Ran:
        """Runs a function."""
        _replace(self._code, files)
        _replace(self._dependencies, dependencies or {})
        payload = {"job_id": "job_x", "handler": handler, "input": event, "environment": environment or {}}
        sandbox = self.sandbox
        outcome, outputs = sandbox.run(payload, timeout_s)
        sandbox.settle()
        return Ran(outcome, {file.name: file.path.read_bytes() for file in outputs.received})

    @property
    def sandbox(self) -> Sandbox:
        """The container that takes the next run."""
        if self._sandbox is None or not self._sandbox.is_reusable:
            self.close()
            self._sandbox = Sandbox(self._engine, self.folder, self.folder, self._spec)
        return self._sandbox

    def with_memory(self, memory_mb: int) -> None:
        """Continues with a new container of another memory limit."""
        self.close()
        self._spec = replace(self._spec, memory_mb=memory_mb)

    def close(self) -> None:
        """Removes the container."""
        if self._sandbox is not None:
            self._sandbox.close()
            self._sandbox = None


def _replace(folder: Path, files: dict[str, str]) -> None:
    for old in folder.iterdir():
        shutil.rmtree(old) if old.is_dir() else old.unlink()
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        for part in (path, *path.parents):
            if part == folder:
                break
            part.chmod(0o755 if part.is_dir() else 0o644)
