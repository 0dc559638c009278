"""The HTTP API of a running service."""

import base64
import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import numpy as np
import pytest
from support.processes import Service

from product_inference.model import EmbeddingModel

JSON = {"content-type": "application/json"}


def test_embeddings_are_the_models_own_with_its_name_and_dimensions(service: Service, model: EmbeddingModel) -> None:
    texts = ["a red shirt", "Ein rotes Hemd für Kinder", "赤いシャツ 👕"]
    answer = service.post("/embeddings", {"texts": texts})
    assert answer.status_code == 200
    body = answer.json()
    assert list(body) == ["model", "dimensions", "embeddings"]
    assert (body["model"], body["dimensions"]) == ("all-MiniLM-L6-v2", 384)
    np.testing.assert_allclose(body["embeddings"], model.run(model.tokens(texts)), atol=1e-5)


def test_base64_is_the_same_in_fewer_bytes(service: Service) -> None:
    texts = ["a red shirt", "tea"]
    plain = service.post("/embeddings", {"texts": texts})
    packed = service.post("/embeddings", {"texts": texts, "encoding": "base64"})
    vectors = [np.frombuffer(base64.b64decode(each), "<f4") for each in packed.json()["embeddings"]]
    np.testing.assert_allclose(vectors, plain.json()["embeddings"], atol=1e-6)
    assert len(packed.content) < len(plain.content) / 2


def test_products_come_back_in_their_order_with_attributes_and_a_text_for_search(service: Service) -> None:
    products = [
        {"id": "p-1", "title": "Red leather shoes for women", "description": "With a heel.", "price": 12},
        {"title": "Wooden toy train"},
    ]
    answer = service.post("/attributes", {"products": products})
    assert answer.status_code == 200
    first, second = answer.json()["products"]
    assert first["id"] == "p-1"
    assert second["id"] is None
    assert {name: each["value"] for name, each in first["attributes"].items()} == {
        "category": "shoes",
        "colour": "red",
        "material": "leather",
        "audience": "women",
    }
    assert second["attributes"]["material"]["value"] == "wood"
    assert all(0 < each["confidence"] <= 1 for each in first["keywords"])
    assert first["augmentation"].startswith("Red leather shoes for women. With a heel. category: shoes. colour: red.")


@pytest.mark.parametrize(
    ("path", "body", "fields"),
    [
        ("/embeddings", {}, ["texts"]),
        ("/embeddings", {"texts": []}, ["texts"]),
        ("/embeddings", {"texts": "one"}, ["texts"]),
        ("/embeddings", {"texts": ["fine", "", " \n", 3, None]}, ["texts.1", "texts.2", "texts.3", "texts.4"]),
        ("/embeddings", {"texts": ["fine", "a" * 2001]}, ["texts.1"]),
        ("/embeddings", {"texts": ["fine"] * 101}, ["texts"]),
        ("/embeddings", {"texts": ["fine"], "kind": "else"}, ["kind"]),
        ("/embeddings", {"texts": ["fine"], "model": "other"}, ["model"]),
        ("/attributes", {"products": [{"description": "no title"}]}, ["products.0.title"]),
        ("/attributes", {"products": [{"title": "t", "id": 7}]}, ["products.0.id"]),
        ("/attributes", {"products": [{"title": "t", "description": "d" * 2000}]}, ["products.0"]),
        ("/attributes", {"products": [{"title": "t"}] * 41}, ["products"]),
    ],
)
def test_a_field_that_is_wrong_is_named(service: Service, path: str, body: Any, fields: list[str]) -> None:
    answer = service.post(path, body)
    assert answer.status_code == 400
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert [each["field"] for each in problem["errors"]] == fields
    assert problem["instance"] == path
    assert problem["requestId"] == answer.headers["x-request-id"]


@pytest.mark.parametrize(
    ("content", "headers", "status"),
    [
        (b'{"texts":', JSON, 400),
        (b'{"texts":["\\ud800"]}', JSON, 400),
        (b"\xff\xfe", JSON, 400),
        (b'{"texts":["a"]}', {"content-type": "text/plain"}, 415),
        (b'{"texts":["a"]}', {}, 415),
        (b" " * 100_001, JSON, 413),
    ],
)
def test_a_body_that_is_no_order_is_refused(
    service: Service, content: bytes, headers: dict[str, str], status: int
) -> None:
    answer = httpx.post(f"{service.url}/embeddings", content=content, headers=headers, timeout=10)
    assert (answer.status_code, answer.json()["status"]) == (status, status)


def test_a_body_without_a_length_is_refused_once_it_is_too_long(service: Service) -> None:
    answer = httpx.post(
        f"{service.url}/embeddings", content=(b" " * 10_000 for _ in range(11)), headers=JSON, timeout=10
    )
    assert answer.status_code == 413


def test_unknown_paths_and_methods_are_told_apart(service: Service) -> None:
    assert service.get("/nothing").status_code == 404
    wrong = service.get("/embeddings")
    assert (wrong.status_code, wrong.headers["allow"]) == (405, "POST")


def test_a_callers_id_is_in_the_answer_and_in_the_log_and_no_text_is(service: Service) -> None:
    answer = service.post("/embeddings", {"texts": ["a very private text"]}, **{"x-request-id": "order-42"})
    assert answer.headers["x-request-id"] == "order-42"
    (line,) = [json.loads(each) for each in service.log().splitlines() if '"order-42"' in each]
    assert (line["event"], line["path"], line["status"]) == ("answered", "/embeddings", 200)
    assert "private" not in service.log()
    odd = service.post("/embeddings", {"texts": ["a"]}, **{"x-request-id": "no good\tid"})
    assert len(odd.headers["x-request-id"]) == 32


def test_many_callers_at_once_all_get_their_own_and_share_runs(service: Service, model: EmbeddingModel) -> None:
    before = service.metric("product_inference_batch_items_count")
    texts = [f"product number {number}" for number in range(120)]
    with ThreadPoolExecutor(12) as callers:
        answers = list(callers.map(lambda text: service.post("/embeddings", {"texts": [text]}).json(), texts))
    vectors = np.array([answer["embeddings"][0] for answer in answers])
    np.testing.assert_allclose(vectors, model.run(model.tokens(texts)), atol=1e-5)
    assert service.metric("product_inference_batch_items_count") - before < len(texts)


def test_metrics_count_requests_items_batches_and_waiting(service: Service) -> None:
    done = 'product_inference_requests_total{endpoint="/embeddings",status="200"}'
    items = 'product_inference_items_total{endpoint="/embeddings"}'
    before = service.metric(done), service.metric(items)
    service.post("/embeddings", {"texts": ["one", "two", "three"]})
    assert (service.metric(done), service.metric(items)) == (before[0] + 1, before[1] + 3)
    assert service.metric("product_inference_queue_items") == 0
    for histogram in ("queue_wait_seconds", "inference_seconds", "batch_items"):
        assert service.metric(f"product_inference_{histogram}_count") > 0
    service.get("/some/path")
    assert service.metric('product_inference_requests_total{endpoint="other",status="404"}') > 0
    assert "/some/path" not in service.get("/metrics").text


def test_the_document_of_the_api_has_both_endpoints_with_their_answers(service: Service) -> None:
    document = service.get("/openapi.json").json()
    for path in ("/embeddings", "/attributes"):
        assert set(document["paths"][path]["post"]["responses"]) >= {"200", "400", "413", "503"}
