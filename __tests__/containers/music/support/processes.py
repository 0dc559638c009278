"""The services as processes, on free ports of loopback, and the pipeline's runner beside them."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

import httpx
import jwt

from music_back.identity import AUDIENCE
from music_common.volume import user_folder
from support import MUSIC, PATHS

KEY = "a key of the tests that is long enough"
START_S = 60

T = TypeVar("T")


def free_port() -> int:
    """Return a port of loopback that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def wait_until(ask: Callable[[], T], timeout_s: float, what: str) -> T:
    """Ask until the answer is true, and return it."""
    deadline = time.monotonic() + timeout_s
    while not (answer := ask()):
        assert time.monotonic() < deadline, f"not within {timeout_s} s: {what}"
        time.sleep(0.02)
    return answer


class Service:
    """One program, which can be killed and started again on its port."""

    def __init__(self, module: str, folder: Path, ready: str, **environment: str) -> None:
        self.url = f"http://127.0.0.1:{free_port()}"
        self._module = module
        self._ready = ready
        self._log = folder / f"{module}-{self.url.rsplit(':', 1)[1]}.log"
        self._environment = {
            **os.environ,
            "PYTHONPATH": os.pathsep.join(map(str, PATHS)),
            "MUSIC_PORT": self.url.rsplit(":", 1)[1],
            "MUSIC_HOST": "127.0.0.1",
            **environment,
        }
        self.start()

    def start(self) -> None:
        """Start it; it answers some time later."""
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", self._module],
                env=self._environment,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def wait(self) -> "Service":
        """Wait until it answers."""
        wait_until(self._answers, START_S, f"{self._module}:\n{self._log.read_text()[-2000:]}")
        return self

    def log(self) -> list[dict[str, Any]]:
        """Return the lines that it has logged."""
        return [json.loads(line) for line in self._log.read_text().splitlines() if line.startswith("{")]

    def words(self) -> str:
        """Return all that it has said."""
        return self._log.read_text()

    def kill(self) -> None:
        """Kill it without notice."""
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()

    def terminate(self) -> None:
        """Tell it to end."""
        self._process.terminate()

    def ended(self, timeout_s: float = 20) -> int:
        """Wait for its end. Return its exit code."""
        return self._process.wait(timeout_s)

    def _answers(self) -> bool:
        assert self._process.poll() is None, f"{self._module} has ended:\n{self._log.read_text()[-4000:]}"
        with suppress(httpx.HTTPError):
            return httpx.get(self.url + self._ready, timeout=2).status_code == 200
        return False


def stage(module: str, folder: Path, data: Path, **environment: str) -> Service:
    """Start a stage with its small model."""
    small = {"MUSIC_TRANSCRIBER": "sphinx", "MUSIC_CLASSIFIER": "vader", "MUSIC_GENERATOR": "small"}
    return Service(module, folder, "/readyz", MUSIC_DATA=str(data), **small, **environment)


class World:
    """All services over one volume.

    Args:
        folder: for logs, and for the volume where no other is given.
        data: the volume.
        settings: the back's, besides.
    """

    def __init__(self, folder: Path, data: Path | None = None, **settings: str) -> None:
        self.data = data or folder / "data"
        self.data.mkdir(exist_ok=True)
        self.first = stage("first_stage", folder, self.data)
        self.second = stage("second_stage", folder, self.data)
        port = str(free_port())
        self.kubeflow = Service(
            "kubeflow_standin",
            folder,
            "/apis/v2beta1/healthz",
            KUBEFLOW_PORT=port,
            KUBEFLOW_FOLDER=str(folder / "pipelines"),
            MUSIC_LONGEST_WAIT_SECONDS="0.5",
        )
        self.kubeflow.url = f"http://127.0.0.1:{port}"
        self.back = Service(
            "music_back",
            folder,
            "/readyz",
            MUSIC_DATA=str(self.data),
            MUSIC_SESSION_KEY=KEY,
            MUSIC_KUBEFLOW=self.kubeflow.url,
            MUSIC_PIPELINE_FILE=str(MUSIC / "pipeline" / "music_pipeline" / "music.yaml"),
            MUSIC_FIRST_STAGE=self.first.url,
            MUSIC_SECOND_STAGE=self.second.url,
            MUSIC_POLL_SECONDS="0.1",
            MUSIC_PIPELINES="3",
            **settings,
        )
        for each in self.services:
            each.wait()

    @property
    def services(self) -> tuple[Service, ...]:
        """All of them."""
        return (self.first, self.second, self.kubeflow, self.back)

    def close(self) -> None:
        """End all: the runner first in order, so that its steps end too."""
        self.kubeflow.terminate()
        with suppress(subprocess.TimeoutExpired):
            self.kubeflow.ended()
        for each in self.services:
            each.kill()

    def user(self, name: str) -> "User":
        """Return a user of the back."""
        return User(self, name)


class User:
    """A user, as the front signs for one."""

    def __init__(self, world: World, name: str) -> None:
        self.name = name
        self._world = world
        token = jwt.encode({"sub": name, "aud": AUDIENCE, "exp": time.time() + 600}, KEY, "HS256")
        self._client = httpx.Client(base_url=world.back.url, headers={"Authorization": f"Bearer {token}"}, timeout=30)

    def get(self, path: str, **options: Any) -> httpx.Response:
        """Ask for something."""
        return self._client.get(path, **options)

    def delete(self, path: str) -> httpx.Response:
        """Remove something."""
        return self._client.delete(path)

    def upload(self, recording: bytes, name: str = "") -> httpx.Response:
        """Send a recording."""
        return self._client.post("/runs", params={"name": name}, content=recording)

    def start(self, run_id: str, **order: Any) -> httpx.Response:
        """Start a run."""
        return self._client.post(f"/runs/{run_id}/start", json=order)

    def run(self, recording: bytes, **order: Any) -> str:
        """Upload and start. Return the run's id."""
        answer = self.upload(recording)
        assert answer.status_code == 201, answer.text
        run_id = str(answer.json()["id"])
        started = self.start(run_id, **order)
        assert started.status_code == 202, started.text
        return run_id

    def ended(self, run_id: str, timeout_s: float = 60) -> dict[str, Any]:
        """Wait for the end of a run. Return its document."""

        def ask() -> dict[str, Any] | None:
            document: dict[str, Any] = self.get(f"/runs/{run_id}").json()
            return document if document["status"] in ("succeeded", "failed") else None

        document = wait_until(ask, timeout_s, f"run {run_id} ends")
        assert document
        return document

    def folder(self, run_id: str) -> Path:
        """Return a run's folder on the volume."""
        return self._world.data / "runs" / user_folder(self.name) / run_id
