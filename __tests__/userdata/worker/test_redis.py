"""Redis as ElastiCache has it: TLS, and a token of IAM as the password."""

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
import redis
from support.processes import Server, free_port

from nanogrid_worker.settings import Settings
from nanogrid_worker.status import IamToken, StatusBoard

USER = "nanogrid-worker"


@pytest.fixture
def tls_redis(scratch: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """A Redis that speaks TLS alone and knows the worker's user, its passwords unchecked."""
    if shutil.which("redis-server") is None or shutil.which("openssl") is None:
        pytest.skip("redis-server or openssl is missing")
    folder = scratch / "tls"
    folder.mkdir(exist_ok=True)
    subject = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]
    key: list[str | Path] = [
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:prime256v1",
        "-nodes",
        "-keyout",
        folder / "key.pem",
    ]
    subprocess.run(
        ["openssl", "req", "-x509", *key, "-out", folder / "cert.pem", "-days", "1", *subject],
        check=True,
        capture_output=True,
        timeout=30,
    )
    port = free_port()
    certificates = ["--tls-cert-file", "cert.pem", "--tls-key-file", "key.pem", "--tls-ca-cert-file", "cert.pem"]
    arguments = ["redis-server", "--port", "0", "--tls-port", str(port), "--tls-auth-clients", "no", "--save", ""]
    users = ["--user", USER, "on", "nopass", "~*", "&*", "+@all", "--user", "default", "off"]
    monkeypatch.setenv("SSL_CERT_FILE", str(folder / "cert.pem"))
    with Server([*arguments, "--dir", str(folder), *certificates, *users], folder / "redis.log", port):
        yield port


@pytest.fixture
def signed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Credentials to sign with."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.setenv("AWS_SESSION_TOKEN", "session")


@pytest.mark.usefixtures("signed")
def test_a_token_is_a_presigned_connect_request() -> None:
    """redis: the token is a presigned request to connect, for the cache and the user, good for 15 minutes."""
    user, token = IamToken(USER, "nanogrid-redis", "ap-northeast-2").get_credentials()
    parts = urlsplit(f"//{token}")
    query = {name: values[0] for name, values in parse_qs(parts.query).items()}
    assert user == USER
    assert (parts.netloc, parts.path) == ("nanogrid-redis", "/")
    assert (query["Action"], query["User"], query["X-Amz-Expires"]) == ("connect", USER, "900")
    assert query["X-Amz-Credential"].endswith("/ap-northeast-2/elasticache/aws4_request")
    assert query["X-Amz-Security-Token"] == "session"
    assert len(query["X-Amz-Signature"]) == 64


@pytest.mark.usefixtures("signed")
def test_status_is_told_over_tls_as_the_iam_user_and_again_after_a_disconnect(tls_redis: int) -> None:
    """redis: status is told over TLS as the IAM user, and again after the server has hung up."""
    settings = Settings.model_construct(
        redis_host="localhost",
        redis_port=tls_redis,
        redis_tls=True,
        redis_user=USER,
        redis_cache_name="nanogrid-redis",
        aws_region="ap-northeast-2",
    )
    board = StatusBoard(settings)
    reader = redis.Redis("localhost", tls_redis, username=USER, password="any", ssl=True)
    board.status("job_1", "PROCESSING")
    assert b'"PROCESSING"' in (reader.get("nanogrid:job:job_1") or b"")
    assert [client["user"] for client in reader.client_list() if client["name"] == "nanogrid-worker"] == [USER]
    for client in reader.client_list():
        if client["name"] == "nanogrid-worker":
            reader.client_kill_filter(_id=client["id"])
    board.status("job_1", "SUCCESS")
    assert b'"SUCCESS"' in (reader.get("nanogrid:job:job_1") or b"")
    board.close()
