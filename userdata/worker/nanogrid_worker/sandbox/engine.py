"""Containers of the Docker engine, made so that a function can harm nobody but itself."""

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import docker
import requests
from docker.errors import DockerException, ImageNotFound, NotFound
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
    """What differs between two containers.

    Attributes:
        image: what it is made of; its entry point is a runner.
        memory_mb: limit in MiB, swap included.
        job_id: whom it is made for, as a label.
        code: folder of the function, read-only at /function.
        dependencies: folder of its dependencies, read-only at /dependencies; None for none.
        source: a folder to read from, read-only at /source; None for none.
        network: the engine's network that it is in; None for no network at all.
        cpus: processors; None for the worker's usual.
        pids: processes and threads at once.
        tmp_mb: size of /tmp in MiB, which counts against the memory.
        tmp_exec: whether programs may be started from /tmp.
        output_mb: size of /output in MiB, which counts against the memory, and of all that is taken from there.
    """

    image: str
    memory_mb: int
    job_id: str
    code: Path
    dependencies: Path | None = None
    source: Path | None = None
    network: str | None = None
    cpus: float | None = None
    pids: int = PIDS
    tmp_mb: int = TMP_MB
    tmp_exec: bool = False
    output_mb: int = OUTPUT_MB


class Engine:
    """The engine that DOCKER_HOST names, or the local one.

    Args:
        cpus: processors per container that names no number of its own.
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
        self.life = life
        self._removals = ThreadPoolExecutor(max_workers=2, thread_name_prefix="remove-container")

    @property
    def has_own_kernel(self) -> bool:
        """Whether sandboxes run under a runtime that was chosen in the settings."""
        return bool(self._runtime)

    def info(self) -> dict[str, Any]:
        """What the engine says of itself."""
        info: dict[str, Any] = self._client.info()
        return info

    def start(self, spec: Spec, sockets: Path) -> str:
        """Creates and starts a container; its id.

        Args:
            spec: the container.
            sockets: folder that it sees, read-only, at /run/nanogrid.

        Raises:
            InfrastructureError: the engine would not.
        """
        api = self._client.api
        container: str | None = None
        try:
            host_config = api.create_host_config(**self.options(spec, sockets))
            labels = {WORKER_LABEL: self.life, JOB_LABEL: spec.job_id}
            created = api.create_container(spec.image, user=USER, labels=labels, host_config=host_config)
            container = str(created["Id"])
            api.start(container)
        except ImageNotFound as error:
            raise InfrastructureError(f"image {spec.image} is missing. Build it with runtimes/build.") from error
        except EngineError as error:
            if container is not None:
                self.remove(container)
            raise InfrastructureError(f"the engine started no container: {error}") from error
        return container

    def options(self, spec: Spec, sockets: Path) -> dict[str, Any]:
        """Every protection, as the engine's client takes it."""
        memory = spec.memory_mb * _MIB
        tmp_exec = "exec" if spec.tmp_exec else "noexec"
        folders = {
            "/function": spec.code,
            "/dependencies": spec.dependencies,
            "/source": spec.source,
            "/run/nanogrid": sockets,
        }
        return {
            "cap_drop": ["ALL"],
            "security_opt": ["no-new-privileges:true"],
            "read_only": True,
            "network_mode": spec.network or "none",
            "ipc_mode": "private",
            "pids_limit": spec.pids,
            "ulimits": [
                Ulimit(name="nofile", soft=OPEN_FILES, hard=OPEN_FILES),
                Ulimit(name="core", soft=0, hard=0),
            ],
            "mem_limit": memory,
            "memswap_limit": memory,
            "nano_cpus": round((spec.cpus or self._cpus) * _NANO),
            "shm_size": _MIB,
            "tmpfs": {
                "/tmp": f"rw,nosuid,nodev,{tmp_exec},mode=1777,size={spec.tmp_mb}m",  # noqa: S108 (in the container)
                "/output": f"rw,nosuid,nodev,noexec,mode=0700,uid=65534,gid=65534,size={spec.output_mb}m",
            },
            "mounts": [
                Mount(target, str(folder), type="bind", read_only=True)
                for target, folder in folders.items()
                if folder is not None
            ],
            "log_config": LogConfig(type="none"),
            # The runner is the first process: nothing inside can kill, stop or trace it. Docker's own init would be a
            # process of the function's user that outlives each run, and that a function could take over.
            "init": False,
            **({"runtime": self._runtime} if self._runtime else {}),
        }

    def limit_memory(self, container: str, memory_mb: int) -> None:
        """Changes the memory limit of a container that runs.

        Raises:
            InfrastructureError: the engine would not, or the container holds more already.
        """
        memory = memory_mb * _MIB
        try:
            self._client.api.update_container(container, mem_limit=memory, memswap_limit=memory)
        except EngineError as error:
            raise InfrastructureError(f"container {container[:12]} got no new memory limit: {error}") from error

    def pause(self, container: str) -> None:
        """Freezes a container's processes.

        Raises:
            InfrastructureError: the engine would not.
        """
        try:
            self._client.api.pause(container)
        except EngineError as error:
            raise InfrastructureError(f"container {container[:12]} cannot be paused: {error}") from error

    def unpause(self, container: str) -> None:
        """Lets a paused container go on.

        Raises:
            InfrastructureError: the engine would not.
        """
        try:
            self._client.api.unpause(container)
        except EngineError as error:
            raise InfrastructureError(f"container {container[:12]} cannot be unpaused: {error}") from error

    def was_out_of_memory(self, container: str) -> bool:
        """Whether the kernel has killed in this container for memory."""
        return bool(self._state(container)["OOMKilled"])

    def exit_code(self, container: str) -> int | None:
        """The code that a container has ended with; None while it runs."""
        state = self._state(container)
        return None if state["Running"] else int(state["ExitCode"])

    def remove(self, container: str) -> None:
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
            self._remove(str(container.id))
        return len(leftovers)

    def close(self) -> None:
        """Waits for removals, and lets go of the engine."""
        self._removals.shutdown(wait=True)
        self._client.close()

    def _state(self, container: str) -> dict[str, Any]:
        try:
            state: dict[str, Any] = self._client.api.inspect_container(container)["State"]
        except EngineError as error:
            raise InfrastructureError(f"container {container[:12]} cannot be inspected: {error}") from error
        return state

    def _remove(self, container: str) -> None:
        try:
            self._client.api.remove_container(container, force=True)
        except NotFound:
            return
        except EngineError as error:
            log.warning("container not removed", container=container[:12], error=repr(error))


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
