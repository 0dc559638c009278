"""What both stages do: a piece of work of a run, once, with its result in a file beside the run."""

import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any, TypeVar

import structlog
from fastapi import FastAPI
from prometheus_client import CollectorRegistry
from pydantic import BaseModel, ConfigDict, Field

from music_common.app import Health, make_app
from music_common.gpu import watch_gpus
from music_common.log import logger, set_up_log
from music_common.problems import Problem
from music_common.settings import BadSettings, StageSettings, read_settings
from music_common.volume import Volume, only_one, read_json, write_json
from music_common.work import Line

log = logger(__name__)

_LOCK_WAIT_S = 30
_NO_MODEL = 78
"""Exit code of a program whose configuration is at fault (EX_CONFIG of sysexits.h)."""

Run = Annotated[str, Field(pattern=r"^[0-9a-f]{32}/[0-9a-f]{32}$", description="`<user>/<run>`")]


class StepOfRun(BaseModel):
    """Names the run that a step is for."""

    model_config = ConfigDict(extra="forbid", strict=True)

    run: Run


class ModelMissing(Exception):
    """The weights of a model, or its library, cannot be had; the message says what to do."""


class Stage:
    """A stage's volume, line and application.

    Args:
        title: the service's name.
        settings: the service's.
    """

    def __init__(self, title: str, settings: StageSettings) -> None:
        self.volume = Volume(settings.music_data)
        registry = CollectorRegistry()
        watch_gpus(registry)
        self._line = Line(registry, settings.music_queue, settings.music_work_seconds)
        self.app: FastAPI = make_app(title, registry, Health(self._dead, self._unready, lambda: None))

    def once(self, run: str, step: str, output: Path, make: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        """Return what a step makes, and make it only where no one has before.

        Two requests for the same step do not work side by side, in this process or in another; what a process that
        died has begun is begun anew.

        Args:
            run: the run, for the log.
            step: the step, for the log and the metrics.
            output: file of the result, a JSON document; `….problem.json` beside it says why there is none.
            make: does the work, and returns the document.

        Raises:
            Problem: as `make` does; 503 where too many wait; 507 where the volume is full.
        """
        structlog.contextvars.bind_contextvars(run=run, step=step, output=output.name)
        done = read_json(output)
        if done is None:
            with only_one(output, _LOCK_WAIT_S):
                done = read_json(output)
                if done is None:
                    return self._work(step, output, make)
        self._line.found(step)
        log.info("found")
        return done

    def _work(self, step: str, output: Path, make: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        told = output.with_suffix(".problem.json")
        with self._line.turn(step):
            log.info("started")
            try:
                document = make()
                write_json(output, document)
            except Problem as problem:
                log.warning("refused", detail=str(problem), status=problem.status)
                # The volume may be the problem. Whoever asked is told in any case.
                with suppress(Problem, OSError):
                    write_json(told, problem.document(f"/{step}", ""))
                raise
            told.unlink(missing_ok=True)
            log.info("finished")
            return document

    def _dead(self) -> str | None:
        stuck_s = self._line.stuck_s()
        return None if stuck_s is None else f"The model has been at one piece of work for {stuck_s:.0f} s."

    def _unready(self) -> str | None:
        return None if self.volume.root.is_dir() else f"{self.volume.root} is not there."


Kind = TypeVar("Kind", bound=StageSettings)
Loaded = TypeVar("Loaded")


def start(kind: type[Kind], load: Callable[[Kind], Loaded]) -> tuple[Kind, Loaded]:
    """Read a stage's settings and load its models; end the process with words where that fails."""
    try:
        settings = read_settings(kind)
        set_up_log(settings.music_log_level)
        return settings, load(settings)
    except (BadSettings, ModelMissing) as error:
        sys.stderr.write(f"The stage cannot start:\n{error}\n")
        sys.exit(_NO_MODEL)
