"""A job's whole way: message, code, sandbox, table, Redis, buckets, archive."""

import base64
import hashlib
import json
import sys
from collections.abc import Callable
from pathlib import Path

import docker
import pytest
from support.clouds import Grid, zip_of
from support.processes import wait_until
from support.worker import Worker

HELLO = Path(__file__).parents[3] / "examples" / "hello"

pytestmark = pytest.mark.usefixtures("shared_worker")


@pytest.fixture
def grid(shared_grid: Grid) -> Grid:
    """The shared worker's grid."""
    return shared_grid


@pytest.mark.parametrize("inline", [True, False], ids=["code in the message", "code in the bucket"])
def test_a_message_becomes_a_result_in_the_table_in_redis_and_in_the_archive(grid: Grid, inline: bool) -> None:
    """worker: a message becomes a result in the table, in Redis and in the archive."""
    code = zip_of({"main.py": (HELLO / "main.py").read_text()})
    event = json.loads((HELLO / "event.json").read_text())
    job = grid.job(code, inline=inline, input=event)
    with grid.listening(job["job_id"]) as told:
        grid.accept(job)
        grid.send(json.dumps(job))
        item = grid.wait_for_status(job["job_id"], "SUCCESS")
        wait_until(lambda: len(told()) == 2, 5, "both changes are told")
        seen = told()
    result = json.loads(item["result"])

    assert result["output"]["primes"] == 78498
    assert result["output"]["greeting"] == "Hello, NanoGrid!"
    assert result["output"]["python"].split(".")[0] == str(sys.version_info.major)
    assert result["logs"] == "counting the primes below 1000000\n"
    assert result["exit_reason"]["code"] == "ok"
    assert 0 < result["duration_ms"] < 5000
    assert result["queue_ms"] >= 0
    assert 5 < result["peak_memory_mb"] < 128
    assert result["suggested_memory_mb"] % 64 == 0
    assert (result["attempt"], result["ai"]) == (1, None)
    assert result["start"] in ("prewarmed", "cold", "warm")

    assert [view["status"] for view in seen] == ["PROCESSING", "SUCCESS"]
    view = json.loads(grid.redis.get(f"nanogrid:job:{job['job_id']}") or b"{}")
    assert seen[1] == view == {**result, "updated_at": result["finished_at"]}
    assert 86000 < int(str(grid.redis.ttl(f"nanogrid:job:{job['job_id']}"))) <= 86400

    assert item["attempts"] == "1"
    assert "leaseOwner" not in item
    wait_until(lambda: grid.messages() == (0, 0), 5, "the message is deleted")

    delivered = grid.wait_delivered(job["job_id"])
    assert not {"owes", "duty", "dutyAt", "leaseExpiresAt"} & delivered.keys()
    folder = f"default/{job['function_id']}/1"
    assert grid.archived(f"{folder}/code.zip") == code
    manifest = json.loads(grid.archived(f"{folder}/{job['job_id']}.json"))
    assert manifest == {k: v for k, v in result.items() if k not in ("logs", "logs_truncated", "output")}


def test_an_exception_of_the_function_is_a_result_and_no_retry(grid: Grid) -> None:
    """worker: an exception of the function is a result, and its message is deleted."""
    job_id = grid.submit(
        "import sys\ndef handler(event):\n    print('here', file=sys.stderr)\n    raise KeyError('colour')\n"
    )
    result = grid.result(job_id)
    assert (result["status"], result["exit_reason"]["code"]) == ("FAILED", "exception")
    assert result["error"]["type"] == "KeyError"
    assert "'colour'" in result["error"]["message"]
    assert "/function/main.py" in result["error"]["traceback"]
    assert result["logs"] == "here\n"
    assert "owes" not in grid.item(job_id)
    wait_until(lambda: grid.messages() == (0, 0), 5, "the message is deleted")
    assert grid.item(job_id)["attempts"] == "1"


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("def handler(event:\n", "SyntaxError"),
        ("import numpy_of_nowhere\n", "ModuleNotFoundError"),
        ("def other(event): pass\n", "AttributeError"),
        ("def handler(event): return object()\n", "TypeError"),
        ("def handler(event): return float('nan')\n", "ValueError"),
        ("import sys\ndef handler(event): sys.exit(3)\n", "SystemExit"),
        ("import os\ndef handler(event): os._exit(0)\n", "SystemExit"),
        ("import os, signal\ndef handler(event): os.kill(os.getpid(), signal.SIGSEGV)\n", "SIGSEGV"),
    ],
)
def test_code_that_cannot_work_gives_a_result_that_names_why(grid: Grid, code: str, kind: str) -> None:
    """worker: code that cannot work gives a result that names why."""
    result = grid.run(code)
    assert (result["status"], result["exit_reason"]["code"], result["error"]["type"]) == ("FAILED", "exception", kind)


def test_a_function_that_takes_too_long_ends_with_timeout(grid: Grid) -> None:
    """worker: a function that takes too long ends with timeout, with what it printed before."""
    result = grid.run("import time\ndef handler(event):\n    print('on it')\n    time.sleep(60)\n", timeout_s=1)
    assert (result["status"], result["exit_reason"]["code"]) == ("FAILED", "timeout")
    assert result["logs"] == "on it\n"
    assert 900 < result["duration_ms"] < 3000


def test_a_function_that_stops_its_runner_ends_with_timeout_all_the_same(grid: Grid) -> None:
    """worker: a function that stops its runner ends with timeout all the same."""
    code = (
        "import os, signal, time\ndef handler(event):\n    os.kill(os.getppid(), signal.SIGSTOP)\n    time.sleep(60)\n"
    )
    result = grid.run(code, timeout_s=1)
    assert (result["status"], result["exit_reason"]["code"]) == ("FAILED", "timeout")


def test_a_function_cannot_kill_its_runner(grid: Grid) -> None:
    """worker: a function that tries to kill its runner does not, and its run goes on."""
    result = grid.run(
        "import os, signal\ndef handler(event):\n    os.kill(os.getppid(), signal.SIGKILL)\n    return 1\n"
    )
    assert (result["status"], result["output"]) == ("SUCCESS", 1)


@pytest.mark.parametrize(
    "code",
    [
        "def handler(event): return len(bytearray(512 * 1024 * 1024))\n",
        "def handler(event):\n    open('/tmp/f', 'wb').write(bytes(40 << 20))\n    return len(bytearray(40 << 20))\n",
    ],
    ids=["in the heap", "in /tmp and the heap"],
)
def test_a_function_that_needs_more_memory_than_its_limit_ends_with_out_of_memory(grid: Grid, code: str) -> None:
    """worker: a function that needs more memory than its limit ends with out of memory, and more is suggested."""
    result = grid.run(code, memory_mb=64)
    assert (result["status"], result["exit_reason"]["code"]) == ("FAILED", "out_of_memory")
    assert result["suggested_memory_mb"] == 128


def test_an_output_over_its_limit_ends_with_output_too_large(grid: Grid) -> None:
    """worker: an output over 128 KiB ends with output too large."""
    result = grid.run("def handler(event): return 'x' * (128 * 1024)\n")
    assert (result["status"], result["exit_reason"]["code"], result["output"]) == ("FAILED", "output_too_large", None)
    result = grid.run("def handler(event): return 'x' * (128 * 1024 - 2)\n")
    assert (result["status"], len(result["output"])) == ("SUCCESS", 128 * 1024 - 2)


def test_a_flood_of_output_keeps_its_end(grid: Grid) -> None:
    """worker: a flood of output keeps its last 64 KiB."""
    code = """
def handler(event):
    for n in range(200_000):
        print('line', n)
    print('\\x00' * 60_000 + 'end')
"""
    result = grid.run(code)
    assert result["status"] == "SUCCESS"
    assert result["logs_truncated"] is True
    assert result["logs"].endswith("end\n")
    assert len(json.dumps(result, ensure_ascii=False).encode()) < 300 * 1024


def test_files_in_output_are_uploaded_and_listed(grid: Grid) -> None:
    """worker: regular files in /output are uploaded and listed; links, pipes and what they point at are not."""
    code = """
import os
def handler(event):
    open('/output/picture.bin', 'wb').write(bytes(range(256)) * 4000)
    os.mkdir('/output/more')
    open('/output/more/naïve name.txt', 'w').write('text')
    open('/output/empty', 'w')
    os.symlink('/etc/passwd', '/output/link')
    os.symlink('/etc', '/output/folder')
    os.mkfifo('/output/pipe')
"""
    job_id = grid.submit(code)
    result = grid.result(job_id)
    assert result["status"] == "SUCCESS", result
    assert [(file["name"], file["bytes"]) for file in result["files"]] == [
        ("empty", 0),
        ("picture.bin", 1_024_000),
        ("more/naïve name.txt", 4),
    ]
    for file in result["files"]:
        assert file["key"] == f"default/{job_id}/{file['name']}"
        stored = grid.s3.get_object(Bucket=grid.user_data_bucket, Key=file["key"])["Body"].read()
        assert (len(stored), hashlib.sha256(stored).hexdigest()) == (file["bytes"], file["sha256"])


def test_more_files_than_allowed_end_with_output_too_large(grid: Grid) -> None:
    """worker: more than a hundred files end with output too large."""
    result = grid.run("def handler(event):\n    for n in range(101): open(f'/output/{n}', 'w')\n")
    assert (result["status"], result["exit_reason"]["code"]) == ("FAILED", "output_too_large")
    assert result["files"] == []


def test_input_and_environment_reach_the_function(grid: Grid) -> None:
    """worker: input and environment reach the function, a large input by way of the bucket."""
    names = "os.environ['COLOUR'], os.environ['TRACEPARENT'], os.environ['NANOGRID_JOB_ID']"
    code = f"import os\ndef handler(event): return [len(event['text']), {names}, os.getcwd()]\n"
    grid.s3.put_object(Bucket=grid.code_bucket, Key="inputs/x.json", Body=json.dumps({"text": "é" * 300_000}))
    trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    result = grid.run(code, input_key="inputs/x.json", environment={"COLOUR": "blue"}, traceparent=trace)
    assert result["output"] == [300_000, "blue", trace, result["job_id"], "/function"]


def test_a_job_past_its_deadline_is_not_started(grid: Grid) -> None:
    """worker: a job past its deadline is not started and fails with timeout."""
    result = grid.run("def handler(event): return 1\n", deadline="2020-01-01T00:00:00.000Z")
    assert (result["status"], result["exit_reason"]["code"], result["output"]) == ("FAILED", "timeout", None)


@pytest.mark.parametrize(
    ("fields", "says"), [({"runtime": "cobol"}, "no runtime for cobol"), ({"egress": True}, "no network")]
)
def test_what_this_worker_cannot_do_is_a_result_that_says_so(grid: Grid, fields: dict[str, object], says: str) -> None:
    """worker: what this worker cannot do is a result that says so."""
    result = grid.run("def handler(event): return 1\n", **fields)
    assert (result["status"], result["exit_reason"]["code"]) == ("FAILED", "infrastructure")
    assert says in result["exit_reason"]["message"]


def test_a_zip_that_leaves_its_folder_is_refused(grid: Grid, shared_worker: Worker) -> None:
    """worker: a zip that leaves its folder is refused with a result, and writes nothing."""
    result = grid.run({"../../escaped.py": "x = 1\n", "main.py": "def handler(event): return 1\n"})
    assert (result["status"], result["error"]["type"]) == ("FAILED", "InvalidCode")
    assert "../../escaped.py" in result["error"]["message"]
    assert not list(shared_worker.folder.rglob("escaped.py"))


def test_nothing_is_left_of_a_worker(grid: Grid, start_worker: Callable[..., Worker]) -> None:
    """worker: no socket, file or container is left of a worker that has ended."""
    worker = start_worker()
    grid.run("def handler(event):\n    open('/output/a', 'w').write('a')\n")
    assert worker.terminate() == 0
    assert list((worker.folder / "run").iterdir()) == []
    assert list((worker.folder / "cache" / "files").iterdir()) == []
    assert containers(worker) == []


def containers(worker: Worker) -> list[str]:
    """Containers that carry a worker's label."""
    client = docker.from_env()
    found = client.containers.list(all=True, filters={"label": "nanogrid.worker"}, ignore_removed=True)
    return [c.name or "" for c in found if c.labels["nanogrid.worker"].startswith(f"{worker.process.pid}-")]


def test_code_from_the_message_is_base64(grid: Grid) -> None:
    """worker: the message's copy of the code is what runs, so that the bucket is not asked."""
    job = grid.job("def handler(event): return 'inline'\n")
    grid.s3.delete_object(Bucket=grid.code_bucket, Key=job["code_key"])
    assert base64.b64decode(job["code"])[:2] == b"PK"
    grid.accept(job)
    grid.send(json.dumps(job))
    assert grid.result(job["job_id"])["output"] == "inline"
