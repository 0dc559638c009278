"""Functions run through a real pool in the test's own process, without a worker around."""

import os
import shutil
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from nanogrid_worker.ai import AiGateway
from nanogrid_worker.results import Outcome
from nanogrid_worker.sandbox.engine import Engine, life_of
from nanogrid_worker.sandbox.pool import Pool, PoolLimits, Version
from nanogrid_worker.sandbox.sandbox import LogListener, unheard

# Nothing waits that a test has not asked for, and nothing is paused or removed under it.
STEADY = PoolLimits(prewarmed=0, max_warm=4, pause_after_s=600, keep_s=600)


@dataclass
class Ran:
    """A run: what it found, its outcome, and its files by name."""

    start: str
    outcome: Outcome
    files: dict[str, bytes] = field(default_factory=dict)

    @property
    def output(self) -> Any:
        """What the function returned; fails with the whole outcome when it did not."""
        assert self.outcome.code == "ok", self.outcome
        return self.outcome.output


class Sandboxes:
    """A pool with folders of its own, as a worker has it."""

    def __init__(self, engine: Engine, image: str, limits: PoolLimits, ai: AiGateway | None = None) -> None:
        self.engine = engine
        self.image = image
        self.folder = Path(tempfile.mkdtemp(prefix="ngs-"))
        # Short, since a unix socket's path has at most 107 characters.
        self.run_dir, self.work_dir, self._code = (self.folder / name for name in ("run", "work", "code"))
        for folder in (self.run_dir, self.work_dir, self._code):
            folder.mkdir()
        self.pool = Pool(engine, self.run_dir, self.work_dir, {"python": image}, limits, ai)

    def version(
        self,
        code: str | dict[str, str],
        *,
        tenant: str = "default",
        memory_mb: int = 128,
        egress: bool = False,
        dependencies: dict[str, str] | None = None,
    ) -> Version:
        """The first version of a new function."""
        function_id = f"fn_{uuid.uuid4().hex}"
        files = {"main.py": code} if isinstance(code, str) else code
        return Version(
            tenant=tenant,
            function_id=function_id,
            function_version=1,
            runtime="python",
            memory_mb=memory_mb,
            egress=egress,
            code=self._unpacked(files),
            dependencies=None if dependencies is None else self._unpacked(dependencies),
        )

    def run(
        self,
        version: Version | str,
        event: Any = None,
        *,
        timeout_s: float | None = 20,
        memory_mb: int = 128,
        environment: dict[str, str] | None = None,
        on_log: LogListener = unheard,
    ) -> Ran:
        """Runs a version, or source text as a new function."""
        if isinstance(version, str):
            version = self.version(version, memory_mb=memory_mb)
        payload = {"job_id": "job_x", "handler": "main.handler", "input": event, "environment": environment or {}}
        with self.pool.lease(version, "job_x") as lease:
            outcome, outputs = lease.run(payload, timeout_s, on_log)
            assert outcome.start == lease.start
            return Ran(lease.start, outcome, {file.name: file.path.read_bytes() for file in outputs.received})

    def close(self) -> None:
        """Removes all of it."""
        self.pool.close()
        shutil.rmtree(self.folder)

    def _unpacked(self, files: dict[str, str]) -> Path:
        folder = Path(tempfile.mkdtemp(dir=self._code))
        folder.chmod(0o755)
        for name, text in files.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return folder


@contextmanager
def sandboxes_of(image: str, limits: PoolLimits = STEADY, ai: AiGateway | None = None) -> Iterator[Sandboxes]:
    """A pool on the engine of the tests."""
    engine = Engine(cpus=1, runtime="", life=life_of(os.getpid()))
    made = Sandboxes(engine, image, limits, ai)
    try:
        yield made
    finally:
        made.close()
        engine.close()
