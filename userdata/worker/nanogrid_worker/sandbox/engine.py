"""Containers of the Docker engine, made so that a function can harm nobody but itself."""

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import docker
import requests
from docker.errors import DockerException, ImageNotFound, NotFound
from docker.models.containers import Container
from docker.types import LogConfig, Mount, Ulimit

from nanogrid_worker.errors import InfrastructureError, ProtectionMissing
from nanogrid_worker.log import logger

_TIMEOUT_S = 60
_MIB = 1024 * 1024
_NANO = 1_000_000_000

WORKER_LABEL = "nanogrid.worker"
JOB_LABEL = "nanogrid.job"

USER = "65534:65534"
PIDS = 64
OPEN_FILES = 1024
TMP_MB = 64
OUTPUT_MB = 64

log = logger(__name__)

EngineError = (DockerException, requests.RequestException)


@dataclass(frozen=True)
class Spec:
    """What differs between two containers."""

    image: str
    code: Path
    sockets: Path
    memory_mb: int
    job_id: str


class Engine:
    """The engine that DOCKER_HOST names, or the local one.

    Args:
        cpus: processors per container.
        runtime: OCI runtime; empty for the engine's default.
        life: label of this worker's containers. Those of a worker whose process is gone are removed at the start.
    """

    def __init__(self, cpus: float, runtime: str, life: str) -> None:
        try:
            self._client = docker.from_env(timeout=_TIMEOUT_S)
            self._client.ping()
        except EngineError as error:
            host = os.environ.get("DOCKER_HOST", "the default address")
            raise ProtectionMissing(
                f"no Docker engine answers at {host}: {error}. Start it, or set DOCKER_HOST."
            ) from error
        self._cpus = cpus
        self._runtime = runtime
        self._life = life
        self._removals = ThreadPoolExecutor(max_workers=2, thread_name_prefix="remove-container")

    @property
    def has_own_kernel(self) -> bool:
        """Whether sandboxes run under a runtime that was chosen in the settings."""
        return bool(self._runtime)

    def info(self) -> dict[str, Any]:
        """What the engine says of itself."""
        info: dict[str, Any] = self._client.info()
        return info

    def start(self, spec: Spec) -> Container:
        """Creates and starts a container.

        Raises:
            InfrastructureError: the engine would not.
        """
        container: Container | None = None
        try:
            container = self._client.containers.create(spec.image, **self.options(spec))
            container.start()
        except ImageNotFound as error:
            raise InfrastructureError(f"image {spec.image} is missing. Build it with runtimes/python/build.") from error
        except EngineError as error:
            if container is not None:
                self.remove(container)
            raise InfrastructureError(f"the engine started no container: {error}") from error
        return container

    def options(self, spec: Spec) -> dict[str, Any]:
        """Every protection, as the engine's client takes it."""
        memory = spec.memory_mb * _MIB
        return {
            "user": USER,
            "cap_drop": ["ALL"],
            "security_opt": ["no-new-privileges:true"],
            "read_only": True,
            "network_mode": "none",
            "ipc_mode": "private",
            "pids_limit": PIDS,
            "ulimits": [
                Ulimit(name="nofile", soft=OPEN_FILES, hard=OPEN_FILES),
                Ulimit(name="core", soft=0, hard=0),
            ],
            "mem_limit": memory,
            "memswap_limit": memory,
            "nano_cpus": round(self._cpus * _NANO),
            "shm_size": _MIB,
            "tmpfs": {
                "/tmp": f"rw,nosuid,nodev,noexec,mode=1777,size={TMP_MB}m",  # noqa: S108 (in the container)
                "/output": f"rw,nosuid,nodev,noexec,mode=0700,uid=65534,gid=65534,size={OUTPUT_MB}m",
            },
            "mounts": [
                Mount("/function", str(spec.code), type="bind", read_only=True),
                Mount("/run/nanogrid", str(spec.sockets), type="bind", read_only=True),
            ],
            "log_config": LogConfig(type="none"),
            "init": True,
            "labels": {WORKER_LABEL: self._life, JOB_LABEL: spec.job_id},
            **({"runtime": self._runtime} if self._runtime else {}),
        }

    def was_out_of_memory(self, container: Container) -> bool:
        """Whether the kernel has killed in this container for memory."""
        return bool(self._state(container)["OOMKilled"])

    def exit_code(self, container: Container) -> int | None:
        """The code that a container has ended with; None while it runs."""
        state = self._state(container)
        return None if state["Running"] else int(state["ExitCode"])

    def remove(self, container: Container) -> None:
        """Kills and removes a container, off the caller's path."""
        self._removals.submit(self._remove, container)

    def remove_leftovers(self) -> int:
        """Removes containers of workers of this machine that are gone; how many there were."""
        leftovers = [
            container
            for container in self._client.containers.list(
                all=True, filters={"label": WORKER_LABEL}, ignore_removed=True
            )
            if not is_alive(container.labels[WORKER_LABEL])
        ]
        for container in leftovers:
            self._remove(container)
        return len(leftovers)

    def close(self) -> None:
        """Waits for removals, and lets go of the engine."""
        self._removals.shutdown(wait=True)
        self._client.close()

    def _state(self, container: Container) -> dict[str, Any]:
        try:
            container.reload()
        except EngineError as error:
            raise InfrastructureError(f"container {container.short_id} cannot be inspected: {error}") from error
        state: dict[str, Any] = container.attrs["State"]
        return state

    def _remove(self, container: Container) -> None:
        try:
            container.remove(force=True)
        except NotFound:
            return
        except EngineError as error:
            log.warning("container not removed", container=container.short_id, error=repr(error))


def life_of(pid: int) -> str:
    """Names a process for good: its id with its start time, since ids come again. `<pid>-<start time in ticks>`."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return f"{pid}-{fields[19]}"


def is_alive(life: str) -> bool:
    """Whether the process that was named still runs."""
    pid = life.partition("-")[0]
    try:
        return pid.isdecimal() and life_of(int(pid)) == life
    except (FileNotFoundError, ProcessLookupError):
        return False
