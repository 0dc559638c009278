"""One container and the connection with its runner: start, run, remove."""

import contextlib
import json
import shutil
import socket
import tempfile
import threading
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any

from nanogrid_worker.errors import Aborted, InfrastructureError
from nanogrid_worker.outputs import Outputs, OutputsRefused
from nanogrid_worker.results import EXIT_CODES, MAX_LOG_BYTES, MAX_OUTPUT_BYTES, MAX_TEXT_BYTES, Outcome
from nanogrid_worker.sandbox.engine import Engine, Spec
from nanogrid_worker.sandbox.frames import BadFrame, EndOfFrames, Frame, Frames, OutOfTime

_CONNECT_TIMEOUT_S = 30
_LOOK_EVERY_S = 1
# The runner keeps the time limit; the worker does if the runner cannot. Sending the files falls into it.
_GRACE_S = 10
_MIB = 1024 * 1024

_FROM_RUNNER = EXIT_CODES - {"infrastructure", "cancelled"}
# After anything else, and after a death, nobody knows what a container still holds.
_LEAVES_REUSABLE = frozenset({"ok", "exception", "output_too_large"})

LogListener = Callable[[bytes], None]
"""Takes what a run prints, as it comes. Must neither wait nor raise."""


def unheard(_: bytes) -> None:
    """Listens to no log."""


class Sandbox:
    """A started container; its runner may still be on its way, which the first run waits for.

    Args:
        engine: where containers come from.
        run_dir: folder for the sockets' folder.
        work_dir: folder for files on their way out.
        spec: the container.

    Attributes:
        sockets: folder that the container sees at /run/nanogrid.
        is_reusable: whether the container can take a run: none yet, or settle() found that the last one left nothing.

    Raises:
        InfrastructureError: the engine started none.
    """

    def __init__(self, engine: Engine, run_dir: Path, work_dir: Path, spec: Spec) -> None:
        self.is_reusable = True
        self._is_settling = False
        self._engine = engine
        self._spec = spec
        self._aborted = threading.Event()
        self._frames: Frames | None = None
        with contextlib.ExitStack() as stack:
            self.sockets = Path(tempfile.mkdtemp(prefix="run-", dir=run_dir))
            stack.callback(shutil.rmtree, self.sockets, ignore_errors=True)
            self.sockets.chmod(0o755)
            self._files = Path(tempfile.mkdtemp(prefix="files-", dir=work_dir))
            stack.callback(shutil.rmtree, self._files, ignore_errors=True)
            self._listener = stack.enter_context(_listen(self.sockets / "runner.sock"))
            self.container = engine.start(spec, self.sockets)
            stack.callback(engine.remove, self.container)
            self._closing = stack.pop_all()

    def connect(self) -> None:
        """Waits until the runner is there.

        Raises:
            Aborted: abort() was called.
            InfrastructureError: it has ended, or does not come.
        """
        if self._frames is not None:
            return
        deadline = time.monotonic() + _CONNECT_TIMEOUT_S
        while time.monotonic() < deadline:
            with contextlib.suppress(TimeoutError):
                self._frames = Frames(self._listener.accept()[0])
                self._closing.callback(self._frames.close)
                # One connection is all there is: what the function connects later, nobody answers.
                self._listener.close()
                return
            if self._aborted.is_set():
                raise Aborted
            code = self._engine.exit_code(self.container)
            if code is not None:
                raise InfrastructureError(f"the runner ended with code {code} before it connected")
        raise InfrastructureError(f"the runner did not connect within {_CONNECT_TIMEOUT_S} s")

    def run(
        self, payload: dict[str, Any], timeout_s: float | None, on_log: LogListener = unheard
    ) -> tuple[Outcome, Outputs]:
        """Runs one job. Its files are on disk until the next run, or close(); settle() comes before the next run.

        Args:
            payload: the J frame: `job_id`, `handler`, `input`, `environment`.
            timeout_s: limit of the run, which the runner keeps; None for none.
            on_log: hears what is printed.

        Raises:
            Aborted: abort() was called.
            InfrastructureError: the container died of something else than the function.
        """
        self.connect()
        self.is_reusable = False
        log_tail = LogTail()
        outputs = Outputs(self._files, max_total_bytes=self._spec.output_mb * _MIB)
        started = time.monotonic()
        deadline = None if timeout_s is None else started + timeout_s + _GRACE_S
        try:
            self._send(payload, timeout_s)
            frame = self._listen_until_result(log_tail, outputs, on_log, deadline)
            outcome = _outcome(frame)
            self._is_settling = outcome.code in _LEAVES_REUSABLE
        except OutOfTime:
            outcome = Outcome("timeout", "The function did not end within its time limit.")
        except (OutputsRefused, BadFrame) as error:
            outputs.discard()
            outcome = Outcome("output_too_large", str(error))
        except EndOfFrames:
            if self._aborted.is_set():
                raise Aborted from None
            outcome = self._after_death()
        finally:
            outputs.close()
        elapsed_ms = (time.monotonic() - started) * 1000
        return log_tail.added_to(outcome, elapsed_ms), outputs

    def settle(self) -> None:
        """Waits until the runner has cleaned up behind the last run, which it does after its report."""
        if not self._is_settling:
            return
        self._is_settling = False
        with contextlib.suppress(OutOfTime, BadFrame, EndOfFrames):
            frame = self._connected().receive(time.monotonic() + _GRACE_S)
            self.is_reusable = frame.kind == b"C" and frame.json().get("reusable") is True

    def abort(self) -> None:
        """Stops a run, or the wait for the runner, from another thread."""
        self._aborted.set()
        self._is_settling = False
        self.is_reusable = False
        if self._frames is not None:
            self._frames.hang_up()

    def is_quiet(self) -> bool:
        """Whether the runner is connected and has said nothing unasked."""
        return self._frames is not None and self._frames.is_quiet()

    def close(self) -> None:
        """Removes the container and all that belongs to it."""
        self._is_settling = False
        self.is_reusable = False
        self._closing.close()

    def _send(self, payload: dict[str, Any], timeout_s: float | None) -> None:
        job = {**payload, "deadline_s": timeout_s, "max_output_bytes": MAX_OUTPUT_BYTES}
        encoded = json.dumps(job, ensure_ascii=False).encode("utf-8", "backslashreplace")
        self._connected().send(b"J", encoded, _GRACE_S)

    def _listen_until_result(
        self, log_tail: "LogTail", outputs: Outputs, on_log: LogListener, deadline: float | None
    ) -> Frame:
        frames = self._connected()
        while True:
            frame = frames.receive(deadline)
            match frame.kind:
                case b"L":
                    log_tail.add(frame.payload)
                    on_log(frame.payload)
                case b"F":
                    header = frame.json()
                    outputs.announce(header.get("name"), header.get("bytes"))
                case b"B":
                    outputs.take(frame.payload)
                case b"R":
                    return frame
                case _:
                    raise BadFrame(f"unknown frame {frame.kind!r}")

    def _connected(self) -> Frames:
        if self._frames is None or self._aborted.is_set():
            raise EndOfFrames
        return self._frames

    def _after_death(self) -> Outcome:
        if self._engine.was_out_of_memory(self.container):
            return Outcome("out_of_memory", "The function used more memory than its limit.")
        return Outcome("exception", "The function ended the sandbox before it had a result.")


class LogTail:
    """The end of a run's log, at most MAX_LOG_BYTES."""

    def __init__(self) -> None:
        self._chunks: deque[bytes] = deque()
        self._size = 0
        self._truncated = False

    def add(self, data: bytes) -> None:
        """Adds what was printed, dropping from the front what is too much."""
        self._chunks.append(data)
        self._size += len(data)
        while self._size - len(self._chunks[0]) >= MAX_LOG_BYTES:
            self._size -= len(self._chunks.popleft())
            self._truncated = True

    def added_to(self, outcome: Outcome, elapsed_ms: float) -> Outcome:
        """The outcome with the log, and with a duration that cannot be longer than what passed."""
        logs = b"".join(self._chunks)
        known = 0 < outcome.duration_ms <= elapsed_ms
        return Outcome(
            **{
                **vars(outcome),
                "logs": logs[-MAX_LOG_BYTES:],
                "logs_truncated": self._truncated or len(logs) > MAX_LOG_BYTES,
                "duration_ms": outcome.duration_ms if known else elapsed_ms,
            }
        )


def _outcome(frame: Frame) -> Outcome:
    report = frame.json()
    code = report.get("reason")
    if code not in _FROM_RUNNER or report.get("ok") is not (code == "ok"):
        raise BadFrame(f"the result has the reason {str(code)[:50]!r}")
    output = report.get("output")
    encoded = json.dumps(output, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "backslashreplace")
    if len(encoded) > MAX_OUTPUT_BYTES:
        raise BadFrame(f"The output has {len(encoded)} bytes as JSON; {MAX_OUTPUT_BYTES} are allowed.")
    error = report.get("error")
    return Outcome(
        code=code,
        message=_text(report.get("message")),
        output=output if code == "ok" else None,
        error={key: _text(error.get(key)) for key in ("type", "message", "traceback")}
        if isinstance(error, dict)
        else None,
        duration_ms=_number(report.get("duration_ms")),
        peak_memory_mb=_number(report.get("peak_memory_mb")) or None,
    )


def _text(value: object) -> str:
    return (
        value.encode("utf-8", "replace")[-MAX_TEXT_BYTES:].decode("utf-8", "ignore") if isinstance(value, str) else ""
    )


def _number(value: object) -> float:
    return float(value) if isinstance(value, int | float) and 0 <= value < float("inf") else 0.0


def _listen(path: Path) -> socket.socket:
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind(str(path))
    # The sandbox's user connects; on the host the folder above keeps everybody else out.
    path.chmod(0o666)
    listener.listen(1)
    listener.settimeout(_LOOK_EVERY_S)
    return listener
