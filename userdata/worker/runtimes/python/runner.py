"""Runs a function's handler inside the sandbox, for the worker at the other end of a unix socket.

The runner is the container's first program and outlives each run: for every `J` frame it forks a child from the
interpreter that is already up, passes on what the child prints (`L`), then the files that it left in /output (`F`,
`B`), and ends the run with `R`. It uses the standard library alone, since the image holds nothing else.
"""

import contextlib
import importlib
import json
import math
import os
import select
import signal
import socket
import stat
import struct
import sys
import time
import traceback
from collections.abc import Iterator
from typing import Any, BinaryIO, NoReturn

SOCKET = "/run/nanogrid/runner.sock"
CODE = "/function"
OUTPUT = "/output"
SCRATCH = ("/tmp", OUTPUT)

CHUNK = 256 * 1024
MAX_TRACEBACK_BYTES = 16 * 1024
MAX_MESSAGE_BYTES = 4 * 1024
MAX_DEPTH = 16
# What a report has besides the output: an error's texts, escaped as JSON in the worst case.
REPORT_MARGIN = 8 * (MAX_TRACEBACK_BYTES + MAX_MESSAGE_BYTES)
MIB = 1024 * 1024

# A byte can be read from here whenever a child has ended.
CHILD_ENDED, CHILD_ENDED_WRITER = os.pipe()

OOM_COUNTERS = (
    ("/sys/fs/cgroup/memory.events", "oom_kill"),
    ("/sys/fs/cgroup/memory/memory.oom_control", "oom_kill"),
)


class Gone(Exception):
    """The worker has closed the connection."""


class Connection:
    """Frames on the worker's socket: length, kind, payload."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock

    def send(self, kind: bytes, payload: bytes) -> None:
        """Sends a frame."""
        self._sock.sendall(struct.pack(">I", len(payload)) + kind + payload)

    def receive(self) -> "tuple[bytes, bytes]":
        """Waits for a frame; its kind and payload."""
        (length,) = struct.unpack(">I", self._exactly(4))
        return self._exactly(1), self._exactly(length)

    def close(self) -> None:
        """Releases the socket."""
        self._sock.close()

    def _exactly(self, count: int) -> bytes:
        data = bytearray()
        while len(data) < count:
            chunk = self._sock.recv(min(count - len(data), CHUNK))
            if not chunk:
                raise Gone
            data += chunk
        return bytes(data)


def serve(connection: Connection) -> None:
    """Serves runs until the worker goes away."""
    while True:
        kind, payload = connection.receive()
        if kind != b"J":
            raise ValueError(f"expected a J frame, got {kind!r}")
        run(connection, json.loads(payload))


def run(connection: Connection, job: "dict[str, Any]") -> None:
    """Runs one job in a child and reports it."""
    report_end, child_report_end = os.pipe()
    log_end, child_log_end = os.pipe()
    kills_before = oom_kills()
    started = time.monotonic()
    pid = os.fork()
    if pid == 0:
        connection.close()
        os.close(report_end)
        os.close(log_end)
        in_child(job, child_report_end, child_log_end)
    os.close(child_report_end)
    os.close(child_log_end)
    deadline = started + job["deadline_s"] if job.get("deadline_s") is not None else math.inf
    pipes = Pipes(connection, report_end, log_end, job["max_output_bytes"] + REPORT_MARGIN)
    try:
        verdict = watch(pid, pipes, deadline)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
        _, status, usage = os.wait4(pid, 0)
        kill_leftovers()
    pipes.drain()
    report = verdict or pipes.parsed() or explain(status, oom_kills() > kills_before)
    report.setdefault("duration_ms", (time.monotonic() - started) * 1000)
    # ru_maxrss is in KiB; what lies in tmpfs counts against the container's memory too.
    report["peak_memory_mb"] = (usage.ru_maxrss * 1024 + sum(map(used_bytes, SCRATCH))) / MIB
    send_files(connection)
    connection.send(b"R", json.dumps(report, ensure_ascii=False).encode("utf-8", "backslashreplace"))


class Pipes:
    """What the child writes: its report, kept, and its log, passed on."""

    def __init__(self, connection: Connection, report_end: int, log_end: int, max_report: int) -> None:
        self.ends = {report_end, log_end}
        self.report_is_too_large = False
        self._connection = connection
        self._log_end = log_end
        self._report = bytearray()
        self._max_report = max_report
        for end in self.ends:
            os.set_blocking(end, False)

    def take(self, end: int) -> bool:
        """Takes what one end has; False when it has nothing now."""
        try:
            data = os.read(end, CHUNK)
        except BlockingIOError:
            return False
        if not data:
            self.ends.discard(end)
            os.close(end)
            return False
        if end == self._log_end:
            self._connection.send(b"L", data)
        elif len(self._report) + len(data) <= self._max_report:
            self._report += data
        else:
            self.report_is_too_large = True
        return True

    def drain(self) -> None:
        """Takes what is left when nobody writes any more, and closes."""
        for end in list(self.ends):
            while self.take(end):
                pass
        for end in self.ends:
            os.close(end)

    def parsed(self) -> "dict[str, Any] | None":
        """The child's report, if it gave a whole one."""
        try:
            report = json.loads(self._report)
        except ValueError:
            return None
        return report if isinstance(report, dict) and isinstance(report.get("ok"), bool) else None


def watch(pid: int, pipes: Pipes, deadline: float) -> "dict[str, Any] | None":
    """Passes on what the child writes until it ends; a verdict if it has to be stopped before."""
    while True:
        remaining = None if math.isinf(deadline) else max(0.0, deadline - time.monotonic())
        readable, _, _ = select.select([CHILD_ENDED, *pipes.ends], [], [], remaining)
        if time.monotonic() >= deadline:
            return failure("timeout", "The function did not end within its time limit.")
        for end in readable:
            if end == CHILD_ENDED:
                os.read(end, CHUNK)
            else:
                pipes.take(end)
        if pipes.report_is_too_large:
            return failure("output_too_large", "The function's report is larger than allowed.")
        if os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None:
            return None


def explain(status: int, out_of_memory: bool) -> "dict[str, Any]":
    """The report of a child that gave none."""
    if os.WIFSIGNALED(status):
        number = os.WTERMSIG(status)
        if out_of_memory and number == signal.SIGKILL:
            return failure("out_of_memory", "The function used more memory than its limit.")
        name = signal.Signals(number).name
        return failure("exception", f"The function's process was ended by {name}.", name)
    code = os.WEXITSTATUS(status)
    return failure("exception", f"The function's process exited with code {code} before it returned.", "SystemExit")


def failure(reason: str, message: str, kind: "str | None" = None, trace: str = "") -> "dict[str, Any]":
    """A report of a run that gave no output."""
    error = {"type": kind, "message": message, "traceback": trace} if kind else None
    return {"ok": False, "reason": reason, "message": message, "output": None, "error": error}


def in_child(job: "dict[str, Any]", report_end: int, log_end: int) -> NoReturn:
    """Runs the handler in the forked child; never returns."""
    code = 1
    try:
        prepare_child(job, log_end)
        report = call(job)
        flush()
        write_all(report_end, json.dumps(report, ensure_ascii=False).encode("utf-8", "backslashreplace"))
        code = 0
    except BaseException:  # noqa: BLE001 (whatever happens, the child must not go on as a second runner)
        with contextlib.suppress(BaseException):
            traceback.print_exc()
            flush()
    finally:
        os._exit(code)


def prepare_child(job: "dict[str, Any]", log_end: int) -> None:
    """Gives the child its own session, output, environment and imports."""
    os.setsid()
    # The kernel should choose the function before the runner, which has to tell what happened.
    with contextlib.suppress(OSError), open("/proc/self/oom_score_adj", "w") as file:
        file.write("1000")
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.dup2(log_end, 1)
    os.dup2(log_end, 2)
    os.close(nothing)
    os.close(log_end)
    sys.stdout = open(1, "w", buffering=1, encoding="utf-8", errors="backslashreplace", closefd=False)
    sys.stderr = open(2, "w", buffering=1, encoding="utf-8", errors="backslashreplace", closefd=False)
    signal.set_wakeup_fd(-1)
    for number in (signal.SIGCHLD, signal.SIGINT, signal.SIGTERM, signal.SIGPIPE):
        signal.signal(number, signal.SIG_DFL)
    os.environ.clear()
    os.environ.update({"PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": "/tmp", "TMPDIR": "/tmp", "LANG": "C.UTF-8"})
    os.environ.update(job["environment"])
    os.environ["NANOGRID_JOB_ID"] = job["job_id"]
    os.chdir(CODE)
    sys.path.insert(0, CODE)


def call(job: "dict[str, Any]") -> "dict[str, Any]":
    """Imports the handler and calls it; the report of what came of it."""
    started = time.monotonic()
    try:
        module, _, name = job["handler"].rpartition(".")
        handler = getattr(importlib.import_module(module), name)
        started = time.monotonic()
        output = handler(job["input"])
        duration_ms = (time.monotonic() - started) * 1000
        encoded = json.dumps(output, ensure_ascii=False, allow_nan=False).encode()
    except BaseException as error:  # noqa: BLE001 (SystemExit and KeyboardInterrupt are the user's too)
        report = failure("exception", "The function raised an exception.", type(error).__name__)
        report["error"] = {
            "type": type(error).__name__,
            "message": clip(str(error), MAX_MESSAGE_BYTES),
            "traceback": clip("".join(traceback.format_exception(error)), MAX_TRACEBACK_BYTES),
        }
        return {**report, "duration_ms": (time.monotonic() - started) * 1000}
    if len(encoded) > job["max_output_bytes"]:
        message = f"The output has {len(encoded)} bytes as JSON; {job['max_output_bytes']} are allowed."
        return {**failure("output_too_large", message), "duration_ms": duration_ms}
    return {
        "ok": True,
        "reason": "ok",
        "message": "",
        "output": output,
        "error": None,
        "duration_ms": duration_ms,
    }


def send_files(connection: Connection) -> None:
    """Sends the regular files below /output."""
    for name, file, size in output_files():
        with file:
            connection.send(b"F", json.dumps({"name": name, "bytes": size}).encode())
            remaining = size
            while remaining:
                chunk = file.read(min(CHUNK, remaining))
                # A file cannot shrink here, since nothing else runs; its announced length has to be kept all the same.
                chunk = chunk or bytes(min(CHUNK, remaining))
                connection.send(b"B", chunk)
                remaining -= len(chunk)


def output_files() -> "Iterator[tuple[str, BinaryIO, int]]":
    """Names relative to /output, opened files and their sizes. Follows no link, and skips all but regular files."""
    for folder, folders, files, folder_fd in os.fwalk(OUTPUT, follow_symlinks=False):
        relative = os.path.relpath(folder, OUTPUT)
        if relative.count("/") >= MAX_DEPTH:
            folders.clear()
        folders.sort()
        for name in sorted(files):
            try:
                fd = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=folder_fd)
            except OSError:
                continue
            file = os.fdopen(fd, "rb")
            info = os.fstat(fd)
            if stat.S_ISREG(info.st_mode):
                yield os.path.normpath(os.path.join(relative, name)), file, info.st_size
            else:
                file.close()


def kill_leftovers() -> None:
    """Kills what the run left behind. Init and the runner itself are spared by kill(2)."""
    for _ in range(100):
        try:
            os.kill(-1, signal.SIGKILL)
        except ProcessLookupError:
            return
        time.sleep(0.001)


def oom_kills() -> int:
    """How many processes of this container the kernel has killed for memory."""
    for path, name in OOM_COUNTERS:
        with contextlib.suppress(OSError), open(path) as file:
            for line in file:
                key, _, value = line.partition(" ")
                if key == name:
                    return int(value)
    return 0


def used_bytes(folder: str) -> int:
    """Bytes in use on a folder's file system."""
    info = os.statvfs(folder)
    return (info.f_blocks - info.f_bfree) * info.f_frsize


def clip(text: str, max_bytes: int) -> str:
    """The end of a text, in at most max_bytes of UTF-8."""
    return text.encode("utf-8", "backslashreplace")[-max_bytes:].decode("utf-8", "ignore")


def flush() -> None:
    """Sends buffered output on its way."""
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(Exception):
            stream.flush()


def write_all(fd: int, data: bytes) -> None:
    """Writes all of data."""
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]


def main() -> None:
    """Connects and serves; ends when the worker hangs up."""
    if os.getuid() == 0:
        sys.exit("runner: runs as an unprivileged user in its sandbox only, since it kills every process it can.")
    os.set_blocking(CHILD_ENDED_WRITER, False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(CHILD_ENDED_WRITER, warn_on_full_buffer=False)
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    sock.connect(SOCKET)
    with contextlib.suppress(Gone, BrokenPipeError, ConnectionResetError):
        serve(Connection(sock))


if __name__ == "__main__":
    main()
