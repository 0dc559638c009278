"""Frames between worker and runner: a 4-byte big-endian length, a 1-byte kind, the payload. None is trusted."""

import json
import socket
import struct
import time
from dataclasses import dataclass
from typing import Any

_HEADER = struct.Struct(">Ic")
_CHUNK = 256 * 1024
# A report is the largest frame: its output, error texts, and their escapes as JSON.
MAX_FRAME_BYTES = 1024 * 1024


class BadFrame(Exception):
    """The sandbox broke the protocol."""


class EndOfFrames(Exception):
    """The sandbox hung up."""


class OutOfTime(Exception):
    """No whole frame came by the deadline."""


@dataclass(frozen=True)
class Frame:
    """One frame."""

    kind: bytes
    payload: bytes

    def json(self) -> dict[str, Any]:
        """The payload as a JSON object.

        Raises:
            BadFrame: it is something else.
        """
        try:
            value = json.loads(self.payload)
        except ValueError as error:
            raise BadFrame(f"frame {self.kind!r} is not JSON: {error}") from None
        if not isinstance(value, dict):
            raise BadFrame(f"frame {self.kind!r} is not a JSON object")
        return value


class Frames:
    """The worker's end of a connection with a runner."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._received = bytearray()

    def send(self, kind: bytes, payload: bytes, timeout_s: float) -> None:
        """Sends a frame."""
        self._sock.settimeout(timeout_s)
        try:
            self._sock.sendall(_HEADER.pack(len(payload), kind) + payload)
        except TimeoutError:
            raise OutOfTime from None
        except OSError:
            raise EndOfFrames from None

    def receive(self, deadline: float | None) -> Frame:
        """Waits for a frame.

        Args:
            deadline: by time.monotonic(); None waits without end.

        Raises:
            OutOfTime: the deadline has passed.
            EndOfFrames: the other end has hung up.
            BadFrame: the frame is longer than any frame may be.
        """
        length, kind = _HEADER.unpack(self._exactly(_HEADER.size, deadline))
        if length > MAX_FRAME_BYTES:
            raise BadFrame(f"frame {kind!r} of {length} bytes; {MAX_FRAME_BYTES} are allowed")
        return Frame(kind, self._exactly(length, deadline))

    def is_quiet(self) -> bool:
        """Whether the other end is there, and nothing has come from it that was not received."""
        if self._received:
            return False
        self._sock.setblocking(False)
        try:
            self._sock.recv(1, socket.MSG_PEEK)
        except BlockingIOError:
            return True
        except OSError:
            return False
        return False

    def hang_up(self) -> None:
        """Ends the connection, also under another thread that waits for a frame."""
        try:
            self._sock.shutdown(socket.SHUT_RDWR)
        except OSError:
            return

    def close(self) -> None:
        """Releases the socket."""
        self._sock.close()

    def _exactly(self, count: int, deadline: float | None) -> bytes:
        while len(self._received) < count:
            remaining = None if deadline is None else deadline - time.monotonic()
            if remaining is not None and remaining <= 0:
                raise OutOfTime
            self._sock.settimeout(remaining)
            try:
                chunk = self._sock.recv(_CHUNK)
            except TimeoutError:
                raise OutOfTime from None
            except OSError:
                raise EndOfFrames from None
            if not chunk:
                raise EndOfFrames
            self._received += chunk
        data = bytes(self._received[:count])
        del self._received[:count]
        return data
