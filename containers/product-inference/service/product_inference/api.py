"""The HTTP API."""

import asyncio
import base64
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import orjson
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.exceptions import HTTPException

from product_inference import __doc__ as about
from product_inference.attributes import Describer, augmentation, phrases
from product_inference.batching import Batcher, Closed, ItemsFailed, QueueFull
from product_inference.edge import Edge, problem_headers
from product_inference.metrics import ITEMS, REFUSED, TRUNCATED
from product_inference.model import EmbeddingModel, Tokens, Vectors
from product_inference.problems import FieldError, Problem, failed_items, invalid, unavailable
from product_inference.settings import Settings
from product_inference.wire import (
    AttributesAnswer,
    AttributesRequest,
    EmbeddingsAnswer,
    EmbeddingsRequest,
    ProblemAnswer,
    Product,
)

VERSION = "1.0.0"

T = TypeVar("T")

_ERRORS_TOLD = 20
_MESSAGES = {
    "json_invalid": "is not JSON",
    "string_pattern_mismatch": "has nothing but white space",
    "string_too_short": "is empty",
    "string_unicode": "is not valid Unicode",
    "too_short": "has no item",
}
"""What pydantic says in other words, by the type of its error."""
_ERRORS: dict[int | str, dict[str, Any]] = {
    status: {"model": ProblemAnswer, "description": description}
    for status, description in {
        400: "A field is wrong",
        408: "The body did not come",
        413: "The body is too large",
        415: "The body is not JSON",
        500: "The model or the service failed",
        503: "The queue is full, or the request took too long: Retry-After says when to come again",
    }.items()
}


class Service:
    """All that a process holds."""

    def __init__(self, settings: Settings, model: EmbeddingModel, describer: Describer) -> None:
        self.settings = settings
        self.model = model
        self.describer = describer
        self.leaving = False
        """Whether the process was told to end."""
        self._threads = ThreadPoolExecutor(2, "worker")
        self.batcher = Batcher(
            model.run,
            model.manifest.dimensions,
            max_batch=settings.max_batch,
            batch_tokens=settings.batch_tokens,
            max_wait_s=settings.max_wait_ms / 1000,
            queue=settings.queue,
        )

    async def vectors(self, texts: Sequence[str]) -> Vectors:
        """Embed texts, together with those of other requests.

        Raises:
            Problem: 503 when there is no place, or no time.
            ItemsFailed: the model failed on some.
        """
        seconds = self.settings.request_seconds
        try:
            async with asyncio.timeout(seconds):
                return await self.batcher.submit(await self._tokens(texts))
        except TimeoutError:
            raise unavailable(f"The texts had no turn within {seconds:g} s.") from None
        except QueueFull:
            REFUSED.inc()
            raise unavailable(f"The queue has no place for {len(texts)} more texts.") from None
        except Closed:
            raise unavailable("This task is leaving.") from None

    async def compute(self, work: Callable[[], T]) -> T:
        """Do something beside the event loop, which answers others meanwhile."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, work)

    async def _tokens(self, texts: Sequence[str]) -> list[Tokens]:
        tokens = await self.compute(lambda: self.model.tokens(texts))
        TRUNCATED.inc(sum(len(each) >= self.model.manifest.max_tokens for each in tokens))
        return tokens

    def close(self) -> None:
        """Let go of what it holds, once no request is left."""
        self.batcher.close()
        self._threads.shutdown()


def make_api(service: Service) -> Edge:
    """Make the application."""
    settings = service.settings
    api = FastAPI(title="Product inference", version=VERSION, description=about or "", docs_url=None, redoc_url=None)
    prefixes = {
        "document": service.model.manifest.document_prefix,
        "query": service.model.manifest.query_prefix,
    }

    @api.post("/embeddings", responses={200: {"model": EmbeddingsAnswer}, **_ERRORS})
    async def embeddings(request: EmbeddingsRequest) -> Response:
        """A normalised vector for each text."""
        check_count("texts", len(request.texts), settings.max_texts)
        check_lengths({f"texts.{index}": len(text) for index, text in enumerate(request.texts)})
        prefix = prefixes[request.kind]
        try:
            vectors = await service.vectors([prefix + text for text in request.texts])
        except ItemsFailed as failed:
            raise failed_items(tuple(f"texts.{index}" for index in failed.indices)) from None
        ITEMS.labels("/embeddings").inc(len(vectors))
        return answer(
            {
                "model": service.model.manifest.name,
                "dimensions": service.model.manifest.dimensions,
                "embeddings": vectors if request.encoding == "float" else encoded(vectors),
            }
        )

    @api.post("/attributes", responses={200: {"model": AttributesAnswer}, **_ERRORS})
    async def attributes(request: AttributesRequest) -> Response:
        """What each product is, inferred from its text."""
        products = request.products
        check_count("products", len(products), settings.max_products)
        check_lengths(
            {f"products.{index}": len(each.title) + len(each.description) for index, each in enumerate(products)}
        )
        parts = await service.compute(lambda: [(_whole(each), each.title, *phrases(_whole(each))) for each in products])
        try:
            vectors = await service.vectors([prefixes["document"] + text for part in parts for text in part])
        except ItemsFailed as failed:
            owners = [index for index, part in enumerate(parts) for _ in part]
            fields = dict.fromkeys(f"products.{owners[index]}" for index in failed.indices)
            raise failed_items(tuple(fields)) from None
        described = await service.compute(lambda: _described(service.describer, products, parts, vectors))
        ITEMS.labels("/attributes").inc(len(products))
        return answer({"model": service.model.manifest.name, "products": described})

    @api.get("/healthz")
    async def healthz() -> Response:
        """Whether the process works."""
        if not service.batcher.alive:
            raise unavailable("The thread that runs the model has ended.")
        return answer({"status": "alive"})

    @api.get("/readyz")
    async def readyz() -> Response:
        """Whether the process takes requests."""
        if service.leaving or not service.batcher.alive:
            raise unavailable("This task is leaving.")
        return answer({"status": "ready", "model": service.model.manifest.name})

    @api.get("/metrics", include_in_schema=False)
    async def metrics() -> Response:
        return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)

    def check_lengths(lengths: dict[str, int]) -> None:
        most = settings.max_characters
        wrong = [
            FieldError(field, f"has {length} characters, at most {most} are taken")
            for field, length in lengths.items()
            if length > most
        ]
        if wrong:
            raise invalid(*wrong)

    api.add_exception_handler(Problem, _problem)
    api.add_exception_handler(RequestValidationError, _validation_problem)
    api.add_exception_handler(HTTPException, _http_problem)
    return Edge(api, settings.max_body_bytes, settings.request_seconds)


def answer(document: dict[str, Any]) -> Response:
    """Return JSON. Vectors are written from their memory: Python's lists of floats would take longer than the model."""
    body = orjson.dumps(document, option=orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_SERIALIZE_DATACLASS)
    return Response(body, media_type="application/json")


def encoded(vectors: Vectors) -> list[str]:
    """Return each vector as base64 of little-endian 32-bit floats."""
    return [base64.b64encode(row.astype("<f4", copy=False).tobytes()).decode() for row in vectors]


def check_count(field: str, count: int, most: int) -> None:
    """Refuse a request that is too long.

    Raises:
        Problem: 400.
    """
    if count > most:
        raise invalid(FieldError(field, f"has {count} items, at most {most} are taken in one request"))


def _described(
    describer: Describer, products: Sequence[Product], parts: Sequence[Sequence[str]], vectors: Vectors
) -> list[dict[str, Any]]:
    """Return what an answer says of each product.

    Args:
        describer: infers attributes.
        products: of the request.
        parts: the texts of each: the whole, the title, the phrases.
        vectors: of all texts, one after the other.
    """
    described = []
    start = 0
    for product, part in zip(products, parts, strict=True):
        own = vectors[start : start + len(part)]
        start += len(part)
        inferred = describer.describe(own[:2], part[2:], own[2:])
        described.append(
            {
                "id": product.id,
                "attributes": inferred.attributes,
                "keywords": inferred.keywords,
                "augmentation": augmentation(product.title, product.description, inferred),
            }
        )
    return described


def _whole(product: Product) -> str:
    return f"{product.title}. {product.description}".strip()


def _problem(request: Request, error: Exception) -> Response:
    assert isinstance(error, Problem)
    body = orjson.dumps(error.document(request.url.path, request.scope["request_id"]))
    return Response(body, error.status, problem_headers(error))


def _validation_problem(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    wrong = []
    for detail in error.errors()[:_ERRORS_TOLD]:
        kind = detail["type"]
        place = "" if kind == "json_invalid" else ".".join(str(each) for each in detail["loc"][1:])
        wrong.append(FieldError(place or "body", _MESSAGES.get(kind, detail["msg"])))
    return _problem(request, invalid(*wrong))


def _http_problem(request: Request, error: Exception) -> Response:
    """Answer what the framework refuses by itself: an unknown path, a method that a path lacks."""
    assert isinstance(error, HTTPException)
    kind = error.detail.lower().replace(" ", "-")
    detail = f"{request.method} {request.url.path}: {error.detail}."
    response = _problem(
        request, Problem(error.status_code, kind, error.detail, detail, "Check the method and the path.")
    )
    response.headers.update(error.headers or {})
    return response
