"""Containers that wait, so that a run finds one that is up already.

A warm container has run a version before and waits for it alone. A prewarmed one has run nothing: it waits for any
version of its runtime, gets that version's files, and belongs to it from then on. Nothing ever serves two versions.
"""

import contextlib
import os
import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from nanogrid_worker.ai import AiGateway
from nanogrid_worker.errors import InfrastructureError
from nanogrid_worker.log import logger
from nanogrid_worker.outputs import Outputs
from nanogrid_worker.results import Outcome, Start
from nanogrid_worker.sandbox.engine import Engine, Spec, is_alive
from nanogrid_worker.sandbox.sandbox import LogListener, Sandbox

PREWARMED_MEMORY_MB = 256
"""Memory limit of prewarmed containers: the functions' default, which spares most of them a change of it."""

AI_SOCKET = "/run/nanogrid/ai.sock"
"""Where the user's code finds the AI node."""

# Making a container keeps a processor busy for a moment, which a short run that has just begun should not share.
_REFILL_AFTER_S = 1.0
_RETRY_REFILL_S = 15.0
# Then comes the life of the worker, so that another one finds what a killed one has left.
_FOLDER_PREFIX = "box-"

log = logger(__name__)


@dataclass(frozen=True)
class Version:
    """All that one container may serve; equal versions share warm containers.

    Attributes:
        tenant, function_id, function_version: whose code it is.
        runtime: key of the pool's images.
        memory_mb: limit of one run, in MiB.
        egress: whether it reaches the network.
        code: unpacked code.
        dependencies: unpacked dependencies; None for none.
    """

    tenant: str
    function_id: str
    function_version: int
    runtime: str
    memory_mb: int
    egress: bool
    code: Path
    dependencies: Path | None


@dataclass(frozen=True)
class PoolLimits:
    """How much waits, and for how long.

    Attributes:
        prewarmed: containers per runtime that wait for any version.
        max_warm: containers that wait for their version, over all versions.
        pause_after_s: idle time after which a warm container is frozen.
        keep_s: idle time after which it is removed.
        egress_network: the engine's network of versions with egress; empty where there is none.
    """

    prewarmed: int = 1
    max_warm: int = 8
    pause_after_s: float = 10.0
    keep_s: float = 600.0
    egress_network: str = ""


class Pool:
    """The sandboxes of a worker. Safe to use from all its threads.

    Args:
        engine: where containers come from.
        run_dir: folder for sockets.
        work_dir: folder for files on their way, on the file system of the code cache, so that code can be linked.
        images: image by runtime.
        limits: see PoolLimits.
        ai: where the AI node is reached; None where there is none.
    """

    def __init__(
        self,
        engine: Engine,
        run_dir: Path,
        work_dir: Path,
        images: Mapping[str, str],
        limits: PoolLimits,
        ai: AiGateway | None,
    ) -> None:
        self._engine = engine
        self._run_dir = run_dir
        self._work_dir = work_dir
        self._images = images
        self._limits = limits
        self._ai = ai
        self._changed = threading.Condition()
        self._warm: list[_Box] = []
        self._prewarmed: dict[str, list[_Box]] = {runtime: [] for runtime in images}
        self._refill_at = 0.0
        self._is_closed = False
        _remove_leftovers(work_dir)
        self._keeper = threading.Thread(target=self._keep, name="pool-keeper", daemon=True)
        self._keeper.start()

    @contextlib.contextmanager
    def lease(self, version: Version, job_id: str) -> "Iterator[Lease]":
        """A container for one run: a warm one of this version, else a prewarmed one, else a new one.

        It comes back to the pool with the end of the context, if the run left it clean; else it is removed. Whoever has
        something else to do first need not wait for that. The files of the run are there until then.

        Raises:
            InfrastructureError: there is none to be had.
        """
        start, box = self._take(version, job_id)
        lease = Lease(start, box)
        try:
            yield lease
        finally:
            lease.end()
            self._give_back(box)

    def warm(self) -> int:
        """Containers that wait for their version."""
        with self._changed:
            return len(self._warm)

    def prewarmed(self) -> int:
        """Containers that wait for any version."""
        with self._changed:
            return sum(map(len, self._prewarmed.values()))

    def close(self) -> None:
        """Removes all that waits; what is leased is removed when its lease ends."""
        with self._changed:
            self._is_closed = True
            boxes = [*self._warm, *(box for waiting in self._prewarmed.values() for box in waiting)]
            self._warm.clear()
            self._prewarmed.clear()
            self._changed.notify_all()
        self._keeper.join()
        for box in boxes:
            box.close()

    def _take(self, version: Version, job_id: str) -> "tuple[Start, _Box]":
        while (box := self._pop_warm(version)) is not None:
            if self._is_usable(box, _Box.wake):
                return "warm", box
        while (box := self._pop_prewarmed(version)) is not None:
            if self._is_usable(box, lambda box: box.specialise(version)):
                return "prewarmed", box
        try:
            return "cold", self._cold(version, job_id)
        except OSError as error:
            raise InfrastructureError(f"no sandbox can be laid out on this machine's disk: {error}") from error

    def _cold(self, version: Version, job_id: str) -> "_Box":
        box = self._new(version.runtime, version.memory_mb, job_id, self._network(version))
        try:
            # Files are linked while the runner starts.
            box.specialise(version)
            box.sandbox.connect()
        except BaseException:
            box.close()
            raise
        return box

    def _is_usable(self, box: "_Box", prepare: "Callable[[_Box], None]") -> bool:
        try:
            prepare(box)
            if box.sandbox.is_quiet():
                return True
            log.warning("container lost while it waited", container=box.sandbox.container[:12])
        except (InfrastructureError, OSError) as error:
            log.warning("container not usable", container=box.sandbox.container[:12], error=str(error))
        box.close()
        return False

    def _pop_warm(self, version: Version) -> "_Box | None":
        with self._changed:
            # The one that waits for the shortest time is the least likely to be paused.
            for index in reversed(range(len(self._warm))):
                if self._warm[index].version == version:
                    return self._warm.pop(index)
        return None

    def _pop_prewarmed(self, version: Version) -> "_Box | None":
        if version.egress:
            return None
        with self._changed:
            waiting = self._prewarmed.get(version.runtime)
            if not waiting:
                return None
            self._refill_at = time.monotonic() + _REFILL_AFTER_S
            self._changed.notify_all()
            return waiting.pop()

    def _network(self, version: Version) -> str | None:
        if not version.egress:
            return None
        if not self._limits.egress_network:
            raise InfrastructureError("this worker has no egress network. Set EGRESS_NETWORK.")
        return self._limits.egress_network

    def _new(self, runtime: str, memory_mb: int, job_id: str, network: str | None) -> "_Box":
        image = self._images.get(runtime)
        if image is None:
            raise InfrastructureError(f"this worker has no image for the runtime {runtime!r}")
        return _Box(self._engine, self._run_dir, self._work_dir, image, memory_mb, job_id, network, self._ai)

    def _give_back(self, box: "_Box") -> None:
        surplus = [box]
        box.sandbox.settle()
        if box.sandbox.is_reusable:
            box.rest()
            with self._changed:
                if not self._is_closed:
                    self._warm.append(box)
                    too_many = max(0, len(self._warm) - self._limits.max_warm)
                    surplus, self._warm = self._warm[:too_many], self._warm[too_many:]
                    self._changed.notify_all()
        for gone in surplus:
            gone.close()

    def _keep(self) -> None:
        """Pauses, removes and refills, until the pool closes."""
        while True:
            with self._changed:
                if self._is_closed:
                    return
                self._changed.wait(self._until_next())
                if self._is_closed:
                    return
            self._remove_old()
            self._pause_idle()
            self._refill()

    def _until_next(self) -> float | None:
        """Seconds until something is due; None when only a change can make it so."""
        now = time.monotonic()
        due = [box.idle_since + self._limits.keep_s for box in self._warm]
        due += [box.idle_since + self._limits.pause_after_s for box in self._warm if not box.is_paused]
        if self._lacking() is not None:
            due.append(self._refill_at)
        return max(0.0, min(due) - now) if due else None

    def _remove_old(self) -> None:
        with self._changed:
            before = time.monotonic() - self._limits.keep_s
            old = [box for box in self._warm if box.idle_since <= before]
            self._warm = [box for box in self._warm if box.idle_since > before]
        for box in old:
            box.close()

    def _pause_idle(self) -> None:
        while True:
            with self._changed:
                before = time.monotonic() - self._limits.pause_after_s
                idle = [box for box in self._warm if not box.is_paused and box.idle_since <= before]
                if not idle:
                    return
                # Whoever leases it meanwhile waits for this lock, and wakes it.
                box = idle[0]
                box.lock.acquire()
            try:
                box.pause()
            except InfrastructureError as error:
                log.warning("container not paused", error=str(error))
                self._drop(box)
            finally:
                box.lock.release()

    def _drop(self, box: "_Box") -> None:
        with self._changed:
            is_ours = box in self._warm
            if is_ours:
                self._warm.remove(box)
        if is_ours:
            box.close()

    def _lacking(self) -> str | None:
        """A runtime with too few prewarmed containers, if there is one."""
        for runtime, waiting in self._prewarmed.items():
            if len(waiting) < self._limits.prewarmed:
                return runtime
        return None

    def _refill(self) -> None:
        while True:
            with self._changed:
                runtime = self._lacking()
                if runtime is None or self._is_closed or time.monotonic() < self._refill_at:
                    return
            try:
                box = self._new(runtime, PREWARMED_MEMORY_MB, "prewarmed", None)
                try:
                    box.sandbox.connect()
                except BaseException:
                    box.close()
                    raise
            except (InfrastructureError, OSError) as error:
                log.warning("no container prewarmed", runtime=runtime, error=str(error))
                with self._changed:
                    self._refill_at = time.monotonic() + _RETRY_REFILL_S
                return
            with self._changed:
                if not self._is_closed:
                    self._prewarmed[runtime].append(box)
                    continue
            box.close()
            return


class Lease:
    """A container for one run.

    Attributes:
        start: what the run found.
    """

    def __init__(self, start: Start, box: "_Box") -> None:
        self.start: Start = start
        self._box = box
        self._lock = threading.Lock()
        self._has_ended = False

    def run(self, payload: dict[str, Any], timeout_s: float | None, on_log: LogListener) -> tuple[Outcome, Outputs]:
        """Runs one job, as Sandbox.run does, with the AI node where there is one; once."""
        outcome, outputs = self._box.run(payload, timeout_s, on_log)
        return replace(outcome, start=self.start), outputs

    def abort(self) -> None:
        """Stops the run from another thread. After its end this does nothing: the container may be another run's."""
        with self._lock:
            if not self._has_ended:
                self._box.sandbox.abort()

    def end(self) -> None:
        """Lets go of the container."""
        with self._lock:
            self._has_ended = True


class _Box:
    """A sandbox with folders of its own for code and dependencies, which are empty until it is specialised."""

    def __init__(
        self,
        engine: Engine,
        run_dir: Path,
        work_dir: Path,
        image: str,
        memory_mb: int,
        job_id: str,
        network: str | None,
        ai: AiGateway | None,
    ) -> None:
        self.lock = threading.Lock()
        self.version: Version | None = None
        self.idle_since = 0.0
        self.is_paused = False
        self._engine = engine
        self._memory_mb = memory_mb
        self._outputs: Outputs | None = None
        with contextlib.ExitStack() as stack:
            self._folder = Path(tempfile.mkdtemp(prefix=f"{_FOLDER_PREFIX}{engine.life}.", dir=work_dir))
            stack.callback(shutil.rmtree, self._folder, ignore_errors=True)
            for folder in (self._code, self._dependencies):
                _make_folder(folder)
            spec = Spec(
                image=image,
                memory_mb=memory_mb,
                job_id=job_id,
                code=self._code,
                dependencies=self._dependencies,
                network=network,
            )
            self.sandbox = Sandbox(engine, run_dir, work_dir, spec)
            stack.callback(self.sandbox.close)
            self._ai = None if ai is None else ai.listen(self.sandbox.sockets / Path(AI_SOCKET).name)
            if self._ai is not None:
                stack.callback(self._ai.close)
            self._closing = stack.pop_all()

    @property
    def _code(self) -> Path:
        return self._folder / "function"

    @property
    def _dependencies(self) -> Path:
        return self._folder / "dependencies"

    def specialise(self, version: Version) -> None:
        """Gives it to a version for ever.

        Raises:
            InfrastructureError: the engine does not change its memory.
        """
        self.version = version
        if version.memory_mb != self._memory_mb:
            self._engine.limit_memory(self.sandbox.container, version.memory_mb)
        link_files(version.code, self._code)
        if version.dependencies is not None:
            link_files(version.dependencies, self._dependencies)

    def run(self, payload: dict[str, Any], timeout_s: float | None, on_log: LogListener) -> tuple[Outcome, Outputs]:
        """Runs one job."""
        if self._ai is not None:
            payload = {**payload, "environment": {**payload["environment"], "NANOGRID_AI_SOCKET": AI_SOCKET}}
        outcome, self._outputs = self.sandbox.run(payload, timeout_s, on_log)
        if self._ai is not None:
            outcome = replace(outcome, ai=self._ai.usage())
        return outcome, self._outputs

    def rest(self) -> None:
        """Forgets the last run, to wait for the next."""
        if self._outputs is not None:
            self._outputs.remove()
            self._outputs = None
        if self._ai is not None:
            self._ai.reset()
        self.idle_since = time.monotonic()

    def pause(self) -> None:
        """Freezes it. The caller holds the lock."""
        # Even if the engine gives up: it may be paused then, and wake() finds out.
        self.is_paused = True
        self._engine.pause(self.sandbox.container)

    def wake(self) -> None:
        """Makes sure that it runs.

        Raises:
            InfrastructureError: the engine does not unpause it.
        """
        with self.lock:
            if self.is_paused:
                self._engine.unpause(self.sandbox.container)
                self.is_paused = False

    def close(self) -> None:
        """Removes it and its folders."""
        self._closing.close()


def _remove_leftovers(work_dir: Path) -> None:
    for folder in work_dir.glob(f"{_FOLDER_PREFIX}*"):
        life = folder.name.removeprefix(_FOLDER_PREFIX).partition(".")[0]
        if not is_alive(life):
            shutil.rmtree(folder, ignore_errors=True)


def link_files(source: Path, into: Path) -> None:
    """Fills an empty folder with hard links of all files below another; copies where links cannot be made."""
    folders = [(source, into)]
    while folders:
        origin, target = folders.pop()
        with os.scandir(origin) as entries:
            for entry in entries:
                destination = target / entry.name
                if entry.is_dir(follow_symlinks=False):
                    _make_folder(destination)
                    folders.append((Path(entry.path), destination))
                else:
                    _link(entry.path, destination)


def _make_folder(path: Path) -> None:
    """Makes a folder that the sandbox's user can read, whatever the worker's umask is."""
    path.mkdir()
    path.chmod(0o755)


def _link(source: str, destination: Path) -> None:
    try:
        os.link(source, destination, follow_symlinks=False)
    except OSError:
        shutil.copy2(source, destination, follow_symlinks=False)
