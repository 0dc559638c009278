"""Browser uploads by POST around moto, which checks no policy: the form is judged by it, then put as an object.

The object is put in the name of who signed the policy, so that an authorizer is asked as for any PutObject.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote, unquote
from wsgiref.types import WSGIApplication, WSGIEnvironment
from xml.sax.saxutils import escape

from werkzeug.http import parse_options_header
from werkzeug.sansio.multipart import Data, Epilogue, Field, File, MultipartDecoder, NeedData

from standins.aws.s3_errors import S3Refusal
from standins.aws.signatures import ALGORITHM, Signer, require_equal
from standins.http import Reply, call, raw_path, read_body, write_body

#: Fields that a policy need not speak of.
_EXEMPT = ("policy", "x-amz-signature", "bucket")
#: Fields that become headers of the object, beside `x-amz-meta-*`.
_HEADERS = ("cache-control", "content-disposition", "content-encoding", "content-type", "expires")
#: Words of S3's own.
_NO_KEY = "Bucket POST must contain a field named 'key'.  If it is specified, please check the order of the fields."


def is_form(environ: WSGIEnvironment) -> bool:
    """Whether a request is a form that is posted to a bucket: no other service of AWS takes such a form."""
    content_type = str(environ.get("CONTENT_TYPE", ""))
    return environ["REQUEST_METHOD"] == "POST" and content_type.startswith("multipart/form-data")


def answer_form(application: WSGIApplication, environ: WSGIEnvironment, account: str) -> Reply:
    """Puts the file of a form that its policy allows.

    Raises S3Refusal.
    """
    bucket = unquote(raw_path(environ)).strip("/")
    fields, content = _read(environ)
    fields["bucket"] = bucket
    signer = _signer(fields, account)
    _judge(_policy(fields["policy"]), fields, len(content), datetime.now(UTC))
    path = f"/{bucket}/{quote(fields['key'])}"
    reply = call(application, _put(environ, path, fields, content, signer))
    if reply.status != 200:
        return reply
    location = f"http://{environ.get('HTTP_HOST')}{path}"
    headers = [("ETag", reply.header("ETag") or ""), ("Location", location)]
    if fields.get("success_action_status") != "201":
        return Reply(200 if fields.get("success_action_status") == "200" else 204, headers)
    members = {"Location": location, "Bucket": bucket, "Key": fields["key"], "ETag": headers[0][1]}
    inner = "".join(f"<{name}>{escape(value)}</{name}>" for name, value in members.items())
    body = f'<?xml version="1.0" encoding="UTF-8"?>\n<PostResponse>{inner}</PostResponse>'
    return Reply(201, [*headers, ("Content-Type", "application/xml")], body.encode())


def _read(environ: WSGIEnvironment) -> tuple[dict[str, str], bytes]:
    """The fields before the file, their names in lower case, and the file's content; S3 ignores what follows it."""
    fields: dict[str, str] = {}
    for name, content in _parts(environ):
        if name == "file":
            if "key" not in fields:
                raise S3Refusal(400, "InvalidArgument", _NO_KEY, ArgumentName="key")
            return fields, content
        fields[name] = content.decode("utf-8", "replace")
    raise S3Refusal(400, "InvalidArgument", "POST requires exactly one file upload per request.", ArgumentName="file")


def _parts(environ: WSGIEnvironment) -> Iterator[tuple[str, bytes]]:
    boundary = parse_options_header(str(environ["CONTENT_TYPE"]))[1].get("boundary", "")
    decoder = MultipartDecoder(boundary.encode())
    decoder.receive_data(read_body(environ))
    name, chunks = "", list[bytes]()
    try:
        decoder.receive_data(None)
        while not isinstance(event := decoder.next_event(), Epilogue | NeedData):
            if isinstance(event, Field | File):
                name, chunks = event.name.lower(), []
            elif isinstance(event, Data):
                chunks.append(event.data)
                if not event.more_data:
                    yield name, b"".join(chunks)
    except ValueError as error:
        message = "The body of your POST request is not well-formed multipart/form-data."
        raise S3Refusal(400, "MalformedPOSTRequest", message) from error


def _signer(fields: Mapping[str, str], account: str) -> Signer:
    """Who signed a form's policy.

    Raises S3Refusal when nobody did, or the signature is of something else.
    """
    if "policy" not in fields:
        raise S3Refusal(403, "AccessDenied", "Access Denied")
    if fields.get("x-amz-algorithm") != ALGORITHM:
        message = f"The authorization mechanism you have provided is not supported. Please use {ALGORITHM}."
        raise S3Refusal(400, "InvalidRequest", message)
    signer = Signer.parse(fields.get("x-amz-credential", ""), fields.get("x-amz-date", ""))
    if signer is None:
        message = "Error parsing the X-Amz-Credential field, or its date is not that of X-Amz-Date."
        raise S3Refusal(400, "InvalidArgument", message, ArgumentName="x-amz-credential")
    require_equal(signer.of_text(fields["policy"], account), fields.get("x-amz-signature", ""), signer.key_id)
    return signer


def _policy(encoded: str) -> dict[str, Any]:
    try:
        policy = json.loads(base64.b64decode(encoded, validate=True))
        return {"expiration": datetime.fromisoformat(policy["expiration"]), "conditions": list(policy["conditions"])}
    except (binascii.Error, ValueError, KeyError, TypeError) as error:
        raise S3Refusal(400, "InvalidPolicyDocument", "Invalid Policy: Invalid JSON.") from error


def _judge(policy: Mapping[str, Any], fields: Mapping[str, str], size: int, now: datetime) -> None:
    """Raises S3Refusal unless a form meets every condition of its policy, and has no field that none is about."""
    if now > policy["expiration"]:
        raise _denied("Policy expired.")
    spoken_of = {*_EXEMPT}
    for condition in policy["conditions"]:
        if isinstance(condition, dict):
            ((name, value),) = condition.items()
            condition = ["eq", f"${name}", value]
        kind, first, second = condition
        if kind == "content-length-range":
            _judge_size(int(first), int(second), size)
            continue
        name = str(first).removeprefix("$").lower()
        spoken_of.add(name)
        came = fields.get(name)
        met = came is not None and (
            came == second if kind == "eq" else kind == "starts-with" and came.startswith(second)
        )
        if not met:
            raise _denied(f"Policy Condition failed: {json.dumps([kind, first, second])}")
    extra = [name for name in fields if name not in spoken_of and not name.startswith("x-ignore-")]
    if extra:
        raise _denied(f"Extra input fields: {', '.join(extra)}")


def _judge_size(least: int, most: int, size: int) -> None:
    if size > most:
        message = "Your proposed upload exceeds the maximum allowed size"
        raise S3Refusal(400, "EntityTooLarge", message, ProposedSize=size, MaxSizeAllowed=most)
    if size < least:
        message = "Your proposed upload is smaller than the minimum allowed size"
        raise S3Refusal(400, "EntityTooSmall", message, ProposedSize=size, MinSizeAllowed=least)


def _denied(why: str) -> S3Refusal:
    return S3Refusal(403, "AccessDenied", f"Invalid according to Policy: {why}")


def _put(
    environ: WSGIEnvironment, path: str, fields: Mapping[str, str], content: bytes, signer: Signer
) -> WSGIEnvironment:
    """The request that puts the object, in the signer's name."""
    scope = f"{signer.key_id}/{signer.timestamp[:8]}/{signer.region}/s3/aws4_request"
    authorization = f"{ALGORITHM} Credential={scope}, SignedHeaders=host, Signature=of-the-policy"
    put = {**environ, "REQUEST_METHOD": "PUT", "REQUEST_URI": path, "QUERY_STRING": "", "PATH_INFO": unquote(path)}
    put |= {"HTTP_AUTHORIZATION": authorization, "CONTENT_TYPE": fields.get("content-type", "binary/octet-stream")}
    for name, value in fields.items():
        if name.startswith("x-amz-meta-") or (name in _HEADERS and name != "content-type"):
            put[f"HTTP_{name.upper().replace('-', '_')}"] = value
    write_body(put, content)
    return put
