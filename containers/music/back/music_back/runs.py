"""Runs: what a user sent and asked for, and what has come of it."""

import re
import secrets
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from music_common.problems import Problem, conflict, not_found
from music_common.volume import Volume, only_one, read_json, room, user_folder, write_json

_ID = re.compile(r"[0-9a-f]{32}")
_LOCK_WAIT_S = 10
_LEFTOVER_S = 86_400
"""Time without a change after which what is no run counts as left behind."""
_NAME_CHARACTERS = 120
WAITING = ("queued", "running")


class Order(BaseModel):
    """What a user asks for."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    candidates: Annotated[int, Field(ge=1)] = 3
    """How many pieces to choose from; at most the quota of GPUs."""
    seconds: Annotated[float, Field(ge=4)] = 10
    """Length of each."""
    seed: Annotated[int, Field(ge=0, lt=2**31)] | None = None
    """The same seed and words give the same music; None: a random one."""


def now() -> str:
    """Return the time as ISO 8601 in UTC."""
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def age_s(time: str) -> float:
    """Return the seconds since a time that `now` gave."""
    return (datetime.now(UTC) - datetime.fromisoformat(time)).total_seconds()


class Runs:
    """The runs on the volume. A user's are below a folder of its own: whoever asks for another's finds nothing."""

    def __init__(self, volume: Volume) -> None:
        self._volume = volume
        self._root = volume.root / "runs"
        self._active = volume.root / "active"

    def create(self, user: str, name: str, recording: dict[str, Any], source: Path) -> dict[str, Any]:
        """Make a run of a recording.

        Args:
            user: whose.
            name: what the user calls it; control characters are dropped.
            recording: as a document.
            source: the recording as the stages take it; it is moved.

        Returns:
            The run's document.
        """
        run = f"{user_folder(user)}/{secrets.token_hex(16)}"
        folder = self._root / run
        unfinished = folder.with_name(f".{folder.name}")
        with room():
            unfinished.mkdir(parents=True)
            try:
                source.replace(unfinished / "input.wav")
                shown = "".join(each for each in name if each.isprintable())[:_NAME_CHARACTERS]
                document = {"created": now(), "name": shown, "recording": recording, "order": None, "state": "uploaded"}
                write_json(unfinished / "run.json", document)
                unfinished.rename(folder)
            except BaseException:
                shutil.rmtree(unfinished, ignore_errors=True)
                raise
        return self.document(run)

    def reference(self, user: str, run_id: str) -> str:
        """Return `<user>/<run>` of a user's run.

        Raises:
            Problem: 404 where the user has none of that id.
        """
        run = f"{user_folder(user)}/{run_id}"
        if not _ID.fullmatch(run_id) or not (self._root / run / "run.json").is_file():
            raise not_found(f"run {run_id[:80]!r}")
        return run

    def of(self, user: str) -> list[str]:
        """Return the user's runs, the newest first."""
        folder = self._root / user_folder(user)
        runs = [each for each in _names(folder) if (folder / each / "run.json").is_file()]
        made = {each: str((read_json(folder / each / "run.json") or {}).get("created", "")) for each in runs}
        return [f"{folder.name}/{each}" for each in sorted(runs, key=lambda each: made[each], reverse=True)]

    def active(self) -> list[str]:
        """Return all users' runs that wait or run, the longest waiting first."""
        names = [each for each in _names(self._active) if each.count(".") == 1 and not each.startswith(".")]
        known = [(self.read(name.replace(".", "/")), name.replace(".", "/")) for name in names]
        return [run for _, run in sorted((str((document or {}).get("started", "")), run) for document, run in known)]

    def sweep(self, older_than_s: float) -> list[str]:
        """Remove runs that are older, and what uploads and removals that were cut off have left. Return the runs."""
        removed = []
        for user in _names(self._root):
            for name in _names(self._root / user):
                stored = self.read(f"{user}/{name}") if _ID.fullmatch(name) else None
                if stored is not None and stored["state"] not in WAITING and age_s(stored["created"]) > older_than_s:
                    self.delete(f"{user}/{name}")
                    removed.append(f"{user}/{name}")
                elif stored is None and _untouched_s(self._root / user / name) > _LEFTOVER_S:
                    shutil.rmtree(self._root / user / name, ignore_errors=True)
        incoming = self._volume.root / "incoming"
        for name in _names(incoming):
            if _untouched_s(incoming / name) > _LEFTOVER_S:
                (incoming / name).unlink(missing_ok=True)
        return removed

    def read(self, run: str) -> dict[str, Any] | None:
        """Return what is stored of a run; None where it is gone."""
        return read_json(self._root / run / "run.json")

    @contextmanager
    def changing(self, run: str) -> Iterator[dict[str, Any]]:
        """Give what is stored of a run, to be changed by nobody else meanwhile; it is stored afterwards.

        Raises:
            Problem: 404 where it is gone, 507 where the volume is full.
        """
        file = self._volume.folder(run) / "run.json"
        with only_one(file, _LOCK_WAIT_S):
            document = read_json(file)
            if document is None:
                raise not_found(f"run {run.split('/')[1]!r}")
            before = dict(document)
            yield document
            if document != before:
                write_json(file, document)

    def start(self, run: str, order: Order) -> bool:
        """Put a run into the queue. Return whether it was put there now: the same order again changes nothing.

        Raises:
            Problem: 409 where it was started with another order; 507 where the volume is full.
        """
        seed = secrets.randbelow(2**31) if order.seed is None else order.seed
        with self._marked(run), self.changing(run) as document:
            if document["order"] is not None:
                asked = order.model_dump(exclude={"seed"} if order.seed is None else set())
                if any(document["order"][key] != value for key, value in asked.items()):
                    raise conflict(
                        "The run was started with another order.", "Upload the recording again for another one."
                    )
                return False
            document.update(order={**order.model_dump(), "seed": seed}, state="queued", started=now())
        return True

    def end(self, run: str, state: str, error: dict[str, Any] | None = None) -> None:
        """Note that a run has ended, and take it out of the queue."""
        with self.changing(run) as document:
            document.update(state=state, ended=now(), **({"error": error} if error else {}))
        self.unmark(run)

    def unmark(self, run: str) -> None:
        """Take a run out of the queue."""
        (self._active / run.replace("/", ".")).unlink(missing_ok=True)

    def delete(self, run: str) -> None:
        """Remove a run with all of its files."""
        self.unmark(run)
        folder = self._root / run
        gone = folder.with_name(f".{folder.name}.gone")
        folder.rename(gone)
        shutil.rmtree(gone)

    def candidate(self, run: str, index: int) -> Path:
        """Return the file of a candidate.

        Raises:
            Problem: 404 where it is not there, or not yet.
        """
        file = self._root / run / "candidates" / f"{index}.wav"
        if not file.with_suffix(".json").is_file():
            raise not_found(f"candidate {index} of this run yet")
        return file

    def document(self, run: str) -> dict[str, Any]:
        """Return all that a user may know of a run.

        Raises:
            Problem: 404 where it is gone.
        """
        folder = self._root / run
        stored = self.read(run)
        if stored is None:
            raise not_found(f"run {folder.name!r}")
        mood = read_json(folder / "mood.json")
        return {
            "id": folder.name,
            "name": stored["name"],
            "status": stored["state"],
            "created": stored["created"],
            "recording": stored["recording"],
            "order": stored["order"],
            "transcript": read_json(folder / "transcript.json"),
            "mood": mood,
            "candidates": [
                self._candidate(run, index, stored) for index in range((stored["order"] or {}).get("candidates", 0))
            ],
            **({"error": stored["error"]} if "error" in stored else {}),
        }

    def problem(self, run: str) -> dict[str, Any] | None:
        """Return what a stage said of a run that it refused; None where none did."""
        told = (read_json(self._root / run / f"{step}.problem.json") for step in ("transcript", "mood"))
        return next((each for each in told if each is not None), None)

    def backlog(self) -> dict[str, int]:
        """Return how many pieces of work each stage has before it."""
        first = second = 0
        for run in self.active():
            order = (self.read(run) or {}).get("order") or {}
            folder = self._root / run
            first += sum(not (folder / name).is_file() for name in ("transcript.json", "mood.json"))
            made = sum(
                (folder / "candidates" / f"{index}.json").is_file() for index in range(order.get("candidates", 0))
            )
            second += order.get("candidates", 0) - made
        return {"first-stage": first, "second-stage": second}

    def _candidate(self, run: str, index: int, stored: dict[str, Any]) -> dict[str, Any]:
        folder = self._root / run / "candidates"
        made = read_json(folder / f"{index}.json")
        if made is not None:
            href = f"/runs/{run.split('/')[1]}/candidates/{index}"
            return {
                "index": index,
                "status": "succeeded",
                "seconds": made["seconds"],
                "model": made["model"],
                "href": href,
            }
        if stored["state"] in WAITING:
            return {"index": index, "status": "waiting"}
        told = read_json(folder / f"{index}.problem.json") or {}
        return {"index": index, "status": "failed", "error": told.get("detail", "The stage did not make it.")}

    @contextmanager
    def _marked(self, run: str) -> Iterator[None]:
        """Put a run into the queue before it is changed: one that has changed is never missed."""
        mark = self._active / run.replace("/", ".")
        with room():
            self._active.mkdir(exist_ok=True)
            mark.touch()
        try:
            yield
        except BaseException:
            if (self.read(run) or {}).get("state") not in WAITING:
                mark.unlink(missing_ok=True)
            raise


def too_many(detail: str, remedy: str) -> Problem:
    """429: the user has as many as one may have."""
    return Problem(429, "too-many-runs", "Too many runs", detail, remedy, retry_after_s=30)


def _untouched_s(path: Path) -> float:
    try:
        return time.time() - path.stat().st_mtime
    except FileNotFoundError:
        return 0


def _names(folder: Path) -> list[str]:
    try:
        return [each.name for each in folder.iterdir()]
    except (FileNotFoundError, NotADirectoryError):
        return []
