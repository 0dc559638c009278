"""Presigned URLs and POST policies: what S3 refuses, the AWS stand-in refuses, with S3's codes."""

from __future__ import annotations

import json
import re
import secrets
import time
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import quote

import boto3
import pytest
import requests
from botocore.config import Config
from conftest import REGION, StandIns, start_standins, stop
from test_authorization import Authorizer, authorizing

KEY = "a/frame 7+ü%2F.tif"
TIFF = {"Content-Type": "image/tiff"}
EXPIRED_S = 1


@pytest.fixture
def s3(standins: StandIns) -> Any:
    """A client that signs as programs in ap-northeast-2 do."""
    return standins.client("s3", signature_version="s3v4", s3={"addressing_style": "path"})


@pytest.fixture
def bucket(s3: Any) -> str:
    """A bucket of its own for a test."""
    name = f"signed-{secrets.token_hex(6)}"
    s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": REGION})
    return name


def put_url(s3: Any, bucket: str, seconds: int = 300) -> str:
    """A URL to put an image."""
    parameters = {"Bucket": bucket, "Key": KEY, "ContentType": "image/tiff"}
    url: str = s3.generate_presigned_url("put_object", parameters, ExpiresIn=seconds)
    return url


def code(reply: requests.Response) -> tuple[int, str]:
    """Status and code of an error."""
    found = re.search(r"<Code>(\w+)</Code>", reply.text)
    return reply.status_code, found[1] if found else reply.text


def put(url: str, headers: dict[str, str] | None = None) -> requests.Response:
    """Puts an image with a plain client."""
    return requests.put(url, b"content", headers=TIFF if headers is None else headers, timeout=10)


def test_a_presigned_url_puts_and_gets(s3: Any, bucket: str) -> None:
    """presigned: what was signed works, whatever is in the key."""
    assert put(put_url(s3, bucket)).status_code == 200
    url = s3.generate_presigned_url("get_object", {"Bucket": bucket, "Key": KEY, "ResponseContentType": "a/b"})
    got = requests.get(url, timeout=10)
    assert (got.status_code, got.content, got.headers["Content-Type"]) == (200, b"content", "a/b")
    assert s3.head_object(Bucket=bucket, Key=KEY)["ContentType"] == "image/tiff"


@pytest.mark.parametrize(
    ("what", "change"),
    [
        ("another key", lambda url: url.replace("frame", "other")),
        ("another bucket", lambda url: url.replace("/signed-", "/signed-x")),
        ("a longer life", lambda url: url.replace("X-Amz-Expires=300", "X-Amz-Expires=301")),
        ("a parameter more", lambda url: f"{url}&versionId=1"),
        ("another signature", lambda url: re.sub(r"(Signature=)(.{4})", r"\1dead", url)),
        ("another signer", lambda url: url.replace("Credential=local", "Credential=someone")),
    ],
)
def test_a_changed_url_is_refused(s3: Any, bucket: str, what: str, change: Callable[[str], str]) -> None:
    """presigned: a URL says what it was signed for, and nothing else."""
    url = put_url(s3, bucket)
    assert change(url) != url, what
    reply = put(change(url))
    assert code(reply) == (403, "SignatureDoesNotMatch")


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({"Content-Type": "text/html"}, (403, "SignatureDoesNotMatch")),
        ({}, (403, "SignatureDoesNotMatch")),
        ({**TIFF, "x-amz-acl": "public-read"}, (403, "AccessDenied")),
    ],
)
def test_changed_headers_are_refused(s3: Any, bucket: str, headers: dict[str, str], expected: tuple[int, str]) -> None:
    """presigned: a signed header is as it was signed, and S3's own headers are signed."""
    assert code(put(put_url(s3, bucket), headers)) == expected


def test_a_method_is_signed_too(s3: Any, bucket: str) -> None:
    """presigned: a URL to put does not get or delete."""
    for method in ("GET", "DELETE"):
        reply = requests.request(method, put_url(s3, bucket), headers=TIFF, timeout=10)
        assert code(reply) == (403, "SignatureDoesNotMatch")
    assert requests.head(put_url(s3, bucket), headers=TIFF, timeout=10).status_code == 403


def test_an_expired_url_is_refused(s3: Any, bucket: str) -> None:
    """presigned: after its seconds a URL opens nothing."""
    url = put_url(s3, bucket, EXPIRED_S)
    time.sleep(EXPIRED_S + 1.1)
    reply = put(url)
    assert code(reply) == (403, "AccessDenied")
    assert "Request has expired" in reply.text


@pytest.mark.parametrize(
    "change",
    [
        lambda url: re.sub(r"&X-Amz-SignedHeaders=[^&]+", "", url),
        lambda url: re.sub(r"X-Amz-Expires=\d+", "X-Amz-Expires=604801", url),
        lambda url: re.sub(r"X-Amz-Expires=\d+", "X-Amz-Expires=soon", url),
        lambda url: re.sub(r"X-Amz-Date=\d{8}", "X-Amz-Date=20200101", url),
        lambda url: url.replace("AWS4-HMAC-SHA256", "AWS4-HMAC-SHA1"),
    ],
)
def test_a_malformed_url_is_refused(s3: Any, bucket: str, change: Callable[[str], str]) -> None:
    """presigned: what is no URL of S3's is told so."""
    assert code(put(change(put_url(s3, bucket)))) == (400, "AuthorizationQueryParametersError")


def test_an_older_signature_is_refused(standins: StandIns, bucket: str) -> None:
    """presigned: signature version 2 is none in ap-northeast-2."""
    url = put_url(standins.client("s3", signature_version="s3"), bucket)
    assert code(put(url)) == (400, "InvalidRequest")


def test_keys_that_iam_made_sign_with_their_own_secret(standins: StandIns, s3: Any, bucket: str) -> None:
    """presigned: an access key's secret is what IAM gave it."""
    iam = standins.client("iam")
    name = f"user-{secrets.token_hex(4)}"
    iam.create_user(UserName=name)
    key = iam.create_access_key(UserName=name)["AccessKey"]

    def signed_with(secret: str) -> str:
        config = Config(signature_version="s3v4")
        pair = {"aws_access_key_id": key["AccessKeyId"], "aws_secret_access_key": secret}
        return put_url(
            boto3.client("s3", endpoint_url=standins.aws_url, region_name=REGION, config=config, **pair), bucket
        )

    assert put(signed_with(key["SecretAccessKey"])).status_code == 200
    assert code(put(signed_with("local"))) == (403, "SignatureDoesNotMatch")
    assert s3.head_object(Bucket=bucket, Key=KEY)


def policy(s3: Any, bucket: str, seconds: int = 300) -> tuple[str, dict[str, str]]:
    """A presigned POST of an image of 3 to 10 bytes: its address and fields."""
    conditions = [
        {"Content-Type": "image/tiff"},
        ["content-length-range", 3, 10],
        ["starts-with", "$x-amz-meta-a", "b"],
    ]
    fields = {"Content-Type": "image/tiff", "x-amz-meta-a": "bc"}
    post = s3.generate_presigned_post(bucket, KEY, fields, conditions, seconds)
    return post["url"], post["fields"]


def post(url: str, fields: dict[str, str], content: bytes = b"content") -> requests.Response:
    """Posts a form as a browser does, the file last."""
    return requests.post(url, fields, files={"file": ("x.tif", content)}, timeout=10)


def test_a_form_that_its_policy_allows_is_stored(s3: Any, bucket: str) -> None:
    """post policy: the file becomes the object, with type and metadata of the form."""
    url, fields = policy(s3, bucket)
    reply = post(url, fields)
    assert (reply.status_code, reply.content) == (204, b"")
    stored = s3.get_object(Bucket=bucket, Key=KEY)
    metadata = {name.lower(): value for name, value in stored["Metadata"].items()}
    assert (stored["Body"].read(), stored["ContentType"], metadata) == (b"content", "image/tiff", {"a": "bc"})


@pytest.mark.parametrize(
    ("changed", "content", "expected", "says"),
    [
        ({"key": "other.tif"}, b"content", (403, "AccessDenied"), "Policy Condition failed"),
        ({"Content-Type": "text/html"}, b"content", (403, "AccessDenied"), "Policy Condition failed"),
        ({"x-amz-meta-a": "c"}, b"content", (403, "AccessDenied"), "Policy Condition failed"),
        ({"x-amz-meta-b": "c"}, b"content", (403, "AccessDenied"), "Extra input fields: x-amz-meta-b"),
        ({"acl": "public-read"}, b"content", (403, "AccessDenied"), "Extra input fields: acl"),
        ({}, b"eleven byte", (400, "EntityTooLarge"), "<MaxSizeAllowed>10</MaxSizeAllowed>"),
        ({}, b"ab", (400, "EntityTooSmall"), "<MinSizeAllowed>3</MinSizeAllowed>"),
        ({"x-amz-signature": "0" * 64}, b"content", (403, "SignatureDoesNotMatch"), ""),
        ({"x-amz-date": "20200101T000000Z"}, b"content", (400, "InvalidArgument"), ""),
        ({"x-amz-algorithm": "AWS2"}, b"content", (400, "InvalidRequest"), ""),
    ],
)
def test_a_form_that_its_policy_does_not_allow_is_refused(
    s3: Any, bucket: str, changed: dict[str, str], content: bytes, expected: tuple[int, str], says: str
) -> None:
    """post policy: key, type, metadata, size, signature: each is held to, and nothing is stored."""
    url, fields = policy(s3, bucket)
    reply = post(url, {**fields, **changed}, content)
    assert code(reply) == expected
    assert says in reply.text
    assert "Contents" not in s3.list_objects_v2(Bucket=bucket)


def test_a_policy_is_signed(s3: Any, bucket: str) -> None:
    """post policy: a policy that was widened is no longer the one that was signed; without one, nothing is taken."""
    url, fields = policy(s3, bucket)
    document = json.loads(b64decode(fields["policy"]))
    document["conditions"][1][2] = 10**9
    wider = b64encode(json.dumps(document).encode()).decode()
    assert code(post(url, {**fields, "policy": wider})) == (403, "SignatureDoesNotMatch")
    assert code(post(url, {"key": KEY})) == (403, "AccessDenied")


def test_an_expired_policy_is_refused(s3: Any, bucket: str) -> None:
    """post policy: after its end a form is refused."""
    url, fields = policy(s3, bucket, EXPIRED_S)
    time.sleep(EXPIRED_S + 1.1)
    reply = post(url, fields)
    assert code(reply) == (403, "AccessDenied")
    assert "Policy expired" in reply.text


def test_a_form_without_a_file_or_a_key_is_refused(s3: Any, bucket: str) -> None:
    """post policy: the file is there, and comes after the key."""
    url, fields = policy(s3, bucket)
    no_file = requests.post(url, files={name: (None, value) for name, value in fields.items()}, timeout=10)
    assert code(no_file) == (400, "InvalidArgument")
    parts = [("file", ("x.tif", b"content")), *((name, (None, value)) for name, value in fields.items())]
    assert code(requests.post(url, files=parts, timeout=10)) == (400, "InvalidArgument")
    broken = requests.post(url, b"nothing", headers={"Content-Type": "multipart/form-data; boundary=x"}, timeout=10)
    assert code(broken)[0] == 400


@pytest.fixture(scope="module")
def guarded() -> Iterator[tuple[StandIns, Authorizer]]:
    """Stand-ins that ask an authorizer."""
    with authorizing() as authorizer:
        process = start_standins("--aws-port", "0", "--gcp-port", "0", "--authorizer", authorizer.url)
        assert process.stdout
        (aws, gcp) = re.findall(r"http://127\.0\.0\.1:\d+", process.stdout.readline())
        yield StandIns(aws, gcp, 0), authorizer
        stop(process)


def test_what_is_presigned_can_do_what_its_signer_may(guarded: tuple[StandIns, Authorizer]) -> None:
    """presigned: IAM is asked about the signer, for a URL and for a form."""
    standins, authorizer = guarded
    standins.client("s3").create_bucket(Bucket="of-role", CreateBucketConfiguration={"LocationConstraint": REGION})
    pair = {"aws_access_key_id": "some_role", "aws_secret_access_key": "local"}
    config = Config(signature_version="s3v4", s3={"addressing_style": "path"})
    s3 = boto3.client("s3", endpoint_url=standins.aws_url, region_name=REGION, config=config, **pair)
    url, fields = policy(s3, "of-role")
    assert put(put_url(s3, "of-role")).status_code == 200
    assert post(url, fields).status_code == 204
    asked = [(each["principal"], each["operation"], each["parameters"]["Key"]) for each in authorizer.asked]
    assert asked == [("some_role", "PutObject", KEY)] * 2
    authorizer.denied = {"PutObject"}
    assert code(put(put_url(s3, "of-role"))) == (403, "AccessDenied")
    assert code(post(url, fields)) == (403, "AccessDenied")


PAGE = {"Origin": "https://page.test"}


def preflight(
    standins: StandIns, bucket: str, method: str, headers: str, origin: str = PAGE["Origin"]
) -> requests.Response:
    """Asks as a browser does before it sends a request to another origin."""
    asks = {"Origin": origin, "Access-Control-Request-Method": method, "Access-Control-Request-Headers": headers}
    return requests.options(f"{standins.aws_url}/{bucket}/{quote(KEY)}", headers=asks, timeout=10)


def test_cors_is_what_the_buckets_rules_say(standins: StandIns, s3: Any, bucket: str) -> None:
    """cors: origin, method and headers are held to the rules; answers, errors too, tell the browser so."""
    assert code(preflight(standins, bucket, "PUT", "content-type")) == (403, "AccessForbidden")
    rule = {
        "AllowedOrigins": ["https://*.test"],
        "AllowedMethods": ["PUT", "POST"],
        "AllowedHeaders": ["content-*"],
        "ExposeHeaders": ["ETag"],
        "MaxAgeSeconds": 60,
    }
    s3.put_bucket_cors(Bucket=bucket, CORSConfiguration={"CORSRules": [rule]})
    allowed = preflight(standins, bucket, "PUT", "content-type")
    assert allowed.status_code == 200
    assert allowed.headers["Access-Control-Allow-Origin"] == PAGE["Origin"]
    assert allowed.headers["Access-Control-Allow-Headers"] == "content-type"
    assert allowed.headers["Access-Control-Max-Age"] == "60"
    assert preflight(standins, bucket, "GET", "").status_code == 403
    assert preflight(standins, bucket, "PUT", "x-amz-acl").status_code == 403
    assert preflight(standins, bucket, "PUT", "", "http://page.test").status_code == 403

    stored = put(put_url(s3, bucket), {**TIFF, **PAGE})
    assert (stored.status_code, stored.headers["Access-Control-Expose-Headers"]) == (200, "ETag")
    refused = put(put_url(s3, bucket).replace("frame", "x"), {**TIFF, **PAGE})
    assert (refused.status_code, refused.headers["Access-Control-Allow-Origin"]) == (403, PAGE["Origin"])
    foreign = put(put_url(s3, bucket), {**TIFF, "Origin": "https://elsewhere.example"})
    assert foreign.status_code == 200
    assert "Access-Control-Allow-Origin" not in foreign.headers
