"""The stand-ins' process: ports, stopping, what it says about itself, and Terraform's way to it."""

from __future__ import annotations

import re
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from wsgiref.types import StartResponse, WSGIEnvironment

import pytest
import requests
from botocore.exceptions import ClientError
from conftest import StandIns, start_standins, stop

from standins.host import Listener


@pytest.mark.parametrize("option", ["--aws-port", "--gcp-port"])
def test_a_port_that_is_taken_is_named_and_nothing_starts(option: str) -> None:
    """standins: a port that is taken is named, with the option that changes it, and nothing starts."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        other = "--gcp-port" if option == "--aws-port" else "--aws-port"
        process = start_standins(option, str(port), other, "0")
        output, errors = process.communicate(timeout=20)
    assert process.returncode == 1
    assert f"port {port} on 127.0.0.1" in errors
    assert option in errors
    assert "Traceback" not in errors
    assert output == ""


def test_sigterm_stops_at_once_and_leaves_no_pid_file(tmp_path: Path) -> None:
    """standins: SIGTERM stops them cleanly, and the pid file is there exactly as long as they answer."""
    pid_file = tmp_path / "pid"
    process = start_standins("--aws-port", "0", "--gcp-port", "0", "--pid-file", str(pid_file))
    assert process.stdout
    url = re.findall(r"http://\S+:\d+", process.stdout.readline())[0]
    assert pid_file.read_text().strip() == str(process.pid)
    assert requests.get(f"{url}/standins/health", timeout=5).status_code == 200
    began = time.monotonic()
    assert stop(process) == 0
    assert time.monotonic() - began < 5
    assert not pid_file.exists()
    with pytest.raises(requests.ConnectionError):
        requests.get(f"{url}/standins/health", timeout=5)


def test_a_wrong_option_is_explained() -> None:
    """standins: a wrong option says what was expected and what came."""
    process = start_standins("--account", "12345")
    _, errors = process.communicate(timeout=20)
    assert process.returncode == 2
    assert "expected an AWS account id of 12 digits, got '12345'" in errors


def test_both_ports_say_who_answers(standins: StandIns) -> None:
    """standins: both ports give one instance id, so that a restart, which forgets everything, can be seen."""
    aws, gcp = (
        requests.get(f"{url}/standins/health", timeout=5).json() for url in (standins.aws_url, standins.gcp_url)
    )
    assert aws["instance"] == gcp["instance"]
    assert aws["status"] == "ok"
    assert aws["uptime_s"] > 0
    assert aws["version"]


def test_any_host_reaches_aws_through_it_as_a_proxy(standins: StandIns) -> None:
    """standins: a request to any host name reaches the AWS stand-in when it is the proxy, as Terraform's do."""
    reply = requests.get("http://anything.aws.test/standins/health", proxies={"http": standins.aws_url}, timeout=5)
    assert reply.json()["aws"] == standins.aws_url


def test_forty_connections_are_kept_alive_at_once(standins: StandIns) -> None:
    """standins: forty clients at once, each with many requests on one connection, all get their answers."""

    def many(number: int) -> int:
        table = standins.client("dynamodb")
        return sum(table.list_tables()["ResponseMetadata"]["HTTPStatusCode"] == 200 for _ in range(10 + number % 3))

    with ThreadPoolExecutor(40) as pool:
        assert sum(pool.map(many, range(40))) == sum(10 + number % 3 for number in range(40))


def test_an_answer_leaves_in_one_piece() -> None:
    """standins: an answer leaves in one piece: Terraform's AWS provider hangs up between the pieces at times."""

    def slowly(_environ: WSGIEnvironment, start_response: StartResponse) -> Iterator[bytes]:
        start_response("200 OK", [("Content-Length", "10")])
        yield b"first"
        time.sleep(0.2)
        yield b"later"

    listener = Listener("aws", 0)
    listener.serve(slowly)
    try:
        with socket.create_connection(("127.0.0.1", listener.port), timeout=5) as connection:
            connection.sendall(b"GET / HTTP/1.1\r\nHost: standins\r\n\r\n")
            assert connection.recv(65536).endswith(b"\r\n\r\nfirstlater")
    finally:
        listener.close()


@pytest.mark.parametrize(("service", "call"), [("ec2", "describe_scheduled_instances"), ("cloudwatch", "get_dataset")])
def test_what_is_lacking_is_said_quickly_and_remembered(standins: StandIns, service: str, call: str) -> None:
    """standins: an operation that they lack is answered with 501, which no SDK retries, and listed."""
    client: Any = standins.client(service)
    if not hasattr(client, call):
        pytest.skip(f"this boto3 has no {service}.{call}")
    operation = client.meta.method_to_api_mapping[call]
    shape = client.meta.service_model.operation_model(operation).input_shape
    parameters = dict.fromkeys(shape.required_members if shape else [], "x")
    with pytest.raises(ClientError) as caught:
        getattr(client, call)(**parameters)
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 501
    assert caught.value.response["Error"]["Code"] == "NotImplemented"
    assert operation in caught.value.response["Error"]["Message"]
    listed = requests.get(f"{standins.aws_url}/standins/unsupported", timeout=5).json()
    assert any(operation in entry["operation"] and entry["status"] == 501 for entry in listed)
