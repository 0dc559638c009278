"""Triton that is killed, restarts, or never was: answers, and recovery without a restart of the API."""

import threading
from collections.abc import Callable

import numpy as np
import pytest
import requests
from support.pictures import exposure, tiff
from support.processes import Aws, Service, Triton, wait_until

Start = Callable[..., Service]
SIDE = 1500
"""Side of an image that takes some seconds on a processor."""
LARGE = tiff(np.random.default_rng(1).integers(900, 1100, (SIDE, SIDE), np.uint16))


def post_in_background(service: Service, key: str) -> tuple[threading.Thread, list[requests.Response]]:
    """Ask for an image while the test goes on."""
    answers: list[requests.Response] = []
    thread = threading.Thread(target=lambda: answers.append(service.post({"file": key})))
    thread.start()
    wait_until(
        lambda: any(path.name == "clean" for path in service.files_left()),
        20,
        "tiles are in Triton",
    )
    return thread, answers


@pytest.mark.parametrize("protocol", ["grpc", "http"])
def test_triton_killed_in_the_middle_gives_503_and_the_api_recovers_by_itself(
    protocol: str, start_service: Start, own_triton: Triton, aws: Aws
) -> None:
    service = start_service(own_triton, DDN_TRITON_PROTOCOL=protocol, DDN_TRITON_WAIT_SECONDS="1")
    assert service.get("/healthz").json() == {"status": "ready"}
    aws.put("away.tif", LARGE)
    aws.put("small.tif", tiff(exposure(shape=(64, 64)).counts))
    thread, answers = post_in_background(service, "away.tif")
    own_triton.process.kill()
    thread.join(30)
    (answer,) = answers
    assert answer.status_code == 503
    assert "Triton" in answer.json()["detail"]
    assert int(answer.headers["Retry-After"]) > 0
    assert service.files_left() == []
    health = service.get("/healthz")
    assert health.status_code == 503
    assert health.json()["detail"] == "Not ready: triton."
    assert service.get("/ping").status_code == 200
    assert service.post({"file": "small.tif"}).status_code == 503
    own_triton.start()
    own_triton.wait_ready()
    wait_until(lambda: service.get("/healthz").status_code == 200, 10, "the API is ready again")
    assert service.post({"file": "small.tif"}).status_code == 200


def test_triton_that_restarts_in_time_costs_a_request_nothing_but_time(
    start_service: Start, own_triton: Triton, aws: Aws
) -> None:
    service = start_service(own_triton, DDN_TRITON_WAIT_SECONDS="60", DDN_INLINE_SECONDS="25")
    aws.put("away.tif", LARGE)
    thread, answers = post_in_background(service, "away.tif")
    own_triton.process.kill()
    own_triton.start()
    own_triton.wait_ready()
    thread.join(60)
    document = answers[0].json()
    wait_until(
        lambda: service.get(f"/inference/{document['id']}").json()["status"] == "succeeded",
        60,
        "the request succeeds",
    )
    assert "call failed, trying again" in service.process.log()
