"""Presigned URLs around moto, which takes any: signature, time and signed headers are checked as S3 checks them.

Only what is signed in the query, or by a POST policy, is checked: a program that signs its headers has the secret
anyway.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from botocore.awsrequest import AWSRequest

from standins.aws.post_policy import answer_form, is_form
from standins.aws.s3_errors import S3Refusal
from standins.aws.signatures import ALGORITHM, Signer, require_equal
from standins.http import raw_path

#: Longest that S3 lets a URL be good for, in seconds: a week.
LONGEST_S = 604_800
#: How far a clock may be ahead.
SKEW = timedelta(minutes=15)

_PARAMETERS = (
    "X-Amz-Algorithm",
    "X-Amz-Credential",
    "X-Amz-Signature",
    "X-Amz-Date",
    "X-Amz-SignedHeaders",
    "X-Amz-Expires",
)


class Presigned:
    """Refuses what S3 refuses of presigned requests, with its codes, and hands on the rest."""

    def __init__(self, application: WSGIApplication, account: str) -> None:
        self._application = application
        self._account = account

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answers a WSGI request."""
        try:
            if is_form(environ):
                return answer_form(self._application, environ, self._account).send(start_response)
            verify_query(environ, self._account, datetime.now(UTC))
        except S3Refusal as refusal:
            return refusal.reply(environ["REQUEST_METHOD"]).send(start_response)
        return self._application(environ, start_response)


def verify_query(environ: WSGIEnvironment, account: str, now: datetime) -> None:
    """Checks a request that is signed in its query for S3; any other passes.

    Raises S3Refusal.
    """
    query = str(environ.get("QUERY_STRING", ""))
    asked = {name: values[0] for name, values in parse_qs(query, keep_blank_values=True).items()}
    if "Signature" in asked and "AWSAccessKeyId" in asked:
        message = f"The authorization mechanism you have provided is not supported. Please use {ALGORITHM}."
        raise S3Refusal(400, "InvalidRequest", message)
    if not any(name in asked for name in _PARAMETERS) or _is_of_another_service(asked):
        return
    signer, seconds = _read(asked)
    if seconds > LONGEST_S:
        raise _malformed(f"X-Amz-Expires must be less than a week (in seconds), {LONGEST_S}")
    if signer.signed_at > now + SKEW:
        raise S3Refusal(403, "AccessDenied", "Request is not yet valid")
    ends = signer.signed_at + timedelta(seconds=seconds)
    if now > ends:
        times = {"Expires": f"{ends:%Y-%m-%dT%H:%M:%SZ}", "ServerTime": f"{now:%Y-%m-%dT%H:%M:%SZ}"}
        raise S3Refusal(403, "AccessDenied", "Request has expired", **{"X-Amz-Expires": seconds}, **times)
    require_equal(
        signer.of_request(_signed_part(environ, query, asked), account), asked["X-Amz-Signature"], signer.key_id
    )


def _read(asked: Mapping[str, str]) -> tuple[Signer, int]:
    if any(not asked.get(name) for name in _PARAMETERS):
        listed = f"{', '.join(_PARAMETERS[:-1])}, and {_PARAMETERS[-1]}"
        raise _malformed(f"Query-string authentication version 4 requires the {listed} parameters.")
    if asked["X-Amz-Algorithm"] != ALGORITHM:
        raise _malformed(f'X-Amz-Algorithm only supports "{ALGORITHM}"')
    signer = Signer.parse(asked["X-Amz-Credential"], asked["X-Amz-Date"])
    if signer is None:
        raise _malformed(
            'Error parsing the X-Amz-Credential parameter; expected "<key id>/<YYYYMMDD of X-Amz-Date>/<region>/s3/'
            'aws4_request".'
        )
    if not asked["X-Amz-Expires"].isdigit():
        raise _malformed("X-Amz-Expires should be a number")
    return signer, int(asked["X-Amz-Expires"])


def _signed_part(environ: WSGIEnvironment, query: str, asked: Mapping[str, str]) -> AWSRequest:
    """The part of a request that its signature is about.

    Raises S3Refusal when a header that S3 wants signed is not.
    """
    names = asked["X-Amz-SignedHeaders"].split(";")
    came = _headers(environ)
    unsigned = [name for name in came if name.startswith("x-amz-") and name not in names]
    if "host" not in names or unsigned:
        message = "There were headers present in the request which were not signed"
        raise S3Refusal(403, "AccessDenied", message, HeadersNotSigned=", ".join(unsigned) or "host")
    rest = "&".join(part for part in query.split("&") if not part.startswith("X-Amz-Signature="))
    headers = {name: came[name] for name in names if name in came}
    return AWSRequest(environ["REQUEST_METHOD"], f"http://{came['host']}{raw_path(environ)}?{rest}", headers)


def _headers(environ: WSGIEnvironment) -> dict[str, str]:
    """The request's headers, their names in lower case."""
    headers = {name[5:].replace("_", "-").lower(): str(value) for name, value in environ.items() if name[:5] == "HTTP_"}
    for name in ("CONTENT_TYPE", "CONTENT_LENGTH"):
        if environ.get(name):
            headers[name.replace("_", "-").lower()] = str(environ[name])
    return headers


def _is_of_another_service(asked: Mapping[str, str]) -> bool:
    scope = asked.get("X-Amz-Credential", "").split("/")
    return len(scope) == 5 and scope[3] != "s3"


def _malformed(message: str) -> S3Refusal:
    return S3Refusal(400, "AuthorizationQueryParametersError", message)
