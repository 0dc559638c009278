"""What is seen of a job while it runs: its live log, its cancellation, its worker."""

import json
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import redis
from support.clouds import Grid
from support.processes import Server, free_port, wait_until
from support.worker import Worker

from nanogrid_worker.cancellations import Cancellations
from nanogrid_worker.live_log import MAX_ATTEMPT_BYTES, LiveLog
from nanogrid_worker.teller import Teller

StartWorker = Callable[..., Worker]


@pytest.fixture
def teller(redis_port: int) -> Iterator[Teller]:
    """A line to Redis."""
    line = Teller(redis.Redis(port=redis_port, socket_timeout=2))
    yield line
    line.close()


def test_a_log_is_seen_while_the_job_runs(shared_grid: Grid, shared_worker: Worker) -> None:
    """worker: what a function prints is seen within a second, while it runs, and the live log has all of it."""
    assert shared_worker.process.poll() is None
    code = "import time\ndef handler(event):\n    print('début')\n    time.sleep(3)\n    print('fin')\n"
    job = shared_grid.job(code)
    with shared_grid.hearing(job["job_id"]) as heard:
        shared_grid.accept(job)
        shared_grid.send(json.dumps(job))
        wait_until(lambda: [event for event in heard() if event.get("type") == "log"], 20, "the first line is heard")
        assert shared_grid.item(job["job_id"])["status"] == "PROCESSING"
        result = shared_grid.result(job["job_id"])
        wait_until(lambda: any(event.get("status") == "SUCCESS" for event in heard()), 5, "the result is told")
        events = heard()
    logs = [event for event in events if event.get("type") == "log"]
    assert [(event["job_id"], event["attempt"]) for event in logs] == [(job["job_id"], 1)] * len(logs)
    assert "".join(event["text"] for event in logs) == result["logs"] == "début\nfin\n"
    assert [event["offset"] for event in logs] == [0, len("début\n".encode())]
    # Who waits for the result has the log by then.
    assert events[-1]["status"] == "SUCCESS"
    key = f"nanogrid:job:{job['job_id']}:log:1"
    assert shared_grid.told(key) == result["logs"]
    assert 86000 < int(str(shared_grid.redis.ttl(key))) <= 86400


def test_batches_are_whole_characters_and_at_most_so_large(shared_grid: Grid, teller: Teller) -> None:
    """live log: batches hold whole characters and at most 64 KiB, in order, up to 1 MiB of an attempt."""
    text = ("ab€😀" * 200_000).encode()
    with shared_grid.hearing("job_batches") as heard:
        log = LiveLog(teller, "job_batches", 3)
        for start in range(0, len(text), 9_999):
            log.write(text[start : start + 9_999])
        log.close()
        teller.close()
        events = heard()
    assert len(events) >= 16
    assert max(len(event["text"].encode()) for event in events) <= 65536
    stored = shared_grid.told("nanogrid:job:job_batches:log:3")
    assert "".join(event["text"] for event in events) == stored
    assert stored.removesuffix("�") == text[:MAX_ATTEMPT_BYTES].decode(errors="ignore")
    position = 0
    for event in events:
        assert (event["offset"], event["attempt"]) == (position, 3)
        position += len(event["text"].encode())


def test_bytes_that_are_no_text_do_not_break_the_log(shared_grid: Grid, teller: Teller) -> None:
    """live log: bytes that are no UTF-8 are told as replacement characters, and offsets still fit."""
    log = LiveLog(teller, "job_bytes", 1)
    log.write(b"\xff\xfe ok \xe2\x82")
    log.close()
    teller.close()
    assert shared_grid.told("nanogrid:job:job_bytes:log:1") == "�� ok �"


def test_a_flood_without_redis_stops_nobody() -> None:
    """live log: without Redis a flood of output is dropped, and nobody waits."""
    line = Teller(redis.Redis(port=1, socket_timeout=1))
    log = LiveLog(line, "job_flood", 1)
    started = time.monotonic()
    for _ in range(3000):
        log.write(b"x" * 10_000)
    log.close()
    assert time.monotonic() - started < 2
    line.close()


def test_a_cancellation_stops_the_run_at_once(grid: Grid, start_worker: StartWorker) -> None:
    """worker: a cancellation stops the run at once, long before the next heartbeat, and the result stays cancelled."""
    worker = start_worker(VISIBILITY_TIMEOUT_S="600")
    job_id = grid.submit("import time\ndef handler(event): time.sleep(600)\n", timeout_s=None)
    grid.wait_for_status(job_id, "PROCESSING")
    wait_until(lambda: worker.logged("job started"), 10, "it runs")
    grid.change(
        job_id,
        "SET status = :cancelled, finishedAt = :at REMOVE leaseOwner, leaseExpiresAt",
        cancelled="CANCELLED",
        at="2026-01-01T00:00:00.000Z",
    )
    before = grid.item(job_id)
    grid.redis.publish("nanogrid:cancel", job_id)
    wait_until(lambda: grid.messages() == (0, 0), 15, "the message is deleted")
    assert grid.item(job_id) == before
    assert worker.logged("job is cancelled")
    # The slot is free for the next one.
    assert grid.run("def handler(event): return 2\n")["output"] == 2


def test_cancellations_are_heard_again_after_redis_was_away(scratch: Path) -> None:
    """cancellations: they are heard again when Redis was restarted, on a new connection."""
    heard: list[str] = []
    port = free_port()
    arguments = ["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", str(scratch)]
    client = redis.Redis(port=port, socket_timeout=1)
    with Server(arguments, scratch / "redis-cancel.log", port):
        listening = Cancellations(redis.Redis(port=port, socket_timeout=1), heard.append)
        wait_until(lambda: client.publish("nanogrid:cancel", "one"), 10, "somebody listens")
    with Server(arguments, scratch / "redis-cancel.log", port):
        wait_until(lambda: client.publish("nanogrid:cancel", "two"), 20, "somebody listens again")
        wait_until(lambda: heard[-1:] == ["two"], 5, "it is heard")
        listening.close()


def test_a_worker_says_what_it_is_and_removes_those_that_are_gone(grid: Grid, start_worker: StartWorker) -> None:
    """worker: its entry says what it is and does; it is gone at the end, and so are those of workers long gone."""
    long_ago = (datetime.now(UTC) - timedelta(minutes=11)).isoformat()
    grid.redis.hset("nanogrid:workers", "dead", json.dumps({"worker_id": "dead", "updated_at": long_ago}))
    worker = start_worker(CONCURRENCY="3")
    mine = f":{worker.process.pid}-"

    def entry() -> dict[str, object] | None:
        entries = grid.redis.hgetall("nanogrid:workers")
        found = [json.loads(text) for name, text in entries.items() if mine in str(name)]
        return found[0] if found else None

    wait_until(entry, 10, "its entry is there")
    found = entry() or {}
    assert (found["slots"], found["busy"], found["runtimes"]) == (3, 0, ["python"])
    assert set(found) == {"worker_id", "slots", "busy", "warm", "runtimes", "version", "started_at", "updated_at"}
    wait_until(lambda: grid.redis.hget("nanogrid:workers", "dead") is None, 10, "the dead one is removed")
    worker.terminate()
    assert entry() is None
