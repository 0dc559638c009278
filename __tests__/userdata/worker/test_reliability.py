"""Promises about messages, each broken with a real process."""

import json
import signal
import time
from collections.abc import Callable
from pathlib import Path

import redis
from support.clouds import MAX_RECEIVES, Grid
from support.processes import Server, free_port, wait_until
from support.servers import Proxy
from support.worker import Worker

StartWorker = Callable[..., Worker]

SLOW = "import time\ndef handler(event):\n    time.sleep(event)\n    return 'slept'\n"


def test_the_same_message_to_two_workers_has_one_effect(grid: Grid, start_worker: StartWorker) -> None:
    """worker: the same message, delivered twice to two workers, has one visible effect."""
    first, second = start_worker(), start_worker()
    job = grid.job(SLOW, input=3)
    with grid.listening(job["job_id"]) as told:
        grid.accept(job)
        grid.send(json.dumps(job))
        grid.send(json.dumps(job))
        assert grid.result(job["job_id"])["output"] == "slept"
        wait_until(lambda: first.logged("job is held elsewhere") or second.logged("job is held elsewhere"), 10, "met")
        wait_until(lambda: [view["status"] for view in told()] == ["PROCESSING", "SUCCESS"], 5, "both changes are told")
    assert grid.item(job["job_id"])["attempts"] == "1"
    assert len(first.logged("job started")) + len(second.logged("job started")) == 1


def test_a_message_that_comes_again_after_the_end_is_deleted(grid: Grid, start_worker: StartWorker) -> None:
    """worker: a message that comes again after its job has ended is deleted and changes nothing."""
    worker = start_worker()
    job = grid.job("def handler(event): return 1\n")
    grid.accept(job)
    grid.send(json.dumps(job))
    grid.result(job["job_id"])
    before = grid.wait_delivered(job["job_id"])
    grid.send(json.dumps(job))
    wait_until(lambda: worker.logged("job is final already"), 10, "it came again")
    wait_until(lambda: grid.messages() == (0, 0), 5, "the message is deleted")
    assert grid.item(job["job_id"]) == before


def test_a_job_longer_than_the_visibility_timeout_runs_once(grid: Grid, start_worker: StartWorker) -> None:
    """worker: a job of three times the visibility timeout runs once, with another worker waiting for it."""
    workers = [start_worker(VISIBILITY_TIMEOUT_S="4"), start_worker(VISIBILITY_TIMEOUT_S="4")]
    job_id = grid.submit(SLOW, input=12)
    assert grid.result(job_id)["output"] == "slept"
    assert grid.item(job_id)["attempts"] == "1"
    assert sum(len(worker.logged("job started")) for worker in workers) == 1
    assert not any(worker.logged("job is held elsewhere") for worker in workers)


def test_a_killed_workers_job_is_run_by_another(grid: Grid, start_worker: StartWorker) -> None:
    """worker: the job of a worker that was killed is run by another within visibility and a poll."""
    doomed = start_worker(VISIBILITY_TIMEOUT_S="4")
    job_id = grid.submit(SLOW, input=3)
    grid.wait_for_status(job_id, "PROCESSING")
    wait_until(lambda: doomed.logged("job started"), 10, "it runs")
    doomed.process.send_signal(signal.SIGKILL)
    doomed.process.wait(10)
    killed_at = time.monotonic()
    heir = start_worker(VISIBILITY_TIMEOUT_S="4")
    assert heir.logged("leftovers removed")[0]["containers"] >= 1
    assert grid.result(job_id)["output"] == "slept"
    assert time.monotonic() - killed_at < 4 + 1 + 3 + 8
    assert grid.item(job_id)["attempts"] == "2"


def test_sigterm_waits_for_a_job_that_ends_in_time(grid: Grid, start_worker: StartWorker) -> None:
    """worker: on SIGTERM a job that ends in time is finished, no further one is taken, and the exit code is 0."""
    worker = start_worker(DRAIN_TIMEOUT_S="30")
    running, waiting = grid.submit(SLOW, input=3), None
    grid.wait_for_status(running, "PROCESSING")
    worker.process.send_signal(signal.SIGTERM)
    waiting = grid.submit("def handler(event): return 1\n")
    assert worker.process.wait(40) == 0
    assert grid.result(running)["output"] == "slept"
    assert "owes" not in grid.item(running)
    assert grid.item(waiting)["status"] == "PENDING"
    assert grid.messages() == (1, 0)


def test_sigterm_gives_back_a_job_that_takes_too_long(grid: Grid, start_worker: StartWorker) -> None:
    """worker: on SIGTERM a job that takes too long is given back at once, for another worker to run."""
    worker = start_worker(DRAIN_TIMEOUT_S="1")
    job_id = grid.submit(SLOW, input=600, timeout_s=None)
    grid.wait_for_status(job_id, "PROCESSING")
    wait_until(lambda: worker.logged("job started"), 10, "it runs")
    assert worker.terminate(timeout_s=20) == 0
    item = grid.item(job_id)
    assert item["status"] == "PENDING"
    assert "leaseOwner" not in item
    assert grid.messages() == (1, 0)
    view = json.loads(grid.redis.get(f"nanogrid:job:{job_id}") or b"{}")
    assert view["status"] == "PENDING"


def test_malformed_messages_end_in_the_dead_letters(grid: Grid, start_worker: StartWorker) -> None:
    """worker: malformed messages are not deleted, and after five receives they are among the dead letters."""
    worker = start_worker(VISIBILITY_TIMEOUT_S="3")
    bodies = ["not json", "[]", '{"schema": 1}', json.dumps({**grid.job(), "job_id": "../job"})]
    for body in bodies:
        grid.send(body)
    wait_until(lambda: grid.messages(grid.dead_letters_url)[0] == len(bodies), 60, "they are among the dead letters")
    records = worker.logged("message is not a job")
    assert len(records) == MAX_RECEIVES * len(bodies)
    assert any("tenant: Field required" in record["error"] for record in records)
    assert worker.process.poll() is None


def test_code_that_is_not_what_its_hash_says_is_never_run(grid: Grid, start_worker: StartWorker) -> None:
    """worker: code that is not what its hash says is not run; its message ends in the dead letters."""
    start_worker(VISIBILITY_TIMEOUT_S="3")
    job = grid.job("def handler(event): return 1\n", inline=False)
    grid.s3.put_object(Bucket=grid.code_bucket, Key=job["code_key"], Body=b"something else")
    grid.accept(job)
    grid.send(json.dumps(job))
    wait_until(lambda: grid.messages(grid.dead_letters_url)[0] == 1, 40, "it is among the dead letters")
    item = grid.item(job["job_id"])
    assert (item["status"], item["attempts"]) == ("PENDING", str(MAX_RECEIVES))
    assert "expected" in item["lastError"]["message"]["S"]
    assert item["lastError"]["attempt"] == {"N": str(MAX_RECEIVES)}


def test_a_message_without_a_job_is_not_run(grid: Grid, start_worker: StartWorker) -> None:
    """worker: a message whose job the table does not know is not run."""
    worker = start_worker(VISIBILITY_TIMEOUT_S="3")
    grid.send(json.dumps(grid.job("def handler(event): return 1\n")))
    wait_until(lambda: worker.logged("message failed"), 20, "it failed")
    assert not worker.logged("job started")


def test_a_cancelled_job_is_stopped(grid: Grid, start_worker: StartWorker) -> None:
    """worker: a job that is cancelled while it runs is stopped, and stays cancelled."""
    worker = start_worker(VISIBILITY_TIMEOUT_S="3")
    job_id = grid.submit(SLOW, input=600, timeout_s=None)
    grid.wait_for_status(job_id, "PROCESSING")
    grid.change(job_id, "SET status = :cancelled", cancelled="CANCELLED")
    wait_until(lambda: worker.logged("result dropped: the job is not ours any more"), 20, "it is stopped")
    wait_until(lambda: grid.messages() == (0, 0), 5, "the message is deleted")
    assert grid.item(job_id)["status"] == "CANCELLED"


def test_without_redis_and_archive_jobs_succeed(grid: Grid, start_worker: StartWorker) -> None:
    """worker: with Redis and the archive down, jobs succeed; their copy stays owed, for any worker to make."""
    start_worker(REDIS_PORT="1", STORAGE_EMULATOR_HOST="http://127.0.0.1:1")
    job_id = grid.submit("def handler(event): return 1\n")
    assert grid.result(job_id)["output"] == 1
    item = grid.item(job_id)
    assert (item["owes"], item["duty"]) == (["ARCHIVE"], "DELIVER")
    wait_until(lambda: grid.messages() == (0, 0), 10, "the message is deleted")


def test_a_message_that_kills_its_worker_ends_in_the_dead_letters(grid: Grid, start_worker: StartWorker) -> None:
    """worker: a message that kills its worker each time ends in the dead letters; sent again when repaired, it runs."""
    job = grid.job(SLOW, input=600, timeout_s=None)
    grid.accept(job)
    grid.send(json.dumps(job))
    deaths = 0
    while grid.messages(grid.dead_letters_url)[0] == 0:
        worker = start_worker(VISIBILITY_TIMEOUT_S="3", PREWARMED="0")
        wait_until(
            lambda worker=worker: worker.logged("job started") or grid.messages(grid.dead_letters_url)[0],  # type: ignore[misc]
            30,
            "it is taken",
        )
        deaths += len(worker.logged("job started"))
        worker.process.kill()
        worker.process.wait(10)
    assert 2 <= deaths <= MAX_RECEIVES
    assert grid.messages() == (0, 0)
    (letter,) = grid.sqs.receive_message(QueueUrl=grid.dead_letters_url)["Messages"]
    grid.send(json.dumps({**json.loads(letter["Body"]), "input": 0}))
    start_worker()
    result = grid.result(job["job_id"])
    assert (result["output"], result["attempt"]) == ("slept", deaths + 1)


def test_the_bucket_down_for_a_while_delays_a_job_and_loses_nothing(grid: Grid, start_worker: StartWorker) -> None:
    """worker: with S3 down for a while a job is tried again, says why meanwhile, and then succeeds."""
    proxy = Proxy(grid.clouds.aws_port)
    proxy.cut()
    worker = start_worker(VISIBILITY_TIMEOUT_S="4", AWS_ENDPOINT_URL_S3=f"http://127.0.0.1:{proxy.port}")
    job_id = grid.submit("def handler(event): return 1\n", inline=False)
    wait_until(lambda: "lastError" in grid.item(job_id), 40, "the first attempt has failed")
    item = grid.item(job_id)
    assert item["status"] == "PENDING"
    assert "cannot be read" in item["lastError"]["message"]["S"]
    proxy.mend()
    result = grid.result(job_id)
    assert (result["output"], result["status"]) == (1, "SUCCESS")
    assert result["attempt"] > 1
    assert "lastError" not in grid.item(job_id)
    assert worker.process.poll() is None
    proxy.close()


def test_redis_lost_in_the_middle_of_a_job_loses_nothing(grid: Grid, start_worker: StartWorker, scratch: Path) -> None:
    """worker: with Redis flushed, then restarted, in the middle of a job its result is in the table and in Redis."""
    port = free_port()
    arguments = ["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", str(scratch)]
    code = "import time\ndef handler(event):\n    for n in range(40): print(n); time.sleep(0.2)\n    return n\n"
    with Server(arguments, scratch / "redis-lost.log", port):
        start_worker(REDIS_PORT=str(port))
        job_id = grid.submit(code)
        grid.wait_for_status(job_id, "PROCESSING")
        client = redis.Redis(port=port, socket_timeout=2)
        log_key = f"nanogrid:job:{job_id}:log:1"
        wait_until(lambda: client.exists(log_key), 20, "it logs")
        client.flushall()
        wait_until(lambda: client.exists(log_key), 10, "it logs on")
    with Server(arguments, scratch / "redis-lost.log", port):
        result = grid.result(job_id)
        assert (result["status"], result["output"]) == ("SUCCESS", 39)
        assert result["logs"].split() == [str(n) for n in range(40)]
        wait_until(lambda: client.get(f"nanogrid:job:{job_id}"), 20, "the result is told")
        assert json.loads(client.get(f"nanogrid:job:{job_id}") or b"{}")["output"] == 39


def test_a_job_whose_function_was_deleted_is_a_result(grid: Grid, start_worker: StartWorker) -> None:
    """worker: a job whose function was deleted before it could run ends with a result that says so."""
    start_worker()
    job = grid.job("def handler(event): return 1\n", inline=False)
    grid.s3.delete_object(Bucket=grid.code_bucket, Key=job["code_key"])
    grid.accept(job)
    grid.send(json.dumps(job))
    result = grid.result(job["job_id"])
    assert (result["exit_reason"]["code"], result["error"]["type"]) == ("exception", "FunctionDeleted")
    assert grid.item(job["job_id"])["attempts"] == "1"


def test_slots_run_side_by_side(grid: Grid, start_worker: StartWorker) -> None:
    """worker: as many jobs as it has slots run side by side, each with its own log and files."""
    start_worker(CONCURRENCY="3")
    code = """
import time
def handler(event):
    print(event)
    open('/output/me', 'w').write(event)
    time.sleep(3)
    return [event, time.time()]
"""
    job_ids = {name: grid.submit(code, input=name) for name in ("a", "b", "c")}
    ends = []
    for name, job_id in job_ids.items():
        result = grid.result(job_id)
        assert (result["output"][0], result["logs"]) == (name, f"{name}\n")
        stored = grid.s3.get_object(Bucket=grid.user_data_bucket, Key=f"default/{job_id}/me")["Body"].read()
        assert stored.decode() == name
        ends.append(result["output"][1])
    assert max(ends) - min(ends) < 3
