"""What dead workers owe: jobs that outlive their message, the archive's copies, callbacks."""

import json
import signal
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from support.clouds import Grid
from support.processes import wait_until
from support.servers import Proxy, Recorder, recording
from support.worker import Worker

StartWorker = Callable[..., Worker]

SLOW = "import time\ndef handler(event):\n    time.sleep(event)\n    return 'slept'\n"
QUICK = "def handler(event): return 1\n"
SHORT = {"VISIBILITY_TIMEOUT_S": "3", "HAND_OVER_AFTER_S": "1", "DUTY_SWEEP_S": "0.5"}


@pytest.fixture
def listener() -> Iterator[Recorder]:
    """A server that callbacks go to."""
    with recording() as recorder:
        yield recorder


def wait_handed_over(grid: Grid, job_id: str) -> dict[str, Any]:
    """Waits until a job's message is in the table alone."""
    wait_until(lambda: "message" in grid.item(job_id), 20, "the message is in the table")
    wait_until(lambda: grid.messages() == (0, 0), 5, "the queue has it no more")
    return grid.item(job_id)


def test_a_job_that_outlives_its_message_runs_once_by_its_lease_alone(grid: Grid, start_worker: StartWorker) -> None:
    """worker: a job that outlives its message runs once, by its lease alone, with another worker looking for duties."""
    workers = [start_worker(**SHORT), start_worker(**SHORT)]
    job_id = grid.submit(SLOW, input=9)
    item = wait_handed_over(grid, job_id)
    assert (item["duty"], item["dutyAt"]) == ("LEASE", item["leaseExpiresAt"])
    message = json.loads(item["message"])
    assert (message["job_id"], message["code"]) == (job_id, None)
    assert grid.result(job_id)["output"] == "slept"
    item = grid.wait_delivered(job_id)
    assert item["attempts"] == "1"
    assert not {"message", "duty", "dutyAt", "leaseOwner"} & item.keys()
    assert grid.messages() == (0, 0)
    assert sum(len(worker.logged("job queued again")) for worker in workers) == 0


def test_a_job_whose_worker_died_after_its_message_is_finished_by_another(
    grid: Grid, start_worker: StartWorker
) -> None:
    """worker: a job whose worker was killed after its message had gone is queued again and finished by another."""
    doomed = start_worker(**SHORT)
    job_id = grid.submit(SLOW, input=4)
    wait_handed_over(grid, job_id)
    doomed.process.send_signal(signal.SIGKILL)
    doomed.process.wait(10)
    heir = start_worker(**SHORT)
    result = grid.result(job_id)
    assert (result["output"], result["attempt"]) == ("slept", 2)
    assert len(heir.logged("job queued again")) == 1
    assert not {"message", "leaseOwner"} & grid.wait_delivered(job_id).keys()


def test_a_job_that_outlived_its_message_is_given_back_to_the_queue(grid: Grid, start_worker: StartWorker) -> None:
    """worker: on SIGTERM a job that outlived its message is in the queue again at once, as its tenant's."""
    worker = start_worker(**SHORT, DRAIN_TIMEOUT_S="0")
    job_id = grid.submit(SLOW, input=600, timeout_s=None)
    wait_handed_over(grid, job_id)
    assert worker.terminate(timeout_s=30) == 0
    item = grid.item(job_id)
    assert (item["status"], item.get("duty"), item.get("leaseOwner")) == ("PENDING", None, None)
    received = grid.sqs.receive_message(QueueUrl=grid.queue_url, MessageSystemAttributeNames=["All"])["Messages"]
    (message,) = received
    assert json.loads(message["Body"])["job_id"] == job_id
    assert message["Attributes"]["MessageGroupId"] == "default"


def test_a_cancelled_job_that_outlived_its_message_leaves_no_duty(grid: Grid, start_worker: StartWorker) -> None:
    """worker: a job that is cancelled after its message had gone is stopped, and not queued again."""
    worker = start_worker(**SHORT)
    job_id = grid.submit(SLOW, input=600, timeout_s=None)
    wait_handed_over(grid, job_id)
    grid.change(
        job_id,
        "SET status = :cancelled, finishedAt = :at REMOVE leaseOwner, leaseExpiresAt",
        cancelled="CANCELLED",
        at="2026-01-01T00:00:00.000Z",
    )
    wait_until(lambda: worker.logged("result dropped: the job is not ours any more"), 20, "it is stopped")
    item = grid.wait_delivered(job_id)
    assert item["status"] == "CANCELLED"
    assert grid.messages() == (0, 0)


def test_what_a_dead_worker_owed_to_the_archive_is_done_by_another(grid: Grid, start_worker: StartWorker) -> None:
    """worker: a copy that a dead worker owed to the archive is made by another."""
    first = start_worker(STORAGE_EMULATOR_HOST="http://127.0.0.1:1")
    job = grid.job(QUICK)
    grid.accept(job)
    grid.send(json.dumps(job))
    assert grid.result(job["job_id"])["status"] == "SUCCESS"
    wait_until(lambda: first.logged("not archived, job stays owed"), 20, "it was tried")
    first.process.kill()
    first.process.wait(10)
    assert grid.item(job["job_id"])["owes"] == ["ARCHIVE"]
    grid.change(job["job_id"], "SET dutyAt = :at", at=1)
    start_worker(**SHORT)
    grid.wait_delivered(job["job_id"])
    assert grid.archived(f"default/{job['function_id']}/1/code.zip")
    assert json.loads(grid.archived(f"default/{job['function_id']}/1/{job['job_id']}.json"))["status"] == "SUCCESS"


def test_with_the_archive_black_holed_jobs_succeed_and_it_catches_up(grid: Grid, start_worker: StartWorker) -> None:
    """worker: with the archive cut off jobs succeed as fast as ever, and are archived when it is back."""
    proxy = Proxy(grid.clouds.gcs_port)
    proxy.cut()
    worker = start_worker(**SHORT, STORAGE_EMULATOR_HOST=f"http://127.0.0.1:{proxy.port}")
    job_ids = [grid.submit(QUICK) for _ in range(3)]
    for job_id in job_ids:
        assert grid.result(job_id, timeout_s=10)["status"] == "SUCCESS"
    wait_until(lambda: worker.logged("not archived, job stays owed"), 20, "it was tried")
    assert {grid.item(job_id)["duty"] for job_id in job_ids} == {"DELIVER"}
    proxy.mend()
    worker.terminate()
    start_worker(**SHORT, STORAGE_EMULATOR_HOST=f"http://127.0.0.1:{proxy.port}")
    for job_id in job_ids:
        grid.change(job_id, "SET dutyAt = :at", at=1)
    for job_id in job_ids:
        assert "owes" not in grid.wait_delivered(job_id)
    proxy.close()


def test_a_callback_brings_the_result_document(grid: Grid, start_worker: StartWorker, listener: Recorder) -> None:
    """worker: a callback brings the result document, with the job's id, when the job has ended."""
    start_worker(CALLBACK_ALLOWED_CIDRS="127.0.0.0/8")
    job_id = grid.submit(QUICK, callback_url=f"{listener.url}/done?x=1")
    result = grid.result(job_id)
    item = grid.wait_delivered(job_id)
    assert (item["callbackStatus"], item["callbackAttempts"]) == ("DELIVERED", "1")
    (request,) = listener.requests
    assert (request.method, request.path, request.json()) == ("POST", "/done?x=1", result)
    assert request.headers["NanoGrid-Job-Id"] == job_id
    assert request.headers["Host"] == f"127.0.0.1:{listener.port}"
    assert request.headers["Content-Type"] == "application/json"


def test_a_callback_that_fails_is_tried_again_and_then_given_up(
    grid: Grid, start_worker: StartWorker, listener: Recorder
) -> None:
    """worker: a callback that fails is tried again with growing pauses, and given up after the eighth time."""
    listener.status = 503
    start_worker(**SHORT, CALLBACK_ALLOWED_CIDRS="127.0.0.0/8", STORAGE_EMULATOR_HOST="http://127.0.0.1:1")
    job_id = grid.submit("def handler(event): return 1 / 0\n", callback_url=listener.url)
    grid.result(job_id)
    for attempt in range(1, 8):
        wait_until(lambda n=attempt: grid.item(job_id).get("callbackAttempts") == str(n), 20, f"attempt {attempt}")  # type: ignore[misc]
        item = grid.item(job_id)
        assert item["callbackStatus"] == "PENDING"
        wait_s = int(item["dutyAt"]) - time.time()
        assert min(3600, 60 * 2 ** (attempt - 1)) - 15 < wait_s <= min(3600, 60 * 2 ** (attempt - 1)) + 1
        grid.change(job_id, "SET dutyAt = :at", at=1)
    item = grid.wait_delivered(job_id)
    assert (item["callbackStatus"], item["callbackAttempts"]) == ("FAILED", "8")
    assert len(listener.requests) == 8


def test_the_callback_of_a_cancelled_job_is_made_by_some_worker(
    grid: Grid, start_worker: StartWorker, listener: Recorder
) -> None:
    """worker: the callback of a job that was cancelled before it ran is made by whichever worker finds it."""
    job = grid.job(QUICK, callback_url=listener.url)
    grid.accept(job)
    result = {"job_id": job["job_id"], "status": "CANCELLED", "exit_reason": {"code": "cancelled", "message": ""}}
    grid.change(
        job["job_id"],
        "SET status = :cancelled, finishedAt = :at, result = :result, duty = :deliver, dutyAt = :now ADD owes :owes",
        cancelled="CANCELLED",
        at="2026-01-01T00:00:00.000Z",
        result=json.dumps(result),
        deliver="DELIVER",
        now=int(time.time()),
        owes={"CALLBACK"},
    )
    start_worker(**SHORT, CALLBACK_ALLOWED_CIDRS="127.0.0.0/8")
    item = grid.wait_delivered(job["job_id"])
    assert (item["callbackStatus"], item["status"]) == ("DELIVERED", "CANCELLED")
    assert [request.json() for request in listener.requests] == [result]


def test_a_callback_to_this_network_is_never_made(grid: Grid, start_worker: StartWorker, listener: Recorder) -> None:
    """worker: a callback to an address of this network is not made, and its job ends all the same."""
    worker = start_worker()
    job_id = grid.submit(QUICK, callback_url=listener.url)
    assert grid.result(job_id)["status"] == "SUCCESS"
    wait_until(lambda: grid.item(job_id).get("callbackAttempts") == "1", 20, "it was tried")
    assert "127.0.0.1, which is not on the internet" in worker.logged("callback refused")[0]["reason"]
    assert listener.requests == []
