"""The queue: one of the back's processes hands runs to Kubeflow Pipelines, and notes how they end.

All it knows is on the volume: a process that takes over goes on where the other one was.
"""

import fcntl
import random
import threading
import time
from contextlib import suppress
from typing import IO, Any

import structlog
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from music_back.kubeflow import ENDED_BADLY, Away, Kubeflow
from music_back.runs import Runs, age_s, now
from music_back.settings import Settings
from music_common.log import logger
from music_common.problems import Problem
from music_common.volume import Volume

log = logger(__name__)

_DAY_S = 86_400
_SWEEP_S = 3600
_SECONDS = (5, 10, 20, 40, 60, 120, 240, 480, 960, 1920, 3840, 7680)


class Dispatcher:
    """A thread that looks at the queue every MUSIC_POLL_SECONDS."""

    def __init__(
        self, settings: Settings, volume: Volume, runs: Runs, kubeflow: Kubeflow, registry: CollectorRegistry
    ) -> None:
        self._settings = settings
        self._volume = volume
        self._runs = runs
        self._kubeflow = kubeflow
        self._ending = threading.Event()
        self._swept = 0.0
        self._lock: IO[bytes] | None = None
        self._looked = time.monotonic()
        self._depth = Gauge("music_queue_depth", "Runs by state: queued, running.", ["state"], registry=registry)
        self._backlog = Gauge(
            "music_stage_backlog",
            "Pieces of work that a stage has before it; KEDA scales on it.",
            ["stage"],
            registry=registry,
        )
        self._free = Gauge("music_volume_free_bytes", "Room on the shared volume.", registry=registry)
        self._ended = Counter("music_runs_total", "Runs that ended, by how.", ["outcome"], registry=registry)
        self._seconds = Histogram(
            "music_run_seconds", "Seconds from the start of a run to its end.", buckets=_SECONDS, registry=registry
        )
        self._thread = threading.Thread(target=self._work, name="dispatcher", daemon=True)
        self._thread.start()

    def stuck(self) -> bool:
        """Return whether it has not looked at the queue for far too long."""
        return time.monotonic() - self._looked > 120 + 10 * self._settings.music_poll_seconds

    def close(self) -> None:
        """End, after what it does at the moment. Pipelines go on: the next process finds them."""
        self._ending.set()
        self._thread.join(timeout=30)

    def _work(self) -> None:
        while not self._ending.wait(self._settings.music_poll_seconds * random.uniform(0.8, 1.2)):  # noqa: S311 (jitter)
            try:
                self._measure()
                if self._leads():
                    self._look()
                    self._sweep()
            except Exception as error:
                log.error("the queue could not be looked at", exc_info=error)
            self._looked = time.monotonic()

    def _leads(self) -> bool:
        """Return whether this process is the one that hands out. The lock goes with the process."""
        if self._lock is not None:
            return True
        folder = self._volume.root / "active"
        folder.mkdir(exist_ok=True)
        lock = (folder / ".dispatcher").open("ab")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.close()
            return False
        self._lock = lock
        log.info("leads")
        return True

    def _measure(self) -> None:
        states = [(self._runs.read(run) or {}).get("state") for run in self._runs.active()]
        for state in ("queued", "running"):
            self._depth.labels(state).set(states.count(state))
        for stage, pieces in self._runs.backlog().items():
            self._backlog.labels(stage).set(pieces)
        self._free.set(self._volume.free_bytes())

    def _look(self) -> None:
        running = 0
        for run in self._runs.active():
            with structlog.contextvars.bound_contextvars(run=run):
                try:
                    running += self._advance(run, running < self._settings.music_pipelines)
                except Away as error:
                    log.warning("will ask again", error=str(error))
                except Problem as problem:
                    log.warning("will try again", error=str(problem), status=problem.status)

    def _advance(self, run: str, may_start: bool) -> bool:
        """Take a run one step on. Return whether it has a pipeline that runs."""
        stored = self._runs.read(run)
        if stored is None or stored["state"] in ("succeeded", "failed"):
            self._runs.unmark(run)
            return False
        if stored["state"] == "uploaded":
            # Whoever marked it writes its order next.
            return False
        if stored["state"] == "queued":
            return may_start and self._start(run, stored)
        state, words = self._kubeflow.state(stored["pipeline"])
        if state == "SUCCEEDED":
            self._end(run, stored, "succeeded")
        elif state in ENDED_BADLY:
            told = self._runs.problem(run) or _failed("pipeline-failed", words or f"The pipeline has {state.lower()}.")
            self._end(run, stored, "failed", told)
        elif age_s(stored["submitted"]) > self._settings.music_run_seconds:
            with suppress(Away):
                self._kubeflow.terminate(stored["pipeline"])
            detail = f"The run has not ended within {self._settings.music_run_seconds:.0f} s."
            self._end(run, stored, "failed", _failed("timed-out", detail))
        else:
            return True
        return False

    def _start(self, run: str, stored: dict[str, Any]) -> bool:
        arguments = {
            "run": run,
            "indices": list(range(stored["order"]["candidates"])),
            "first_stage": self._settings.music_first_stage,
            "second_stage": self._settings.music_second_stage,
        }
        try:
            pipeline = self._kubeflow.start(run.replace("/", "."), arguments)
        except Away as error:
            if age_s(stored["started"]) > self._settings.music_submit_seconds:
                self._end(run, stored, "failed", _failed("unavailable", str(error)))
                return False
            raise
        with self._runs.changing(run) as document:
            document.update(state="running", pipeline=pipeline, submitted=now())
        log.info("started", pipeline=pipeline)
        return True

    def _end(self, run: str, stored: dict[str, Any], state: str, error: dict[str, Any] | None = None) -> None:
        self._runs.end(run, state, error)
        seconds = age_s(stored["started"])
        self._ended.labels(state).inc()
        self._seconds.observe(seconds)
        log.info("ended", state=state, s=round(seconds, 1), error=(error or {}).get("detail"))

    def _sweep(self) -> None:
        """Remove runs that are older than they are kept."""
        if self._swept and time.monotonic() - self._swept < _SWEEP_S:
            return
        self._swept = time.monotonic()
        for run in self._runs.sweep(self._settings.music_keep_days * _DAY_S):
            log.info("removed", run=run)


def _failed(kind: str, detail: str) -> dict[str, Any]:
    problem = Problem(502, kind, "The run failed", detail, "Start a new run; if it fails again, ask the operator.")
    return problem.document("/runs", "")
