"""Bedrock: signatures, shapes and trouble, as the SDK sees them."""

from __future__ import annotations

import json
import threading
import urllib.request
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from conftest import REGION, start_standins, stop

TITAN = "amazon.titan-embed-text-v2:0"
NOVA = "apac.amazon.nova-lite-v1:0"


class _Embeddings(BaseHTTPRequestHandler):
    """A model of three dimensions, in the place of the real one."""

    def do_POST(self) -> None:
        """Answers with the length of each text."""
        texts = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["texts"]
        body = json.dumps({"embeddings": [[float(len(text)), 0.0, 1.0] for text in texts]}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Says nothing."""


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    """Stand-ins whose Bedrock has that model."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Embeddings)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    embeddings = f"http://127.0.0.1:{server.server_port}"
    process = start_standins("--aws-port", "0", "--gcp-port", "0", "--embeddings", embeddings)
    assert process.stdout is not None
    yield process.stdout.readline().split("AWS at ")[1].split(",")[0]
    stop(process)
    server.shutdown()


def client(url: str, secret: str = "local") -> Any:  # noqa: S107 (opens nothing but the stand-in)
    """The SDK's client."""
    return boto3.client(
        "bedrock-runtime",
        region_name=REGION,
        endpoint_url=url,
        aws_access_key_id="a-role",
        aws_secret_access_key=secret,
        config=Config(retries={"total_max_attempts": 1}),
    )


def order(url: str, *faults: dict[str, Any]) -> None:
    """Orders trouble."""
    body = json.dumps({"faults": faults}).encode()
    urllib.request.urlopen(urllib.request.Request(f"{url}/standins/bedrock", body, method="POST"))  # noqa: S310


def embed(bedrock: Any, **asked: Any) -> dict[str, Any]:
    """Calls Titan."""
    body = json.dumps({"inputText": "four", **asked})
    return dict(json.loads(bedrock.invoke_model(modelId=TITAN, body=body)["body"].read()))


def test_a_vector_is_the_models_with_zeros_behind(url: str) -> None:
    """The vector is the model's own, with zeros behind it up to the length that was asked for."""
    answered = embed(client(url), dimensions=256)
    assert answered["embedding"] == [4.0, 0.0, 1.0] + [0.0] * 253
    assert answered["inputTextTokenCount"] == 1


def test_a_conversation_gives_a_title_of_the_carts_words(url: str) -> None:
    """A conversation about a cart gives a title of its words, in Converse's shape."""
    text = "Language: en\n<cart>\n- 1 x Tent (outdoor)\n- 2 x Lamp\n- 1 x Mug\n</cart>"
    answered = client(url).converse(modelId=NOVA, messages=[{"role": "user", "content": [{"text": text}]}])
    assert answered["output"]["message"]["content"] == [{"text": "Tent and Lamp and 1 more"}]
    assert answered["stopReason"] == "end_turn"
    assert answered["usage"]["totalTokens"] > 0


def test_a_signature_of_another_secret_is_refused(url: str) -> None:
    """What another secret signed is refused."""
    with pytest.raises(ClientError, match="InvalidSignatureException"):
        embed(client(url, "wrong"))


@pytest.mark.parametrize(
    ("model", "message"),
    [("amazon.nova-lite-v1:0", "inference profile"), ("acme.model-v1:0", "identifier is invalid")],
)
def test_a_model_that_is_not_called_so_is_refused(url: str, model: str, message: str) -> None:
    """A model without its profile, and one that is not there, are refused in Bedrock's words."""
    with pytest.raises(ClientError, match=message):
        client(url).converse(modelId=model, messages=[{"role": "user", "content": [{"text": "x"}]}])


def test_a_request_of_another_shape_is_refused(url: str) -> None:
    """A field that Titan does not know is refused."""
    with pytest.raises(ClientError, match="Malformed input request"):
        embed(client(url), dimension=256)


@pytest.mark.parametrize(
    ("kind", "code", "status"),
    [("throttle", "ThrottlingException", 429), ("unavailable", "ServiceUnavailableException", 503)],
)
def test_trouble_comes_as_often_as_it_was_ordered(url: str, kind: str, code: str, status: int) -> None:
    """Trouble comes with Bedrock's codes, as often as it was ordered."""
    order(url, {"operation": "InvokeModel", "kind": kind, "times": 1})
    with pytest.raises(ClientError) as refused:
        embed(client(url))
    assert refused.value.response["Error"]["Code"] == code
    assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == status
    assert embed(client(url))["embedding"][0] == 4.0
