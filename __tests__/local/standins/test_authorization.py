"""IAM around the AWS stand-in: requests are named, an authorizer is asked, and its denials are AWS's own errors."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.error import HTTPError
from urllib.request import urlopen

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from conftest import REGION, start_standins, stop

ROLE = "some_role"
#: A service for each protocol, a call of it, and what it says to who may not.
CALLS = [
    ("s3", "put_object", {"Bucket": "a", "Key": "b/c d", "Body": b"x"}, "AccessDenied", 403),
    ("s3", "head_object", {"Bucket": "a", "Key": "b"}, "403", 403),
    ("sqs", "send_message", {"QueueUrl": "http://aws.test/1/q", "MessageBody": "x"}, "AccessDeniedException", 400),
    ("dynamodb", "get_item", {"TableName": "t", "Key": {"k": {"S": "v"}}}, "AccessDeniedException", 400),
    ("autoscaling", "describe_auto_scaling_groups", {}, "AccessDenied", 403),
    ("ec2", "describe_vpcs", {}, "UnauthorizedOperation", 403),
    ("lambda", "invoke", {"FunctionName": "f", "Payload": b"{}"}, "AccessDeniedException", 403),
    ("cloudwatch", "list_metrics", {}, "AccessDeniedException", 400),
]


@dataclass
class Authorizer:
    """Answers as it is told, and keeps what it was asked."""

    url: str = ""
    status: int = 200
    denied: set[str] = field(default_factory=set)
    asked: list[dict[str, Any]] = field(default_factory=list)


@contextmanager
def authorizing() -> Iterator[Authorizer]:
    """An authorizer on a free port."""
    authorizer = Authorizer()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            authorizer.asked.append(asked)
            denied = asked["operation"] in authorizer.denied
            answer = json.dumps({"allowed": not denied, "message": "it is <denied>"}).encode()
            self.send_response(authorizer.status)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (the library's name)
            """Stays silent."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    authorizer.url = f"http://127.0.0.1:{server.server_port}"
    yield authorizer
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(scope="module")
def guarded() -> Iterator[tuple[str, Authorizer]]:
    """Stand-ins that ask an authorizer: their address, and it."""
    with authorizing() as authorizer:
        process = start_standins("--aws-port", "0", "--gcp-port", "0", "--authorizer", authorizer.url)
        assert process.stdout
        (url, _) = re.findall(r"http://127\.0\.0\.1:\d+", process.stdout.readline())
        yield url, authorizer
        stop(process)


@pytest.fixture
def authorizer(guarded: tuple[str, Authorizer]) -> Authorizer:
    """The authorizer, which allows everything and was asked nothing."""
    guarded[1].status, guarded[1].denied, guarded[1].asked = 200, set(), []
    return guarded[1]


def client(guarded: tuple[str, Authorizer], service: str, key: str = ROLE) -> Any:
    """A client that signs with an access key id."""
    return boto3.client(
        service,
        endpoint_url=guarded[0],
        region_name=REGION,
        aws_access_key_id=key,
        aws_secret_access_key="any",
        config=Config(retries={"total_max_attempts": 1}),
    )


@pytest.mark.parametrize(("service", "call", "parameters", "code", "status"), CALLS)
def test_a_denial_is_the_services_own_error(
    guarded: tuple[str, Authorizer],
    authorizer: Authorizer,
    service: str,
    call: str,
    parameters: dict[str, Any],
    code: str,
    status: int,
) -> None:
    """authorization: in every protocol, the request is named and its denial has the code and status of AWS."""
    operation = "".join(word.capitalize() for word in call.split("_"))
    authorizer.denied = {operation}
    with pytest.raises(ClientError) as denied:
        getattr(client(guarded, service), call)(**parameters)
    assert denied.value.response["Error"]["Code"] == code
    assert denied.value.response["ResponseMetadata"]["HTTPStatusCode"] == status
    if call != "head_object":
        assert denied.value.response["Error"]["Message"] == "it is <denied>"
    (asked,) = authorizer.asked
    assert (asked["principal"], asked["operation"], asked["region"]) == (ROLE, operation, REGION)
    sent = {name: value for name, value in parameters.items() if not isinstance(value, bytes)}
    assert {name: asked["parameters"].get(name) for name in sent} == sent


def test_what_is_allowed_reaches_the_stand_in_whole(guarded: tuple[str, Authorizer], authorizer: Authorizer) -> None:
    """authorization: a request that is allowed is answered as without IAM, its body and its key untouched."""
    s3 = client(guarded, "s3")
    s3.create_bucket(Bucket="whole", CreateBucketConfiguration={"LocationConstraint": REGION})
    s3.put_object(Bucket="whole", Key="a/b c%2Fd", Body=b"\x00content")
    assert s3.get_object(Bucket="whole", Key="a/b c%2Fd")["Body"].read() == b"\x00content"
    assert [asked["parameters"].get("Key") for asked in authorizer.asked] == [None, "a/b c%2Fd", "a/b c%2Fd"]


def test_the_operator_is_not_asked_about(guarded: tuple[str, Authorizer], authorizer: Authorizer) -> None:
    """authorization: nobody is asked about the access key `local`."""
    client(guarded, "sqs", "local").list_queues()
    assert authorizer.asked == []


def test_a_request_without_a_signature_is_refused(guarded: tuple[str, Authorizer], authorizer: Authorizer) -> None:
    """authorization: whoever signs nothing is nobody, and gets nothing."""
    with pytest.raises(HTTPError, match="403"):
        urlopen(f"{guarded[0]}/some-bucket/some-key", timeout=10)  # noqa: S310 (loopback)
    assert authorizer.asked == []


def test_a_missing_object_is_forbidden_to_who_may_not_list(
    guarded: tuple[str, Authorizer], authorizer: Authorizer
) -> None:
    """authorization: as on S3, only who may list the bucket learns that an object is not there."""
    client(guarded, "s3", "local").create_bucket(
        Bucket="gone", CreateBucketConfiguration={"LocationConstraint": REGION}
    )
    s3 = client(guarded, "s3")
    with pytest.raises(ClientError, match="NoSuchKey"):
        s3.get_object(Bucket="gone", Key="x")
    authorizer.denied = {"ListObjectsV2"}
    with pytest.raises(ClientError, match="AccessDenied"):
        s3.get_object(Bucket="gone", Key="x")


def test_without_an_answer_nothing_is_let_through(guarded: tuple[str, Authorizer], authorizer: Authorizer) -> None:
    """authorization: when the authorizer fails, so does the request."""
    authorizer.status = 500
    with pytest.raises(ClientError) as failed:
        client(guarded, "sqs").create_queue(QueueName="never-made")
    assert failed.value.response["ResponseMetadata"]["HTTPStatusCode"] == 500
    assert "QueueUrls" not in client(guarded, "sqs", "local").list_queues(QueueNamePrefix="never-made")
