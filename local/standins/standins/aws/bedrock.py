"""Bedrock Runtime, which moto answers with empty documents: signed requests, real shapes, and trouble on demand.

Embeddings are real, of a model that another program serves (`--embeddings`): its vectors are filled up with zeros to
the length that was asked for, which changes no cosine. A title is made from the cart's own words by a fixed rule; no
language model is behind it. Only InvokeModel of Titan's text embeddings and Converse of Nova's inference profiles are
here.

`POST /standins/bedrock` orders trouble for the next calls, `GET` counts those that were answered: what would be billed.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
import threading
import time
import uuid
from collections import Counter
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from http.client import HTTPConnection
from typing import Any
from urllib.parse import unquote, urlsplit
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from standins.aws.signatures import secret_of
from standins.http import Reply, json_reply, raw_path, read_body

CONTROL = "/standins/bedrock"
EMBEDDING_MODEL = "amazon.titan-embed-text-v2:0"
TEXT_PROFILE = re.compile(r"(apac|eu|us)\.amazon\.nova-(micro|lite|pro)-v1:0")
#: Lengths that Titan makes; shorter ones than the model behind are not to be had here.
DIMENSIONS = (256, 512, 1024)
#: Longest text that Titan takes, in characters.
LONGEST_TEXT = 50_000
LONGEST_TITLE = 80
#: How far a clock may be off.
SKEW = timedelta(minutes=5)
#: Seconds that the program with the model may take.
TIMEOUT_S = 20

_CALL = re.compile(r"/model/([^/]+)/(invoke|converse)")
_OPERATIONS = {"invoke": "InvokeModel", "converse": "Converse"}
_AUTHORIZATION = re.compile(
    r"AWS4-HMAC-SHA256 Credential=([^/]+)/(\d{8})/([^/]+)/bedrock/aws4_request, ?"
    r"SignedHeaders=([^,]+), ?Signature=([0-9a-f]{64})"
)
_ITEM = re.compile(r"^- \d+ x (.+?)(?: \([^)]*\))?$", re.MULTILINE)
_OCCASION = re.compile(r"^Occasion: (.+)$", re.MULTILINE)


class BedrockError(Exception):
    """An error as Bedrock tells it."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code

    def reply(self) -> Reply:
        """The reply that carries it."""
        return json_reply(self.status, {"message": str(self)}, {"x-amzn-errortype": self.code})


class Bedrock:
    """Answers Bedrock Runtime's calls and hands on the rest."""

    def __init__(self, application: WSGIApplication, embeddings: str, account: str) -> None:
        self._application = application
        self._embeddings = urlsplit(embeddings)
        self._account = account
        self._lock = threading.Lock()
        self._faults: list[dict[str, Any]] = []
        self._answered: Counter[str] = Counter()

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answers a WSGI request."""
        called = _CALL.fullmatch(raw_path(environ))
        if called is None or environ["REQUEST_METHOD"] != "POST":
            return self._application(environ, start_response)
        try:
            reply = self._answer(environ, unquote(called[1]), _OPERATIONS[called[2]])
        except BedrockError as error:
            reply = error.reply()
        reply.replace_header("x-amzn-RequestId", str(uuid.uuid4()))
        return reply.send(start_response)

    def control(self, environ: WSGIEnvironment) -> Reply:
        """Orders trouble, or counts."""
        if environ["REQUEST_METHOD"] == "POST":
            # Each: operation; kind (throttle, unavailable, slow, malformed); times; seconds of a slow one.
            with self._lock:
                self._faults = json.loads(read_body(environ))["faults"]
        with self._lock:
            return json_reply(200, {"answered": self._answered, "faults": self._faults})

    def _answer(self, environ: WSGIEnvironment, model: str, operation: str) -> Reply:
        began = time.monotonic()
        body = read_body(environ)
        verify(environ, body, self._account, datetime.now(UTC))
        fault = self._next_fault(operation)
        if fault == "throttle":
            raise BedrockError(429, "ThrottlingException", "Too many requests, please wait before trying again.")
        if fault == "unavailable":
            raise BedrockError(503, "ServiceUnavailableException", "Bedrock is unable to process your request.")
        asked = _document(body)
        document = self._embed(model, asked) if operation == "InvokeModel" else converse(model, asked)
        with self._lock:
            self._answered[operation] += 1
        if fault == "malformed":
            return Reply(200, [("Content-Type", "application/json")], b'{"output": {"mess')
        if operation == "Converse":
            document["metrics"] = {"latencyMs": round((time.monotonic() - began) * 1000)}
        return json_reply(200, document)

    def _next_fault(self, operation: str) -> str | None:
        with self._lock:
            fault = next((each for each in self._faults if each["operation"] == operation), None)
            if fault is None:
                return None
            fault["times"] -= 1
            if fault["times"] <= 0:
                self._faults.remove(fault)
        if fault["kind"] == "slow":
            # Nobody else waits: no lock is held.
            time.sleep(float(fault["seconds"]))
        return str(fault["kind"])

    def _embed(self, model: str, asked: dict[str, Any]) -> dict[str, Any]:
        if model != EMBEDDING_MODEL:
            raise _invalid("The provided model identifier is invalid.")
        text, dimensions = asked.get("inputText"), asked.get("dimensions", DIMENSIONS[-1])
        unknown = asked.keys() - {"inputText", "dimensions", "normalize", "embeddingTypes"}
        if not isinstance(text, str) or not 1 <= len(text) <= LONGEST_TEXT or unknown or dimensions not in DIMENSIONS:
            raise _invalid("Malformed input request, please reformat your input and try again.")
        vector = self._vector(text)
        if len(vector) > dimensions:
            raise NotImplementedError(f"the model here makes {len(vector)} dimensions, not {dimensions}")
        filled = vector + [0.0] * (dimensions - len(vector))
        tokens = max(1, len(text) // 4)
        return {"embedding": filled, "embeddingsByType": {"float": filled}, "inputTextTokenCount": tokens}

    def _vector(self, text: str) -> list[float]:
        if not self._embeddings.hostname:
            raise NotImplementedError("no model serves embeddings: start the stand-ins with --embeddings URL")
        connection = HTTPConnection(self._embeddings.hostname, self._embeddings.port, timeout=TIMEOUT_S)
        try:
            content = {"Content-Type": "application/json"}
            connection.request("POST", "/embeddings", json.dumps({"texts": [text]}), content)
            reply = connection.getresponse()
            answered = reply.read()
        except OSError as error:
            message = f"Bedrock is unable to process your request: {error}"
            raise BedrockError(503, "ServiceUnavailableException", message) from error
        finally:
            connection.close()
        if reply.status != 200:
            raise BedrockError(503, "ServiceUnavailableException", answered.decode("utf-8", "replace")[:400])
        return [float(number) for number in json.loads(answered)["embeddings"][0]]


class Controlled:
    """Answers what is asked of the stand-in itself, which nobody signs, and hands on the rest."""

    def __init__(self, application: WSGIApplication, bedrock: Bedrock) -> None:
        self._application = application
        self._bedrock = bedrock

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answers a WSGI request."""
        if raw_path(environ) == CONTROL:
            return self._bedrock.control(environ).send(start_response)
        return self._application(environ, start_response)


def converse(model: str, asked: dict[str, Any]) -> dict[str, Any]:
    """The answer to a conversation.

    Raises BedrockError for a model that is not called so, or a request of another shape.
    """
    if TEXT_PROFILE.fullmatch(model) is None:
        if TEXT_PROFILE.fullmatch(f"apac.{model}"):
            raise _invalid(
                f"Invocation of model ID {model} with on-demand throughput isn't supported. Retry your request with "
                "the ID or ARN of an inference profile that contains this model."
            )
        raise _invalid("The provided model identifier is invalid.")
    try:
        text = "\n".join(block["text"] for block in asked["messages"][-1]["content"])
        most = int(asked.get("inferenceConfig", {}).get("maxTokens", LONGEST_TITLE))
    except (IndexError, KeyError, TypeError, ValueError) as error:
        raise _invalid("A conversation must end with a user message of text.") from error
    title = title_of(text)
    tokens = {"inputTokens": max(1, len(text) // 4), "outputTokens": min(most, max(1, len(title) // 4))}
    return {
        "output": {"message": {"role": "assistant", "content": [{"text": title}]}},
        "stopReason": "end_turn",
        "usage": {**tokens, "totalTokens": sum(tokens.values())},
    }


def title_of(text: str) -> str:
    """A title from the cart's own words: its occasion, the first two items, and how many there are besides."""
    items = _ITEM.findall(text)
    occasion = _OCCASION.search(text)
    named = " and ".join(items[:2]) if items else "Cart"
    more = f" and {len(items) - 2} more" if len(items) > 2 else ""
    room = LONGEST_TITLE - len(more)
    start = f"{occasion[1]}: {named}" if occasion else named
    return f"{start[:room].rstrip()}{more}"


def verify(environ: WSGIEnvironment, body: bytes, account: str, now: datetime) -> None:
    """Checks a request's signature with botocore's own signer.

    Raises BedrockError.
    """
    signed = _AUTHORIZATION.fullmatch(str(environ.get("HTTP_AUTHORIZATION", "")))
    timestamp = str(environ.get("HTTP_X_AMZ_DATE", ""))
    if signed is None or not re.fullmatch(r"\d{8}T\d{6}Z", timestamp):
        raise BedrockError(403, "MissingAuthenticationTokenException", "Missing Authentication Token")
    key_id, day, region, names, signature = signed.groups()
    at = datetime.strptime(timestamp, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    if timestamp[:8] != day or abs(now - at) > SKEW:
        raise BedrockError(403, "InvalidSignatureException", f"Signature expired: {timestamp}")
    headers = {name: _header(environ, name) for name in names.split(";")}
    if headers.get("x-amz-content-sha256", hashlib.sha256(body).hexdigest()) != hashlib.sha256(body).hexdigest():
        raise _mismatch()
    request = AWSRequest("POST", f"http://{headers.get('host', '')}{raw_path(environ)}", headers, body)
    request.context["timestamp"] = timestamp
    auth = SigV4Auth(Credentials(key_id, secret_of(key_id, account)), "bedrock", region)
    expected = auth.signature(auth.string_to_sign(request, auth.canonical_request(request)), request)
    if not hmac.compare_digest(str(expected), signature):
        raise _mismatch()


def _header(environ: WSGIEnvironment, name: str) -> str:
    key = name.upper().replace("-", "_")
    return str(environ.get(key if key in ("CONTENT_TYPE", "CONTENT_LENGTH") else f"HTTP_{key}", ""))


def _mismatch() -> BedrockError:
    message = "The request signature we calculated does not match the signature you provided."
    return BedrockError(403, "InvalidSignatureException", message)


def _document(body: bytes) -> dict[str, Any]:
    try:
        document = json.loads(body)
    except ValueError as error:
        raise _invalid("Malformed input request, please reformat your input and try again.") from error
    if not isinstance(document, dict):
        raise _invalid("Malformed input request, please reformat your input and try again.")
    return document


def _invalid(message: str) -> BedrockError:
    return BedrockError(400, "ValidationException", message)
