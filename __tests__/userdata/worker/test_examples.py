"""The examples, each run by a real worker as its settings and its event say.

The AI node is a stand-in that answers one question in Ollama's form. Pillow comes from this machine's package index,
and is handed on by an index of the tests, since the sandboxes of tests reach no other.
"""

import io
import json
import re
import struct
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.clouds import Grid
from support.packages import PackageServer, build_network
from support.runtimes import built
from support.servers import Recorder, Request, recording
from support.worker import Worker, WorkerOptions

EXAMPLES = Path(__file__).parents[3] / "examples"
NAMES = sorted(path.parent.name for path in EXAMPLES.glob("*/nanogrid.json"))
DOWNLOAD_TIMEOUT_S = 150
SETTINGS = {"name", "runtime", "handler", "memoryMb", "timeoutS", "environment", "egress"}
BUILD_TIMEOUT_S = 120


@pytest.fixture(scope="module")
def ai_node() -> Iterator[Recorder]:
    """The stand-in of the AI node."""

    def generate(request: Request) -> tuple[int, str, bytes]:
        asked = request.json()
        answer = {"response": f" {asked['model']} was asked: {asked['prompt']}\n", "eval_count": 5, "done": True}
        return 200, "application/json", json.dumps({**answer, "prompt_eval_count": 11}).encode()

    with recording() as recorder:
        recorder.answers = {"/api/generate": generate}
        yield recorder


@pytest.fixture(scope="module")
def index(runtime_image: str) -> Iterator[PackageServer]:
    """The index that the worker's builds ask."""
    assert runtime_image
    with build_network():
        server = PackageServer()
        yield server
        server.close()


@pytest.fixture(scope="module")
def worker(
    shared_grid: Grid, runtime_image: str, scratch: Path, index: PackageServer, ai_node: Recorder
) -> Iterator[Worker]:
    """A worker with both runtimes, a network for builds, and the AI node."""
    settings = {
        "RUNTIME_IMAGE_NODE": built("node"),
        "EGRESS_NETWORK": index.network,
        "DEPENDENCIES_PYTHON_INDEX_URL": index.python_index_url,
        "AI_ENDPOINT": ai_node.url,
    }
    with Worker(shared_grid, runtime_image, scratch, WorkerOptions(settings)) as made:
        made.wait_ready()
        yield made


class Example:
    """An example as the command line would upload it."""

    def __init__(self, name: str) -> None:
        self.folder = EXAMPLES / name
        self.settings: dict[str, Any] = json.loads((self.folder / "nanogrid.json").read_text())
        self.event: Any = json.loads((self.folder / "event.json").read_text())

    def job(self, grid: Grid, **fields: Any) -> dict[str, Any]:
        """A call of it."""
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w") as zipped:
            for path in sorted(self.folder.glob("*.*")):
                zipped.write(path, path.name)
        is_node = (self.folder / "main.mjs").exists()
        limits = {
            "runtime": self.settings.get("runtime", "node" if is_node else "python"),
            "handler": self.settings.get("handler", "main.handler"),
            "memory_mb": self.settings.get("memoryMb", 256),
            "timeout_s": self.settings.get("timeoutS"),
            "environment": self.settings.get("environment", {}),
            "egress": self.settings.get("egress", False),
            "input": self.event,
        }
        return grid.job(buffer.getvalue(), inline=False, **{**limits, **fields})


def finished(grid: Grid, job: dict[str, Any], timeout_s: float = 40) -> dict[str, Any]:
    """Submits a job and waits for its result."""
    grid.accept(job)
    grid.send(json.dumps(job))
    return grid.result(job["job_id"], timeout_s)


def files(grid: Grid, result: dict[str, Any]) -> dict[str, bytes]:
    """A result's output files."""
    return {
        file["name"]: grid.s3.get_object(Bucket=grid.user_data_bucket, Key=file["key"])["Body"].read()
        for file in result["files"]
    }


@pytest.mark.parametrize("name", NAMES)
def test_an_example_says_what_the_command_line_reads(name: str) -> None:
    """examples: each has an event, settings that are known, and a place in the README."""
    example = Example(name)
    assert example.settings.keys() <= SETTINGS
    assert example.settings["name"] == name
    readme = (EXAMPLES / "README.md").read_text()
    assert f"npx nanogrid deploy examples/{name}\n" in readme
    assert f"npx nanogrid invoke {name} " in readme


def test_no_example_is_left_out() -> None:
    """examples: every folder has its settings."""
    assert sorted(path.name for path in EXAMPLES.iterdir() if path.is_dir()) == NAMES


def test_hello_greets_and_counts(shared_grid: Grid, worker: Worker) -> None:
    """examples: hello answers what its README says."""
    assert worker.process.poll() is None
    output = finished(shared_grid, Example("hello").job(shared_grid))["output"]
    assert output.pop("python").startswith("3.")
    assert output == {"greeting": "Hello, NanoGrid!", "primes_below": 1_000_000, "primes": 78_498}


@pytest.fixture(scope="module")
def pillow(index: PackageServer, scratch: Path) -> None:
    """Pillow in the index of the tests."""
    folder = scratch / "wheels"
    requirements = EXAMPLES / "thumbnail" / "requirements.txt"
    download = [
        "download",
        "--no-deps",
        "--only-binary=:all:",
        "--dest",
        str(folder),
        "--requirement",
        str(requirements),
    ]
    try:
        subprocess.run(
            [sys.executable, "-m", "pip", *download], check=True, capture_output=True, timeout=DOWNLOAD_TIMEOUT_S
        )
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
        pytest.skip(f"Pillow cannot be had from this machine's package index: {error.stderr or error!r}")
    (wheel,) = folder.glob("*.whl")
    index.add_python("pillow", wheel.name, wheel.read_bytes())


@pytest.mark.usefixtures("pillow", "worker")
def test_thumbnail_is_built_once_and_makes_files_in_several_sizes(shared_grid: Grid, index: PackageServer) -> None:
    """examples: thumbnail's build resolves Pillow, and its run finds it and leaves images of the sizes asked for."""
    example = Example("thumbnail")
    job = example.job(shared_grid)
    job["dependencies_key"] = job["code_key"].replace("functions/", "dependencies/")
    build = {**job, "kind": "build", "job_id": shared_grid.job("")["job_id"]}
    built_result = finished(shared_grid, build, BUILD_TIMEOUT_S)
    assert [package["name"].lower() for package in built_result["output"]["packages"]] == ["pillow"], built_result
    assert "Successfully installed" in built_result["logs"]
    index.files.clear()

    result = finished(shared_grid, job)
    assert (result["status"], result["error"]) == ("SUCCESS", None)
    output = result["output"]
    assert (output["format"], output["width"], output["height"]) == ("PNG", 480, 300)
    sizes = {name: struct.unpack(">II", content[16:24]) for name, content in files(shared_grid, result).items()}
    assert sizes == {"thumbnail-32.png": (32, 20), "thumbnail-96.png": (96, 60), "thumbnail-240.png": (240, 150)}
    assert {file["name"]: (file["width"], file["height"]) for file in output["files"]} == sizes

    wrong = finished(
        shared_grid, {**job, "job_id": shared_grid.job("")["job_id"], "input": {"image": "bm90IGFuIGltYWdl"}}
    )
    assert (wrong["error"]["type"], wrong["error"]["message"]) == ("ValueError", "image: no format that Pillow knows")


@pytest.mark.usefixtures("worker")
def test_long_job_prints_its_progress_and_keeps_a_partial_result(shared_grid: Grid) -> None:
    """examples: long-job ends with its estimate; stopped at a time limit, it keeps the lines that it had written."""
    example = Example("long-job")
    result = finished(shared_grid, example.job(shared_grid, input={"steps": 3, "seconds": 0.2}))
    assert re.findall(r"step \d of 3: .*, (\d+) %", result["logs"]) == ["33", "66", "100"]
    assert result["output"]["error"] < 1e-3
    assert len(files(shared_grid, result)["estimates.csv"].splitlines()) == 4

    stopped = finished(shared_grid, example.job(shared_grid, input={"steps": 1000, "seconds": 0.2}, timeout_s=2))
    assert stopped["exit_reason"]["code"] == "timeout"
    lines = files(shared_grid, stopped)["estimates.csv"].decode().splitlines()
    assert 1 < len(lines) < 20


@pytest.mark.usefixtures("worker")
def test_ask_ai_asks_the_node_and_the_tokens_are_counted(shared_grid: Grid, ai_node: Recorder) -> None:
    """examples: ask-ai's question reaches the AI node, its answer the caller, and its tokens the result."""
    example = Example("ask-ai")
    result = finished(shared_grid, example.job(shared_grid))
    question = example.event["question"]
    answer = {"model": "llama3.2:3b", "answer": f"llama3.2:3b was asked: {question}", "tokens": 5}
    assert result["output"] == answer, result["error"]
    assert (result["ai"]["requests"], result["ai"]["prompt_tokens"], result["ai"]["completion_tokens"]) == (1, 11, 5)
    assert [request.path for request in ai_node.requests] == ["/api/generate"]


@pytest.mark.usefixtures("worker")
def test_node_report_sums_up_and_leaves_a_page(shared_grid: Grid) -> None:
    """examples: node-report's figures are right, and its page shows names as text."""
    result = finished(shared_grid, Example("node-report").job(shared_grid))
    assert result["output"] == {
        "rows": 5,
        "total": 507.14,
        "groups": [
            {"name": "West <new>", "count": 1, "sum": 199.99, "mean": 199.99, "median": 199.99},
            {"name": "North", "count": 2, "sum": 162.75, "mean": 81.38, "median": 81.375},
            {"name": "South", "count": 2, "sum": 144.4, "mean": 72.2, "median": 72.2},
        ],
    }, result["error"]
    page = files(shared_grid, result)["report.html"].decode()
    assert "West &lt;new&gt;" in page
    assert "<new>" not in page
