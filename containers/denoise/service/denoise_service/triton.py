"""Triton, over gRPC or HTTP: one tile a call, with a timeout, and with patience while the server restarts."""

import threading
import time
from concurrent.futures import CancelledError
from typing import Any, Protocol

import gevent
import grpc
import numpy as np
import tritonclient.grpc
import tritonclient.http
from tenacity import RetryCallState
from tenacity.stop import stop_base
from tritonclient.utils import InferenceServerException

from denoise_service.log import logger
from denoise_service.metrics import TRITON_FAILURES
from denoise_service.problems import unavailable
from denoise_service.retry import retrying
from denoise_service.strength import Tile

log = logger(__name__)

MODELS = {"efficient": 56, "powerful": 80}
"""The models, and how far each looks, in pixels: containers/denoise/training has the reasons."""
_READY_TIMEOUT_S = 2.0
_INPUT, _OUTPUT = "noisy", "clean"


class TritonAway(Exception):
    """Triton did not answer a call, or not with a result."""


class Client(Protocol):
    """How Triton is spoken to. Safe to share between threads."""

    def infer(self, model: str, tile: Tile, request_id: str) -> Tile:
        """Run a model once.

        Raises:
            TritonAway: no result came.
        """

    def not_ready(self) -> list[str]:
        """Return what is not ready: `triton`, or names of models; empty when all is."""


class Grpc:
    """gRPC: one channel, which connects again by itself."""

    def __init__(self, address: str, call_s: float) -> None:
        limit = tritonclient.grpc.MAX_GRPC_MESSAGE_SIZE
        self._call_s = call_s
        self._client = tritonclient.grpc.InferenceServerClient(
            address,
            channel_args=[
                ("grpc.max_send_message_length", limit),
                ("grpc.max_receive_message_length", limit),
                # By default a channel waits for up to two minutes before it tries again.
                ("grpc.initial_reconnect_backoff_ms", 100),
                ("grpc.max_reconnect_backoff_ms", 1000),
            ],
        )

    def infer(self, model: str, tile: Tile, request_id: str) -> Tile:
        """Run a model once."""
        noisy = tritonclient.grpc.InferInput(_INPUT, [1, 1, *tile.shape], "FP32")
        noisy.set_data_from_numpy(tile[np.newaxis, np.newaxis])
        try:
            result = self._client.infer(model, [noisy], request_id=request_id, client_timeout=self._call_s)
        except (InferenceServerException, grpc.RpcError) as error:
            raise TritonAway(str(error)) from error
        return _tile(result)

    def not_ready(self) -> list[str]:
        """Return what is not ready."""
        try:
            if not self._client.is_server_ready(client_timeout=_READY_TIMEOUT_S):
                return ["triton"]
            return [each for each in MODELS if not self._client.is_model_ready(each, client_timeout=_READY_TIMEOUT_S)]
        except (InferenceServerException, grpc.RpcError):
            return ["triton"]


class Http:
    """HTTP. Its client belongs to the thread that made it, so that each thread has its own."""

    def __init__(self, address: str, call_s: float) -> None:
        self._address = address
        self._call_s = call_s
        self._local = threading.local()

    def infer(self, model: str, tile: Tile, request_id: str) -> Tile:
        """Run a model once."""
        noisy = tritonclient.http.InferInput(_INPUT, [1, 1, *tile.shape], "FP32")
        noisy.set_data_from_numpy(tile[np.newaxis, np.newaxis])
        clean = tritonclient.http.InferRequestedOutput(_OUTPUT, binary_data=True)
        try:
            return _tile(
                self._client("calls", self._call_s).infer(model, [noisy], outputs=[clean], request_id=request_id)
            )
        except (Exception, gevent.Timeout) as error:  # what the library raises has no class in common
            self._forget("calls")
            raise TritonAway(f"{type(error).__name__}: {error}") from error

    def not_ready(self) -> list[str]:
        """Return what is not ready."""
        try:
            client = self._client("questions", _READY_TIMEOUT_S)
            if not client.is_server_ready():
                return ["triton"]
            return [each for each in MODELS if not client.is_model_ready(each)]
        except (Exception, gevent.Timeout):  # noqa: BLE001 (what the library raises has no class in common)
            self._forget("questions")
            return ["triton"]

    def _client(self, use: str, timeout_s: float) -> Any:
        client = getattr(self._local, use, None)
        if client is None:
            client = tritonclient.http.InferenceServerClient(
                self._address, connection_timeout=_READY_TIMEOUT_S, network_timeout=timeout_s
            )
            setattr(self._local, use, client)
        return client

    def _forget(self, use: str) -> None:
        """Drop a client after a failure: what its connection would answer next may belong to the failed call."""
        setattr(self._local, use, None)


def _tile(result: Any) -> Tile:
    return np.asarray(result.as_numpy(_OUTPUT)[0, 0], np.float32)


class Triton:
    """Triton as requests use it: it may restart meanwhile."""

    def __init__(self, protocol: Client, wait_s: float) -> None:
        self._protocol = protocol
        self._wait_s = wait_s

    def not_ready(self) -> list[str]:
        """Return what is not ready: `triton`, or names of models; empty when all is."""
        return self._protocol.not_ready()

    def infer(self, model: str, tile: Tile, request_id: str, given_up: threading.Event) -> Tile:
        """Run a model on a tile, and try again while Triton does not answer.

        Args:
            model: name of the model.
            tile: rows and columns in multiples of 8.
            request_id: for Triton's log and ours.
            given_up: set when the result is not wanted any more.

        Raises:
            Problem: 503 when Triton did not answer for `wait_s`.
            CancelledError: the result is not wanted any more.
        """
        try:
            for attempt in retrying("Triton", TritonAway, _Patience(self._wait_s, given_up), longest_wait_s=1):
                with attempt:
                    if given_up.is_set():
                        raise CancelledError
                    return self._protocol.infer(model, tile, request_id)
        except TritonAway as error:
            TRITON_FAILURES.inc()
            log.error("Triton did not answer", model=model, error=str(error), waited_s=self._wait_s)
            raise unavailable("Triton, which runs the models, does not answer.") from error
        raise AssertionError("a retry ends with a result or an error")


class _Patience(stop_base):
    """Gives up some time after the first failure: the time of the call before it does not count."""

    def __init__(self, wait_s: float, given_up: threading.Event) -> None:
        self._wait_s = wait_s
        self._given_up = given_up
        self._since: float | None = None

    def __call__(self, _: RetryCallState) -> bool:
        """Say whether to stop."""
        now = time.monotonic()
        self._since = self._since if self._since is not None else now
        return self._given_up.is_set() or now - self._since >= self._wait_s


def connect(protocol: str, grpc_address: str, http_address: str, call_s: float, wait_s: float) -> Triton:
    """Make a client. Connects to nothing yet.

    Args:
        protocol: `grpc` or `http`.
        grpc_address: host and port of gRPC.
        http_address: host and port of HTTP.
        call_s: time that one call may take, in seconds.
        wait_s: how long to go on trying after a failure, in seconds.
    """
    return Triton(Grpc(grpc_address, call_s) if protocol == "grpc" else Http(http_address, call_s), wait_s)
