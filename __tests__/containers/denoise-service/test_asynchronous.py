"""Requests that outlast their answer: an id to poll, records of any task, a bounded queue, and tasks that leave."""

import json
import os
import signal
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import requests
from support.pictures import exposure, tiff
from support.processes import OUT_BUCKET, Aws, Service, Triton, wait_until

SLOW = {"model": "efficient", "strength": 20}
"""Some seconds of work on a processor, for an image of some hundred pixels."""
Start = Callable[..., Service]


def put_slow(aws: Aws, key: str, side: int = 400) -> None:
    """Upload an image that takes a while."""
    aws.put(key, tiff(exposure(shape=(side, side)).counts))


def final(task: Service, request_id: str) -> dict[str, Any]:
    """Poll a task until a request has ended."""

    def ask() -> dict[str, Any] | None:
        document: dict[str, Any] = task.get(f"/inference/{request_id}").json()
        return document if document["status"] != "running" else None

    return wait_until(ask, 60, "the request ends") or {}


def test_what_takes_too_long_is_answered_by_any_task_later(
    start_service: Start, service: Service, triton: Triton, aws: Aws
) -> None:
    task = start_service(triton, DDN_INLINE_SECONDS="0", DDN_HEARTBEAT_SECONDS="0.3")
    put_slow(aws, "later.tif")
    answer = task.post({"file": "later.tif", **SLOW})
    assert answer.status_code == 202
    accepted = answer.json()
    assert answer.headers["Location"] == f"/inference/{accepted['id']}"
    assert answer.headers["Retry-After"] == "2"
    assert accepted["status"] == "running"
    elsewhere = service.get(f"/inference/{accepted['id']}").json()
    assert elsewhere == accepted
    record = f".requests/{accepted['id']}.json"
    first = json.loads(aws.get(record))["heartbeatAt"]
    wait_until(
        lambda: json.loads(aws.get(record)).get("heartbeatAt") > first,
        10,
        "the record is kept alive",
    )
    document = final(service, accepted["id"])
    assert document == task.get(f"/inference/{accepted['id']}").json()
    assert document["status"] == "succeeded"
    assert document["width"] == 400
    assert aws.holds("later.tif")
    assert task.files_left() == []


def test_what_fails_later_says_why_in_its_record(start_service: Start, service: Service, triton: Triton) -> None:
    task = start_service(triton, DDN_INLINE_SECONDS="0")
    answer = task.post({"file": "nobody/has-it.tif"})
    # What fails at once may be answered at once.
    assert answer.status_code in (202, 404)
    request_id = answer.json().get("id") or answer.json()["requestId"]
    document = final(service, request_id)
    assert document["status"] == "failed"
    assert document["error"]["status"] == 404
    assert document["error"]["field"] == "file"
    assert document["error"]["requestId"] == request_id


def test_a_request_whose_task_died_is_told_as_failed(service: Service, aws: Aws) -> None:
    request_id = "ab" * 16
    long_ago = (datetime.now(UTC) - timedelta(seconds=61)).isoformat()
    record = {
        "id": request_id,
        "status": "running",
        "file": "x.tif",
        "heartbeatAt": long_ago,
    }
    s3 = aws.client("s3")
    s3.put_object(
        Bucket=OUT_BUCKET,
        Key=f".requests/{request_id}.json",
        Body=json.dumps(record).encode(),
    )
    document = service.get(f"/inference/{request_id}").json()
    assert document["status"] == "failed"
    assert document["error"]["type"] == "urn:denoise:problem:lost"
    record["heartbeatAt"] = datetime.now(UTC).isoformat()
    s3.put_object(
        Bucket=OUT_BUCKET,
        Key=f".requests/{request_id}.json",
        Body=json.dumps(record).encode(),
    )
    assert service.get(f"/inference/{request_id}").json()["status"] == "running"


def test_a_full_queue_refuses_with_a_time_to_come_back(start_service: Start, triton: Triton, aws: Aws) -> None:
    task = start_service(triton, DDN_INLINE_SECONDS="0", DDN_CONCURRENCY="1", DDN_QUEUE="1")
    put_slow(aws, "queued.tif")
    taken = [task.post({"file": "queued.tif", **SLOW}) for _ in range(2)]
    assert [answer.status_code for answer in taken] == [202, 202]
    answer = task.post({"file": "queued.tif", **SLOW})
    assert answer.status_code == 503
    assert answer.headers["Retry-After"] == "10"
    assert "queue is full" in answer.json()["detail"]
    metrics = task.get("/metrics").text
    assert "denoise_running 1.0" in metrics
    assert "denoise_waiting 1.0" in metrics
    assert "denoise_refused_total 1.0" in metrics
    for each in taken:
        assert final(task, each.json()["id"])["status"] == "succeeded"
    # There is room again.
    assert task.post({"file": "queued.tif", "strength": 0}).status_code in (200, 202)


def test_a_task_that_leaves_lets_requests_end(start_service: Start, service: Service, triton: Triton, aws: Aws) -> None:
    task = start_service(triton, DDN_INLINE_SECONDS="0")
    put_slow(aws, "leaving.tif", side=260)
    request_id = task.post({"file": "leaving.tif", **SLOW}).json()["id"]
    assert task.process.stop() == 0
    assert final(service, request_id)["status"] == "succeeded"
    assert list(task.temp.glob("*/")) == []


def test_a_task_that_leaves_in_a_hurry_tells_requests_as_failed(
    start_service: Start, service: Service, triton: Triton, aws: Aws
) -> None:
    task = start_service(triton, DDN_INLINE_SECONDS="0", DDN_DRAIN_SECONDS="0", DDN_CONCURRENCY="1")
    put_slow(aws, "hurry.tif", side=900)
    request_ids = [task.post({"file": "hurry.tif", **SLOW}).json()["id"] for _ in range(2)]
    task.process.stop()
    for request_id in request_ids:
        document = final(service, request_id)
        assert document["status"] == "failed"
        assert document["error"]["type"] == "urn:denoise:problem:interrupted"
    assert list(task.temp.glob("*/")) == []


def test_what_a_killed_task_left_is_removed_at_the_next_start(start_service: Start, triton: Triton, aws: Aws) -> None:
    task = start_service(triton, DDN_INLINE_SECONDS="0")
    put_slow(aws, "killed.tif", side=900)
    task.post({"file": "killed.tif", **SLOW})
    wait_until(
        lambda: any(path.name == "clean" for path in task.files_left()),
        20,
        "it writes its result",
    )
    worker = int(next(task.temp.glob("*-*")).name.split("-")[0])
    # The process that works is gunicorn's child; gunicorn starts another in its place.
    os.kill(worker, signal.SIGKILL)
    wait_until(
        lambda: task.files_left() == [] and next(task.temp.glob("*-*"), None),
        20,
        "nothing is left",
    )
    aws.put("small.tif", tiff(np.full((64, 64), 9, np.uint16)))
    assert wait_until(lambda: _succeeds(task, "small.tif"), 20, "the next process works")


def _succeeds(task: Service, key: str) -> bool:
    try:
        return task.post({"file": key, "strength": 0}).status_code in (200, 202)
    except requests.ConnectionError:
        return False


def test_requests_side_by_side_all_end_well(service: Service, aws: Aws) -> None:
    put_slow(aws, "together.tif", side=128)
    codes: list[int] = []

    def ask(number: int) -> None:
        body = {"file": "together.tif", "output": f"together-{number}.tif"}
        codes.append(service.post(body).status_code)

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(8)]
    start = time.monotonic()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert codes == [200] * 8, time.monotonic() - start
    assert len({aws.get(f"together-{number}.tif") for number in range(8)}) == 1
    assert service.files_left() == []
