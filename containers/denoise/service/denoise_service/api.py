"""The HTTP API."""

import json
import secrets
import time
from typing import Any

import structlog
from flask import Flask, Response, g, request
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from werkzeug.exceptions import HTTPException

from denoise_service.desk import Desk, Job
from denoise_service.log import logger
from denoise_service.order import read_order
from denoise_service.page import page_routes
from denoise_service.problems import CONTENT_TYPE, FieldError, Problem, internal, invalid, no_such_request, unavailable
from denoise_service.settings import Settings
from denoise_service.triton import Triton

log = logger(__name__)

_BODY_BYTES = 64 * 1024
_POLL_AFTER_S = 2
_QUIET = ("/ping", "/healthz", "/metrics")
"""Paths that machines ask for all day long: logged only when they fail."""


def make_api(settings: Settings, desk: Desk, triton: Triton) -> Flask:
    """Make the application.

    Args:
        settings: the service's.
        desk: takes requests.
        triton: tells whether the models are ready.
    """
    app = Flask("denoise_service", static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = _BODY_BYTES
    app.register_blueprint(page_routes(settings))

    @app.post("/inference")
    def infer() -> Response:
        job = desk.take(read_order(_json_body()))
        g.request_id = job.id
        if not job.done.wait(settings.ddn_inline_seconds):
            desk.announce(job)
        if not job.done.is_set():
            response = _json(job.document, 202)
            response.headers["Location"] = f"/inference/{job.id}"
            response.headers["Retry-After"] = str(_POLL_AFTER_S)
            return response
        return _final(job)

    @app.get("/inference/<request_id>")
    def status(request_id: str) -> Response:
        document = desk.find(request_id)
        if document is None:
            raise no_such_request(request_id)
        return _json(document, 200)

    @app.get("/ping")
    def ping() -> Response:
        return _json({"status": "alive"}, 200)

    @app.get("/healthz")
    def healthz() -> Response:
        if desk.closing:
            raise unavailable("This task is leaving.")
        missing = triton.not_ready()
        if missing:
            raise unavailable(f"Not ready: {', '.join(missing)}.", "Wait: models take a while to load after a start.")
        return _json({"status": "ready"}, 200)

    @app.get("/metrics")
    def metrics() -> Response:
        return Response(generate_latest(), content_type=CONTENT_TYPE_LATEST)

    @app.before_request
    def begin() -> None:
        g.request_id = secrets.token_hex(16)
        g.start = time.monotonic()

    @app.after_request
    def end(response: Response) -> Response:
        response.headers.setdefault("Cache-Control", "no-store")
        response.headers["X-Request-Id"] = g.request_id
        if response.status_code >= 400 or request.path not in _QUIET:
            milliseconds = round((time.monotonic() - g.start) * 1000, 1)
            log.info(
                "answered",
                request_id=g.request_id,
                method=request.method,
                path=request.path,
                status=response.status_code,
                ms=milliseconds,
            )
        return response

    app.register_error_handler(Problem, _answer)
    app.register_error_handler(HTTPException, _http_problem)
    app.register_error_handler(Exception, _unexpected)
    return app


def _json_body() -> Any:
    if request.mimetype != "application/json":
        detail = f"expected application/json, got {request.mimetype or 'none'}"
        raise Problem(
            415,
            "unsupported-media-type",
            "The content type is not supported",
            detail,
            "Send the body as application/json.",
            (FieldError("header Content-Type", detail),),
        )
    try:
        return json.loads(request.get_data())
    except (ValueError, RecursionError) as error:
        raise invalid(FieldError("body", f"is not JSON: {error}")) from None


def _json(document: dict[str, Any], status: int) -> Response:
    return Response(json.dumps(document), status, content_type="application/json")


def _final(job: Job) -> Response:
    return _answer(job.problem) if job.problem else _json(job.document, 200)


def _answer(problem: Problem) -> Response:
    document = problem.document(request.path, g.request_id)
    response = Response(json.dumps(document), problem.status, content_type=CONTENT_TYPE)
    if problem.retry_after_s is not None:
        response.headers["Retry-After"] = str(problem.retry_after_s)
    return response


def _http_problem(error: HTTPException) -> Response:
    """Answer what Flask refuses by itself: an unknown path, a method that a path lacks, a body over its limit."""
    status = error.code or 500
    if status == 413:
        detail = f"The body may have at most {_BODY_BYTES} bytes."
        remedy = "Send the key of the image; the image itself goes to S3."
        problem = Problem(413, "too-large", "The body is too large", detail, remedy, (FieldError("body", detail),))
    else:
        detail = f"{request.method} {request.path}: {error.name}."
        kind = error.name.lower().replace(" ", "-")
        problem = Problem(status, kind, error.name, detail, "Check the method and the path.")
    response = _answer(problem)
    for name, value in error.get_headers():
        if name == "Allow":
            response.headers[name] = value
    return response


def _unexpected(error: Exception) -> Response:
    with structlog.contextvars.bound_contextvars(request_id=g.request_id):
        log.error("a request failed unexpectedly", exc_info=error)
    return _answer(internal())
