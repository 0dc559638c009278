"""`POST /` predicts and `GET /` tells of the model, as a function URL's requests, payload format 2.0."""

import base64
import binascii
import json
import os
import sys
import time
import traceback
from datetime import UTC, datetime
from typing import Any

from ml_xgboost.model import Model
from ml_xgboost.problems import (
    CONTENT_TYPE,
    Problem,
    internal,
    not_allowed,
    not_found,
    too_large,
    unreadable,
    unsupported_type,
)
from ml_xgboost.rows import rows_of
from ml_xgboost.settings import read_settings

# A thousand rows have some 300 kB. Lambda itself takes 6 MB.
MAX_BODY_BYTES = 1_048_576

# Made when Lambda starts the function: its first request finds all of it, and wrong settings fail the start.
_SETTINGS = read_settings(os.environ)
_MODEL = Model()


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Answer one request.

    Args:
        event: the request, in payload format 2.0.
        context: of the invocation: its id goes to the log.
    """
    started = time.perf_counter()
    request = event["requestContext"]
    path = str(event.get("rawPath", "/"))
    request_id = str(request["requestId"])
    about = {
        "requestId": request_id,
        "invocationId": context.aws_request_id,
        "method": request["http"]["method"],
        "path": path,
        "modelVersion": _MODEL.version,
    }
    try:
        document, rows = _answer(event, path)
        _log("info", "answered", about, started, status=200, rows=rows)
        return _response(200, "application/json", document)
    except Problem as problem:
        _log("info", problem.detail, about, started, status=problem.status)
        return _refusal(problem, path, request_id)
    except Exception:  # noqa: BLE001 - whatever it is, the caller gets a document and the log gets the trace
        _log("error", "failed", about, started, status=500, err=traceback.format_exc())
        return _refusal(internal(), path, request_id)


def _answer(event: dict[str, Any], path: str) -> tuple[dict[str, Any], int]:
    """Return the answer's document, and the number of rows that were predicted."""
    if path != "/":
        raise not_found(path)
    method = event["requestContext"]["http"]["method"]
    if method == "GET":
        return {**_MODEL.card, "maxRows": _SETTINGS.max_rows}, 0
    if method != "POST":
        raise not_allowed(method)
    content_type = str(event.get("headers", {}).get("content-type", ""))
    if content_type.split(";")[0].strip().lower() != "application/json":
        raise unsupported_type(content_type)
    body = _json_of(_body_of(event))
    rows = rows_of(body, _MODEL.features, _SETTINGS.max_rows)
    predictions = _MODEL.predict(rows)
    model = {"name": _MODEL.name, "version": _MODEL.version}
    found = {"prediction": predictions[0]} if "row" in body else {"predictions": predictions}
    return {"model": model, **found}, len(rows)


def _body_of(event: dict[str, Any]) -> bytes:
    text = str(event.get("body") or "")
    try:
        body = base64.b64decode(text, validate=True) if event.get("isBase64Encoded") else text.encode()
    except (binascii.Error, UnicodeEncodeError) as error:
        raise unreadable("expected UTF-8, or Base64 where isBase64Encoded says so") from error
    if len(body) > MAX_BODY_BYTES:
        detail = f"body: expected at most {MAX_BODY_BYTES} bytes, got {len(body)}."
        raise too_large(detail, "Send fewer rows at a time.")
    return body


def _json_of(body: bytes) -> Any:
    try:
        return json.loads(body.decode("utf-8"), parse_constant=_no_constant)
    except UnicodeDecodeError as error:
        raise unreadable(f"byte {error.start} is not UTF-8") from error
    except json.JSONDecodeError as error:
        raise unreadable(f"line {error.lineno}, column {error.colno}: {error.msg}") from error
    except (ValueError, RecursionError) as error:
        raise unreadable(f"is no JSON that can be read: {error}") from error


def _no_constant(name: str) -> None:
    # Python reads them; JSON has none of them.
    raise ValueError(f"{name} is no number of JSON")


def _refusal(problem: Problem, path: str, request_id: str) -> dict[str, Any]:
    return _response(problem.status, CONTENT_TYPE, problem.document(path, request_id), problem.headers)


def _response(
    status: int, content_type: str, document: dict[str, Any], headers: dict[str, str] | None = None
) -> dict[str, Any]:
    common = {"content-type": content_type, "cache-control": "no-store", "x-content-type-options": "nosniff"}
    return {
        "statusCode": status,
        "headers": {**common, **(headers or {})},
        "body": json.dumps(document, ensure_ascii=False),
        "isBase64Encoded": False,
    }


def _log(level: str, message: str, about: dict[str, Any], started: float, **fields: Any) -> None:
    """Write one line of JSON. The rows themselves never enter it."""
    line = {
        "level": level,
        "time": datetime.now(UTC).isoformat(timespec="milliseconds"),
        "program": "ml-xgboost",
        "msg": message,
        **about,
        **fields,
        "durationMs": round((time.perf_counter() - started) * 1_000, 2),
    }
    sys.stdout.write(json.dumps(line, ensure_ascii=False) + "\n")
    sys.stdout.flush()
