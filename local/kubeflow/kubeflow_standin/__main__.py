"""`python -m kubeflow_standin`: POST and GET /apis/v2beta1/runs, as the SDK's client asks for them. On loopback."""

import json
import os
import secrets
import signal
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal

import uvicorn
import yaml
from fastapi import FastAPI, HTTPException
from pydantic import Field
from pydantic_settings import BaseSettings

from music_common.log import logger, set_up_log

log = logger("kubeflow_standin")


class Settings(BaseSettings):
    """What the stand-in is told."""

    kubeflow_port: int = Field(8888, ge=0, le=65535)
    kubeflow_folder: Path
    """Where it keeps its runs: those that had not ended go on when it starts again."""
    kubeflow_log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"


class Pipelines:
    """The runs, each in a folder and a process group of its own."""

    def __init__(self, root: Path) -> None:
        self._root = root
        root.mkdir(parents=True, exist_ok=True)
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._state = threading.Lock()
        for folder in root.iterdir():
            if self.read(folder.name)["state"] == "RUNNING":
                self._execute(folder.name)

    def start(self, body: dict[str, Any]) -> dict[str, Any]:
        """Keep a run, and begin it."""
        run_id = secrets.token_hex(16)
        folder = self._root / run_id
        folder.mkdir()
        (folder / "pipeline.yaml").write_text(yaml.safe_dump(body["pipeline_spec"]))
        (folder / "arguments.json").write_text(json.dumps(body["runtime_config"]["parameters"]))
        self._write({"run_id": run_id, "display_name": body["display_name"], "state": "RUNNING"})
        self._execute(run_id)
        return self.read(run_id)

    def read(self, run_id: str) -> dict[str, Any]:
        """Return a run as the API has it; raises HTTPException where there is none."""
        file = self._root / run_id / "run.json"
        if not run_id.isalnum() or not file.is_file():
            raise HTTPException(404, f"run {run_id} not found")
        document: dict[str, Any] = json.loads(file.read_text())
        return document

    def named(self, name: str) -> list[dict[str, Any]]:
        """Return the runs of a name."""
        runs = [self.read(folder.name) for folder in self._root.iterdir()]
        return [run for run in runs if run["display_name"] == name]

    def terminate(self, run_id: str) -> None:
        """End a run with all of its steps."""
        with self._state:
            process = self._processes.get(run_id)
            if process is not None and process.poll() is None:
                self._write({**self.read(run_id), "state": "CANCELED"})
                with suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)

    def close(self) -> None:
        """End all processes; their runs go on with the next start."""
        for process in self._processes.values():
            if process.poll() is None:
                with suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                process.wait()

    def _execute(self, run_id: str) -> None:
        folder = self._root / run_id
        with (folder / "log").open("ab") as output:
            process = subprocess.Popen(
                [sys.executable, "-m", "kubeflow_standin.execute", str(folder)],
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self._processes[run_id] = process
        threading.Thread(target=self._wait, args=(run_id, process), daemon=True).start()

    def _wait(self, run_id: str, process: subprocess.Popen[bytes]) -> None:
        code = process.wait()
        with self._state:
            document = self.read(run_id)
            if document["state"] != "RUNNING" or code < 0:
                return
            if code == 0:
                self._write({**document, "state": "SUCCEEDED"})
            else:
                last = (self._root / run_id / "log").read_text(errors="replace").strip().splitlines()[-1:]
                self._write({**document, "state": "FAILED", "error": {"code": 13, "message": "".join(last)[:500]}})
        log.info("ended", pipeline=run_id, code=code)

    def _write(self, document: dict[str, Any]) -> None:
        file = self._root / str(document["run_id"]) / "run.json"
        unfinished = file.with_suffix(".unfinished")
        unfinished.write_text(json.dumps(document))
        unfinished.replace(file)


def make_api(pipelines: Pipelines) -> FastAPI:
    """Make the application: what the back asks for, and no more."""
    app = FastAPI(title="kubeflow-standin", docs_url=None, redoc_url=None)
    runs = "/apis/v2beta1/runs"

    @app.get("/apis/v2beta1/healthz")
    def healthz() -> dict[str, Any]:
        return {"multi_user": False}

    @app.post(runs)
    def create(body: dict[str, Any]) -> dict[str, Any]:
        return pipelines.start(body)

    @app.get(runs)
    def find(filter: str = "{}") -> dict[str, Any]:  # noqa: A002 (the API's own name)
        predicates = json.loads(filter).get("predicates", [])
        if [each["key"] for each in predicates] != ["display_name"]:
            raise HTTPException(501, "the stand-in finds runs by display_name alone")
        return {"runs": pipelines.named(predicates[0]["stringValue"])}

    @app.get(runs + "/{run_id}")
    def get(run_id: str) -> dict[str, Any]:
        return pipelines.read(run_id)

    @app.post(runs + "/{run_id}:terminate")
    def terminate(run_id: str) -> dict[str, Any]:
        pipelines.read(run_id)
        pipelines.terminate(run_id)
        return {}

    return app


def main() -> None:
    """Serve until SIGTERM."""
    settings = Settings()
    set_up_log(settings.kubeflow_log_level)
    pipelines = Pipelines(settings.kubeflow_folder)
    try:
        uvicorn.run(
            make_api(pipelines), host="127.0.0.1", port=settings.kubeflow_port, log_config=None, access_log=False
        )
    finally:
        pipelines.close()


if __name__ == "__main__":
    main()
