"""IAM around moto: each request of a role is put to an authorizer outside, and refused as AWS refuses it.

moto can enforce IAM itself, yet takes every DynamoDB table for `*` and ignores conditions. Here a request is only named
(who, which operation, with which parameters); what it asks of which policy is the authorizer's to say.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from http.client import HTTPConnection
from typing import Any
from urllib.parse import urlsplit
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment
from xml.sax.saxutils import escape

from moto.core.parse import PROTOCOL_PARSERS
from moto.core.request import Request, determine_request_protocol
from moto.core.routing import get_service_router
from moto.core.utils import get_service_model

from standins.http import Reply, call, json_reply, raw_path, read_body

#: The access key id of whoever made everything here: Terraform, an operator, a test. Nobody asks about it.
OPERATOR = "local"
#: Seconds that the authorizer may take.
TIMEOUT_S = 10

_SCOPE = re.compile(r"Credential=([^/,]+)/\d{8}/([^/]+)/([^/]+)/aws4_request")
#: Services that are signed under another name than that of their model.
_MODELS = {
    "bedrock": "bedrock-runtime",
    "elasticloadbalancing": "elbv2",
    "monitoring": "cloudwatch",
    "states": "stepfunctions",
}
#: What S3 answers for an object that is not there says nothing to those who may not list the bucket.
_READS_OBJECT = ("GetObject", "HeadObject")


@dataclass(frozen=True)
class Asked:
    """One request to AWS, named."""

    principal: str
    """Access key id that signed it."""
    service: str
    """Name that it was signed for."""
    region: str
    operation: str
    parameters: dict[str, Any]
    protocol: str


class Authorization:
    """Lets through what an authorizer allows. A request that cannot be named, or judged, fails: none slips through."""

    def __init__(self, application: WSGIApplication, authorizer: str) -> None:
        self._application = application
        address = urlsplit(authorizer)
        self._host, self._port = str(address.hostname), address.port

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answers a WSGI request."""
        scope = _scope(environ)
        if scope is None:
            unsigned = {"__type": "MissingAuthenticationTokenException", "message": "Missing Authentication Token"}
            return json_reply(403, unsigned).send(start_response)
        if scope[0] == OPERATOR:
            return self._application(environ, start_response)
        asked = named(environ, scope)
        refusal = self._refusal(asked)
        if refusal is not None:
            return _refused(asked, refusal).send(start_response)
        reply = call(self._application, environ)
        if reply.status == 404 and asked.service == "s3" and asked.operation in _READS_OBJECT:
            lists = replace(asked, operation="ListObjectsV2", parameters={"Bucket": asked.parameters["Bucket"]})
            refusal = self._refusal(lists)
            reply = reply if refusal is None else _refused(asked, refusal)
        return reply.send(start_response)

    def _refusal(self, asked: Asked) -> str | None:
        """Why a request is denied; None when it is allowed."""
        connection = HTTPConnection(self._host, self._port, timeout=TIMEOUT_S)
        try:
            connection.request("POST", "/", json.dumps(vars(asked)), {"Content-Type": "application/json"})
            reply = connection.getresponse()
            text = reply.read()
        finally:
            connection.close()
        if reply.status != 200:
            raise ConnectionError(f"the authorizer answered {reply.status}: {text.decode('utf-8', 'replace')}")
        verdict = json.loads(text)
        return None if verdict["allowed"] else str(verdict["message"])


def named(environ: WSGIEnvironment, scope: tuple[str, str, str]) -> Asked:
    """Names a request that was signed for a scope: access key id, region, service.

    Raises NotFound (of werkzeug) when the service has no such operation.
    """
    principal, region, service = scope
    read_body(environ)
    model = get_service_model(_MODELS.get(service, service))
    request = Request({**environ, "RAW_URI": raw_path(environ)}, populate_request=False)
    operation, labels = get_service_router(model.service_name).match(request)
    protocol = determine_request_protocol(model, request.content_type)
    parsed = PROTOCOL_PARSERS[protocol](operation).parse(
        {
            "method": request.method,
            "values": request.values,
            "headers": request.headers,
            "body": request.get_data() if protocol != "rest-xml" or _has_document(operation.name) else b"",
            "url_params": labels,
            "url_path": request.path,
        }
    )
    # The layers behind read the body anew.
    environ["wsgi.input"].seek(0)
    return Asked(principal, service, region, str(operation.name), _plain(parsed), protocol)


def _has_document(operation: str) -> bool:
    """Whether a body of rest-xml is XML to read: an object's content is not."""
    return operation not in ("PutObject", "UploadPart")


def _scope(environ: WSGIEnvironment) -> tuple[str, str, str] | None:
    """Who signed a request, for which region and service; None for one that nobody signed."""
    found = _SCOPE.search(str(environ.get("HTTP_AUTHORIZATION", "")) or _presigned(environ))
    return None if found is None else (found[1], found[2], found[3])


def _presigned(environ: WSGIEnvironment) -> str:
    query = str(environ.get("QUERY_STRING", ""))
    found = re.search(r"X-Amz-Credential=([^&]+)", query)
    return f"Credential={found[1].replace('%2F', '/')}" if found else ""


def _plain(value: Any) -> Any:
    """Parameters as JSON has them, without binary content."""
    if isinstance(value, dict):
        return {str(key): _plain(each) for key, each in value.items() if not isinstance(each, bytes)}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    return value if isinstance(value, str | int | float | bool | None) else str(value)


def _refused(asked: Asked, message: str) -> Reply:
    """A denial as the service words it in its protocol."""
    if asked.protocol == "json":
        document = {"__type": "AccessDeniedException", "message": message, "Message": message}
        return json_reply(400, document, {"x-amzn-errortype": "AccessDeniedException"})
    if asked.protocol == "rest-json":
        return json_reply(403, {"Message": message}, {"x-amzn-errortype": "AccessDeniedException"})
    code = "UnauthorizedOperation" if asked.protocol == "ec2" else "AccessDenied"
    error = f"<Type>Sender</Type><Code>{code}</Code><Message>{escape(message)}</Message>"
    envelopes = {
        "rest-xml": f"<Error>{error}</Error>",
        "ec2": f"<Response><Errors><Error>{error}</Error></Errors></Response>",
    }
    body = envelopes.get(asked.protocol, f"<ErrorResponse><Error>{error}</Error></ErrorResponse>")
    content = b"" if asked.operation.startswith("Head") else body.encode()
    return Reply(403, [("Content-Type", "text/xml")], content)
