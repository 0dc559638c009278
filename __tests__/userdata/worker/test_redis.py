"""Redis as ElastiCache has it: TLS, and a token of IAM as the password."""

import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
import redis
from support.clouds import Grid
from support.processes import Server, free_port, wait_until
from support.worker import WORKER_FOLDER, Worker, WorkerOptions

from nanogrid_worker.redis_client import IamToken, connect_redis
from nanogrid_worker.settings import Settings
from nanogrid_worker.status import StatusBoard
from nanogrid_worker.teller import Teller

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
    teller = Teller(connect_redis(settings, "nanogrid-worker"))
    board = StatusBoard(teller)
    reader = redis.Redis("localhost", tls_redis, username=USER, password="any", ssl=True)
    board.result({"job_id": "job_1", "status": "SUCCESS", "finished_at": "1"})
    assert b'"finished_at":"1"' in (reader.get("nanogrid:job:job_1") or b"")
    assert [client["user"] for client in reader.client_list() if client["name"] == "nanogrid-worker"] == [USER]
    for client in reader.client_list():
        if client["name"] == "nanogrid-worker":
            reader.client_kill_filter(_id=client["id"])
    board.result({"job_id": "job_1", "status": "SUCCESS", "finished_at": "2"})
    assert b'"finished_at":"2"' in (reader.get("nanogrid:job:job_1") or b"")
    teller.close()


def test_the_workers_redis_user_may_do_all_that_the_worker_does(grid: Grid, runtime_image: str, scratch: Path) -> None:
    """redis: the access string of the worker's user allows all that a worker does with a job, and no more."""
    text = (WORKER_FOLDER / "permissions.ts").read_text()
    (access,) = re.findall(r"WORKER_REDIS_ACCESS =\s*((?:\"[^\"]*\"[\s+]*)+);", text)
    rules = "".join(re.findall(r"\"([^\"]*)\"", access)).split()
    port = free_port()
    arguments = ["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", str(scratch)]
    users = [
        "--user",
        "default",
        "resetchannels",
        "nopass",
        *rules,
        "--user",
        "tests",
        "on",
        "nopass",
        "~*",
        "&*",
        "+@all",
    ]
    with (
        Server([*arguments, *users], scratch / "redis-user.log", port),
        Worker(grid, runtime_image, scratch, WorkerOptions({"REDIS_PORT": str(port)})) as worker,
    ):
        worker.wait_ready()
        job_id = grid.submit("def handler(event): print('text')\n")
        grid.result(job_id)
        tests = redis.Redis(port=port, username="tests", password="any")
        wait_until(lambda: tests.exists(f"nanogrid:job:{job_id}"), 10, "the result is told")
        assert tests.get(f"nanogrid:job:{job_id}:log:1") == b"text\n"
        assert len(tests.hgetall("nanogrid:workers")) == 1
        assert tests.publish("nanogrid:cancel", "nobody") == 1
        worker.terminate()
        assert tests.hgetall("nanogrid:workers") == {}
        assert worker.logged("Redis was not told") == worker.logged("cancellations are not heard") == []
        with pytest.raises(redis.exceptions.NoPermissionError):
            redis.Redis(port=port).flushall()
        with pytest.raises(redis.exceptions.NoPermissionError):
            redis.Redis(port=port).get("other")
