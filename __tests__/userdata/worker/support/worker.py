"""The worker as a process, as its unit starts it."""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any

from support.clouds import REGION, Grid, without_proxies
from support.processes import wait_until

WORKER_FOLDER = Path(__file__).parents[4] / "userdata" / "worker"


@dataclass(frozen=True)
class WorkerOptions:
    """Settings that differ from the tests' usual ones."""

    environment: dict[str, str] = field(default_factory=dict)


class Worker:
    """A worker process on a grid."""

    def __init__(self, grid: Grid, image: str, scratch: Path, options: WorkerOptions) -> None:
        self.folder = Path(tempfile.mkdtemp(dir=scratch))
        self.log_file = self.folder / "worker.log"
        environment = {
            **without_proxies(),
            **grid.clouds.environment,
            "AWS_REGION": REGION,
            "ENVIRONMENT": "test",
            "S3_CODE_BUCKET": grid.code_bucket,
            "S3_USER_DATA_BUCKET": grid.user_data_bucket,
            "SQS_QUEUE_URL": grid.worker_queue_url,
            "JOBS_TABLE": grid.jobs_table,
            "REDIS_HOST": "127.0.0.1",
            "REDIS_PORT": str(grid.redis_port),
            "AI_ENDPOINT": "http://127.0.0.1:11434",
            "GCP_BUCKET_NAME": grid.archive_bucket,
            "RUNTIME_IMAGE_PYTHON": image,
            "LOG_FILE": str(self.log_file),
            "RUN_DIR": str(self.folder / "run"),
            "CACHE_DIR": str(self.folder / "cache"),
            "POLL_WAIT_S": "1",
            "PYTHONDONTWRITEBYTECODE": "1",
            **options.environment,
        }
        self.process = subprocess.Popen(
            [os.environ.get("NANOGRID_WORKER_PYTHON", sys.executable), "-m", "nanogrid_worker"],
            cwd=WORKER_FOLDER,
            env=environment,
            stderr=subprocess.PIPE,
            # As the unit has it: what the sandbox needs to read must be readable all the same.
            umask=0o077,
        )

    def __enter__(self) -> "Worker":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def wait_ready(self) -> None:
        """Waits until it polls."""
        wait_until(lambda: self._has_ended() or self.logged("worker is ready"), 60, f"worker is ready\n{self.log()}")
        assert not self._has_ended(), self.log()

    def terminate(self, timeout_s: float = 60) -> int:
        """Sends SIGTERM and waits; the exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout_s)

    def stop(self) -> None:
        """Ends it one way or the other, and removes its folder."""
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(60)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        if self.process.stderr is not None:
            self.process.stderr.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def log(self) -> str:
        """All that it has logged."""
        return self.log_file.read_text() if self.log_file.exists() else ""

    def logged(self, event: str) -> list[dict[str, Any]]:
        """The records of one event."""
        records = [json.loads(line) for line in self.log().splitlines() if line.endswith("}")]
        return [record for record in records if record["event"] == event]

    def _has_ended(self) -> bool:
        return self.process.poll() is not None
