"""The HTTP frame of each service: request ids, the log, problems, health, metrics, and leaving in order."""

import secrets
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import structlog
import uvicorn
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from starlette.exceptions import HTTPException

from music_common.log import logger
from music_common.problems import CONTENT_TYPE, Problem, internal, invalid
from music_common.settings import ServiceSettings

log = logger(__name__)

_QUIET = ("/livez", "/readyz", "/metrics")
"""Paths that machines ask for all day long: logged only when they fail."""
_BODY_BYTES = 64 * 1024


class Health:
    """What a service says of itself.

    Attributes:
        dead: why the process has to be started again; None while it lives.
        unready: why it takes no requests now; None while it does.
        leave: called when the process is told to end.
    """

    def __init__(
        self,
        dead: Callable[[], str | None],
        unready: Callable[[], str | None],
        leave: Callable[[], None],
    ) -> None:
        self.dead = dead
        self.unready = unready
        self.leave = leave


def make_app(title: str, registry: CollectorRegistry, health: Health, *large: str) -> FastAPI:
    """Make the application of a service, without any route of its own.

    Args:
        title: its name.
        registry: its metrics.
        health: what it says of itself.
        large: paths whose bodies have a limit of their own; all others' may have 64 KiB.
    """

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        health.leave()

    app = FastAPI(title=title, lifespan=lifespan, docs_url=None, redoc_url=None)

    @app.get("/livez", include_in_schema=False)
    async def livez() -> Response:
        return _verdict(health.dead())

    @app.get("/readyz", include_in_schema=False)
    async def readyz() -> Response:
        return _verdict(health.dead() or health.unready())

    @app.get("/metrics", include_in_schema=False)
    def metrics() -> Response:
        return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)

    @app.middleware("http")
    async def frame(request: Request, call_next: Callable[[Request], Awaitable[Response]]) -> Response:
        request_id = request.headers.get("x-request-id", "")
        if not (request_id.isalnum() and len(request_id) <= 64):
            request_id = secrets.token_hex(16)
        request.state.request_id = request_id
        structlog.contextvars.clear_contextvars()
        structlog.contextvars.bind_contextvars(request_id=request_id)
        start = time.monotonic()
        unfit = None if request.url.path in large else _body_problem(request)
        if unfit is not None:
            response = _answer(request, unfit)
        else:
            try:
                response = await call_next(request)
            except Exception as error:
                log.error("a request failed unexpectedly", exc_info=error)
                response = _answer(request, internal())
        response.headers["X-Request-Id"] = request_id
        response.headers.setdefault("Cache-Control", "no-store")
        response.headers["X-Content-Type-Options"] = "nosniff"
        if response.status_code >= 400 or request.url.path not in _QUIET:
            log.info(
                "answered",
                method=request.method,
                path=request.url.path,
                status=response.status_code,
                ms=round((time.monotonic() - start) * 1000, 1),
            )
        return response

    @app.exception_handler(Problem)
    async def problem(request: Request, error: Problem) -> Response:
        return _answer(request, error)

    @app.exception_handler(RequestValidationError)
    async def wrong_field(request: Request, error: RequestValidationError) -> Response:
        first = error.errors()[0]
        place = [str(part) for part in first["loc"] if part not in ("body", "query", "path")]
        return _answer(request, invalid(".".join(place) or "body", _lowered(first["msg"])))

    @app.exception_handler(HTTPException)
    async def refused(request: Request, error: HTTPException) -> Response:
        detail = f"{request.method} {request.url.path}: {error.detail}."
        kind = str(error.detail).lower().replace(" ", "-")
        answer = Problem(error.status_code, kind, str(error.detail), detail, "Check the method and the path.")
        response = _answer(request, answer)
        response.headers.update(error.headers or {})
        return response

    return app


def serve(app: FastAPI, settings: ServiceSettings, port: int) -> None:
    """Serve until SIGTERM; requests that run then may end in `music_drain_seconds`."""
    log.info("starting", service=app.title, port=port)
    uvicorn.run(
        app,
        host=settings.music_host,
        port=port,
        log_config=None,
        access_log=False,
        timeout_graceful_shutdown=settings.music_drain_seconds,
        server_header=False,
    )


def _verdict(wrong: str | None) -> Response:
    return JSONResponse(
        {"status": "ok"} if wrong is None else {"status": "not ok", "detail": wrong}, 503 if wrong else 200
    )


def _body_problem(request: Request) -> Problem | None:
    """Return what is wrong with the size of a body that is read as a whole."""
    if "transfer-encoding" in request.headers:
        detail = "The body comes without its length."
        return Problem(411, "length-required", "The length is required", detail, "Send Content-Length.", "body")
    if int(request.headers.get("content-length", "0")) > _BODY_BYTES:
        detail = f"The body may have at most {_BODY_BYTES} bytes."
        return Problem(413, "too-large", "The body is too large", detail, "Send less.", "body")
    return None


def _answer(request: Request, problem: Problem) -> Response:
    headers = {} if problem.retry_after_s is None else {"Retry-After": str(problem.retry_after_s)}
    document = problem.document(request.url.path, request.state.request_id)
    return JSONResponse(document, problem.status, headers, CONTENT_TYPE)


def _lowered(text: str) -> str:
    return text[:1].lower() + text[1:]
