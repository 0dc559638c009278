"""The process: settings, a full queue, requests that take too long, callers that leave, and its end."""

import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest
from support.processes import Service, run_once, wait_until

WAITING = "product_inference_queue_items"


@pytest.fixture
def patient(model_folder: Path, scratch: Path) -> Iterator[Service]:
    """A service that waits so long for company that its queue fills."""
    assert model_folder.exists()
    own = {"INFERENCE_MAX_PRODUCTS": "1", "INFERENCE_MAX_TEXTS": "20", "INFERENCE_QUEUE": "50"}
    running = Service(
        scratch,
        INFERENCE_MAX_BATCH="1024",
        INFERENCE_MAX_WAIT_MS="1000",
        INFERENCE_REQUEST_SECONDS="0.9",
        **own,
    )
    yield running
    running.process.kill()
    running.process.wait()


def test_a_full_queue_a_caller_that_leaves_and_a_turn_that_does_not_come(patient: Service) -> None:
    body = {"texts": ["waits"] * 20}
    with ThreadPoolExecutor(2) as callers:
        waiting = [callers.submit(patient.post, "/embeddings", body) for _ in range(2)]
        wait_until(lambda: patient.metric(WAITING) == 40, 5, "two requests wait")
        refused = patient.post("/embeddings", body)
        assert refused.status_code == 503
        assert int(refused.headers["retry-after"]) > 0
        assert refused.json()["detail"] == "The queue has no place for 20 more texts."
        assert patient.metric("product_inference_refused_total") == 1
        # They have 0.9 s, and would run after 1 s.
        late = [each.result() for each in waiting]
    assert [answer.status_code for answer in late] == [503, 503]
    assert "no turn within 0.9 s" in late[0].json()["detail"]
    with pytest.raises(httpx.TimeoutException):
        httpx.post(f"{patient.url}/embeddings", json={"texts": ["leaves"]}, timeout=0.2)
    wait_until(lambda: '"status": 499' in patient.log(), 5, "the log says that the caller left")
    wait_until(lambda: patient.metric(WAITING) == 0, 5, "the queue is empty")
    assert patient.metric("product_inference_batch_items_count") == 0


def test_a_service_that_is_told_to_end_answers_what_it_has_and_takes_no_more(model_folder: Path, scratch: Path) -> None:
    assert model_folder.exists()
    service = Service(scratch, INFERENCE_MAX_WAIT_MS="500", INFERENCE_MAX_BATCH="1024")
    with ThreadPoolExecutor(1) as callers:
        waiting = callers.submit(service.post, "/embeddings", {"texts": ["one", "two"]})
        wait_until(lambda: service.metric(WAITING) == 2, 5, "a request waits")
        service.process.send_signal(signal.SIGTERM)
        wait_until(lambda: refuses(service), 5, "no more connections are taken")
        assert not waiting.done()
        assert len(waiting.result().json()["embeddings"]) == 2
    assert service.process.wait(10) == 0
    assert '"event": "ended"' in service.log()


def refuses(service: Service) -> bool:
    try:
        return service.get("/readyz").status_code == 503
    except httpx.TransportError:
        return True


def test_wrong_settings_are_all_named_and_end_the_start() -> None:
    ended = run_once(INFERENCE_PORT="http", INFERENCE_PROVIDER="tpu", INFERENCE_MAX_BATCH="0")
    assert ended.returncode == 1
    for name in ("INFERENCE_PORT", "INFERENCE_PROVIDER", "INFERENCE_MAX_BATCH"):
        assert f"{name}: " in ended.stderr
    assert "It is the port to listen at." in ended.stderr


def test_limits_that_contradict_each_other_and_a_missing_model_end_the_start() -> None:
    queue = run_once(INFERENCE_QUEUE="100")
    assert (queue.returncode, "INFERENCE_QUEUE: 100 texts are too few" in queue.stderr) == (1, True)
    absent = run_once(INFERENCE_MODEL_DIR="/nowhere")
    assert absent.returncode == 1
    assert "Set INFERENCE_MODEL_DIR to a folder with a model." in absent.stderr
