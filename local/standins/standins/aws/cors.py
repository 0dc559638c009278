"""CORS of buckets around moto, which answers any origin: what a bucket's rules do not allow, a browser gets to hear of.

See https://docs.aws.amazon.com/AmazonS3/latest/userguide/cors.html: the first rule that fits origin, method and headers
counts.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from urllib.parse import unquote
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from moto.s3.models import CorsRule, s3_backends

from standins.aws.s3_errors import S3Refusal
from standins.http import Reply, call, raw_path

_HEADERS = "access-control-"
_NOT_ALLOWED = (
    "CORSResponse: This CORS request is not allowed. This is usually because the evaluation of Origin, request method "
    "/ Access-Control-Request-Method or Access-Control-Request-Headers are not whitelisted by the resource's CORS spec."
)


class Cors:
    """Answers preflight requests to buckets, and gives other answers the headers of the rule that fits."""

    def __init__(self, application: WSGIApplication, account: str) -> None:
        self._application = application
        self._account = account

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answers a WSGI request."""
        origin = str(environ.get("HTTP_ORIGIN", ""))
        rules = self._rules(environ) if origin else None
        if rules is None:
            return self._application(environ, start_response)
        if environ["REQUEST_METHOD"] == "OPTIONS":
            return _preflight(environ, origin, rules).send(start_response)
        reply = call(self._application, environ)
        rule = fitting(rules, origin, environ["REQUEST_METHOD"], [])
        kept = [(name, value) for name, value in reply.headers if not name.lower().startswith(_HEADERS)]
        reply.headers = kept if rule is None else [*kept, *_headers(rule, origin)]
        return reply.send(start_response)

    def _rules(self, environ: WSGIEnvironment) -> Sequence[CorsRule] | None:
        """The rules of the bucket that a request is for; None when it is for none."""
        name = unquote(raw_path(environ)).lstrip("/").split("/", 1)[0]
        bucket = s3_backends[self._account]["aws"].buckets.get(name)
        return None if bucket is None else bucket.cors or []


def fitting(rules: Sequence[CorsRule], origin: str, method: str, headers: Sequence[str]) -> CorsRule | None:
    """The first rule that allows a request; None when none does."""
    for rule in rules:
        allowed = [str(header).lower() for header in rule.allowed_headers or []]
        if (
            _fits(origin, rule.allowed_origins)
            and method in rule.allowed_methods
            and all(_fits(header.lower(), allowed) for header in headers)
        ):
            return rule
    return None


def _preflight(environ: WSGIEnvironment, origin: str, rules: Sequence[CorsRule]) -> Reply:
    method = str(environ.get("HTTP_ACCESS_CONTROL_REQUEST_METHOD", ""))
    asked = str(environ.get("HTTP_ACCESS_CONTROL_REQUEST_HEADERS", ""))
    headers = [header.strip() for header in asked.split(",") if header.strip()]
    rule = fitting(rules, origin, method, headers)
    if rule is None:
        message = _NOT_ALLOWED if rules else "CORSResponse: CORS is not enabled for this bucket."
        return S3Refusal(403, "AccessForbidden", message, Method=method, ResourceType="OBJECT").reply("OPTIONS")
    allowed = [("Access-Control-Allow-Headers", ", ".join(headers).lower())] if headers else []
    age = [("Access-Control-Max-Age", str(rule.max_age_seconds))] if rule.max_age_seconds is not None else []
    return Reply(200, [*_headers(rule, origin), *allowed, *age])


def _headers(rule: CorsRule, origin: str) -> list[tuple[str, str]]:
    any_origin = "*" in rule.allowed_origins
    exposed = [("Access-Control-Expose-Headers", ", ".join(rule.exposed_headers))] if rule.exposed_headers else []
    return [
        ("Access-Control-Allow-Origin", "*" if any_origin else origin),
        ("Access-Control-Allow-Methods", ", ".join(rule.allowed_methods)),
        *([] if any_origin else [("Access-Control-Allow-Credentials", "true")]),
        *exposed,
        ("Vary", "Origin, Access-Control-Request-Headers, Access-Control-Request-Method"),
    ]


def _fits(value: str, patterns: Sequence[str]) -> bool:
    """Whether a value matches a pattern, in which `*` stands for anything."""
    return any(re.fullmatch(".*".join(map(re.escape, pattern.split("*"))), value) for pattern in patterns)
