"""CloudWatch: its wire protocol, and what alarms lose."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import Any
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

import botocore.session
import cbor2
import moto.cloudwatch.urls
from botocore.model import OperationModel
from botocore.parsers import create_parser
from botocore.serialize import create_serializer
from moto.cloudwatch.responses import CloudWatchResponse
from moto.core.responses import ActionResult

from standins.aws.gaps.extend import serve
from standins.http import Reply, call, raw_path, read_body, write_body

_CBOR_PATH = re.compile(r"^/service/(?P<service>[^/]+)/operation/(?P<operation>[^/]+)/?$")


class CloudWatchCbor:
    """moto does not speak Smithy RPC v2 CBOR, which today's SDKs speak to CloudWatch by default.

    A CBOR request is rewritten to AWS JSON, which moto understands, and its reply back, both along botocore's model.
    """

    def __init__(self, application: WSGIApplication) -> None:
        self._application = application
        self._model = botocore.session.get_session().get_service_model("cloudwatch")
        self._serializer = create_serializer("json", include_validation=False)
        self._parser = create_parser("json")

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answers a WSGI request."""
        match = _CBOR_PATH.match(raw_path(environ))
        if match is None or environ.get("HTTP_SMITHY_PROTOCOL") != "rpc-v2-cbor":
            return self._application(environ, start_response)
        operation = self._model.operation_model(match["operation"])
        self._rewrite(environ, operation)
        return self._answer(call(self._application, environ), operation).send(start_response)

    def _rewrite(self, environ: WSGIEnvironment, operation: OperationModel) -> None:
        body = read_body(environ)
        parameters = cbor2.loads(body) if body else {}
        request = self._serializer.serialize_to_request(parameters, operation)
        write_body(environ, request["body"])
        environ["CONTENT_TYPE"] = request["headers"]["Content-Type"]
        environ["HTTP_X_AMZ_TARGET"] = request["headers"]["X-Amz-Target"]
        environ["PATH_INFO"] = environ["REQUEST_URI"] = "/"

    def _answer(self, reply: Reply, operation: OperationModel) -> Reply:
        headers = [("Content-Type", "application/cbor"), ("smithy-protocol", "rpc-v2-cbor")]
        request_id = reply.header("x-amzn-requestid")
        if request_id:
            headers.append(("x-amzn-requestid", request_id))
        if reply.status >= 300:
            error = _json_error(reply)
            code = error["__type"]
            headers.append(("x-amzn-query-error", f"{code};{'Receiver' if reply.status >= 500 else 'Sender'}"))
            return Reply(reply.status, headers, cbor2.dumps(error))
        response = {"headers": {}, "status_code": reply.status, "body": reply.body or b"{}"}
        result = self._parser.parse(response, operation.output_shape)
        result.pop("ResponseMetadata", None)
        return Reply(reply.status, headers, cbor2.dumps(result, datetime_as_timestamp=True))


def _json_error(reply: Reply) -> dict[str, Any]:
    try:
        document = json.loads(reply.body)
    except ValueError:
        document = {}
    code = str(document.get("__type") or "InternalFailure").rsplit("#", 1)[-1]
    message = document.get("message") or document.get("Message") or reply.body.decode("utf-8", "replace")
    return {"__type": code, "message": message, "Message": message}


class CloudWatch(CloudWatchResponse):
    """moto's CloudWatch keeps composite alarms, yet has no action that makes one."""

    @classmethod
    def install(cls) -> None:
        """Extends moto."""
        serve(moto.cloudwatch.urls, CloudWatchResponse, cls)

    def put_composite_alarm(self) -> ActionResult:
        """Makes or changes a composite alarm."""
        return self.put_metric_alarm()
