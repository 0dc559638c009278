"""Callbacks go to the internet alone, whatever a URL or a name server says."""

import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Iterator
from ipaddress import ip_network
from pathlib import Path

import pytest
from structlog.testing import capture_logs
from support.servers import Recorder, black_hole, recording

from nanogrid_worker.callbacks import Callbacks

LOOPBACK = (ip_network("127.0.0.0/8"),)


@pytest.fixture
def server() -> Iterator[Recorder]:
    """A server on loopback."""
    with recording() as recorder:
        yield recorder


def refusal(url: str, *addresses: str) -> str:
    """Why a callback is refused, with a name server that gives these addresses; empty if it is not."""
    callbacks = Callbacks("dev", (), (lambda _host, _port: list(addresses)) if addresses else None, limit_s=3)
    with capture_logs() as logs:
        assert callbacks.post(url, "job", b"{}") is False
    return "".join(str(entry.get("reason", "")) for entry in logs)


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "10.0.20.100",
        "172.16.0.1",
        "192.168.1.1",
        "100.64.0.1",
        "169.254.169.254",
        "0.0.0.0",  # noqa: S104 (an address that is refused)
        "224.0.0.1",
        "239.1.1.1",
        "255.255.255.255",
        "240.0.0.1",
        "::1",
        "::",
        "fe80::1",
        "fc00::1",
        "fd00:ec2::254",
        "ff02::1",
        "::ffff:127.0.0.1",
        "::ffff:169.254.169.254",
        "64:ff9b::a9fe:a9fe",
        "2002:7f00:1::",
        "2001:db8::1",
    ],
)
def test_a_name_with_an_address_that_is_not_on_the_internet_is_refused(address: str) -> None:
    """callbacks: a name with an address that is not on the internet is refused, in any of its spellings."""
    assert "not on the internet" in refusal("http://callback.test/", address)


def test_one_bad_address_among_good_ones_is_enough() -> None:
    """callbacks: one bad address among good ones is enough to refuse a name."""
    assert "10.0.0.1" in refusal("http://callback.test/", "93.184.215.14", "10.0.0.1")


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1/",
        "http://127.1/",
        "http://2130706433/",
        "http://0x7f000001/",
        "http://017700000001/",
        "http://localhost/",
        "http://[::1]/",
        "http://[::ffff:7f00:1]/",
        "http://0/",
    ],
)
def test_loopback_is_refused_however_it_is_written(url: str) -> None:
    """callbacks: loopback is refused however it is written."""
    assert "not on the internet" in refusal(url)


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("ftp://example.com/", "scheme"),
        ("file:///etc/passwd", "scheme"),
        ("gopher://example.com/", "scheme"),
        ("http://user:password@example.com/", "user name"),
        ("http:///nowhere", "no host"),
        ("example.com", "scheme"),
        ("http://exa mple.com/", ""),
        ("http://example.com:99999/", ""),
    ],
)
def test_what_is_no_url_for_a_callback_is_refused(url: str, why: str) -> None:
    """callbacks: what is no URL for a callback is refused."""
    assert why in (refusal(url, "93.184.215.14") or "-")


def test_plain_http_is_refused_where_it_matters() -> None:
    """callbacks: plain http is refused outside of local, dev and test."""
    callbacks = Callbacks("prod", LOOPBACK, lambda _host, _port: ["127.0.0.1"])
    with capture_logs() as logs:
        assert callbacks.post("http://callback.test/", "job", b"{}") is False
    assert "scheme" in logs[0]["reason"]


def test_a_name_is_resolved_once_and_the_connection_goes_to_what_was_checked(server: Recorder) -> None:
    """callbacks: a name that changes its meaning after the check leads nowhere else."""
    answers = iter([["127.0.0.1"], ["127.0.0.2"], ["127.0.0.2"]])
    asked = []

    def rebinding(host: str, _port: int) -> list[str]:
        asked.append(host)
        return next(answers)

    callbacks = Callbacks("dev", LOOPBACK, rebinding)
    assert callbacks.post(f"http://callback.test:{server.port}/path?q=1", "job_1", b'{"a":1}')
    assert asked == ["callback.test"]
    (request,) = server.requests
    assert (request.path, request.json()) == ("/path?q=1", {"a": 1})
    assert request.headers["Host"] == f"callback.test:{server.port}"


def test_redirects_are_not_followed(server: Recorder) -> None:
    """callbacks: a redirect is no 2xx, and is not followed."""
    with recording() as inner:
        server.status, server.headers = (302, {"Location": f"{inner.url}/latest/meta-data/"})
        assert not Callbacks("dev", LOOPBACK).post(server.url, "job", b"{}")
        assert inner.requests == []
    assert len(server.requests) == 1


def test_proxies_of_the_environment_are_not_used(server: Recorder, monkeypatch: pytest.MonkeyPatch) -> None:
    """callbacks: a proxy of the environment is not used."""
    with recording() as proxy:
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, proxy.url)
        assert Callbacks("dev", LOOPBACK).post(server.url, "job", b"{}")
        assert proxy.requests == []


def test_a_server_that_says_nothing_costs_no_more_than_the_limit() -> None:
    """callbacks: a server that says nothing costs no more than the limit."""
    with black_hole() as port:
        started = time.monotonic()
        assert not Callbacks("dev", LOOPBACK, limit_s=1).post(f"http://127.0.0.1:{port}/", "job", b"{}")
        assert time.monotonic() - started < 5


def test_a_server_that_drips_costs_no_more_than_the_limit() -> None:
    """callbacks: a server that answers a byte at a time costs no more than the limit."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]

        def drip() -> None:
            connection, _ = listener.accept()
            try:
                connection.sendall(b"HTTP/1.1 200 OK\r\nX: ")
                while True:
                    connection.sendall(b"x")
                    time.sleep(0.05)
            except OSError:
                connection.close()

        threading.Thread(target=drip, daemon=True).start()
        started = time.monotonic()
        assert not Callbacks("dev", LOOPBACK, limit_s=1).post(f"http://127.0.0.1:{port}/", "job", b"{}")
        assert time.monotonic() - started < 5


def test_a_resolver_that_hangs_costs_no_more_than_the_limit() -> None:
    """callbacks: a name server that does not answer costs no more than the limit."""

    def hanging(_host: str, _port: int) -> list[str]:
        time.sleep(5)
        return ["127.0.0.1"]

    started = time.monotonic()
    assert not Callbacks("dev", LOOPBACK, hanging, limit_s=0.5).post("http://callback.test/", "job", b"{}")
    assert time.monotonic() - started < 4


def test_a_large_answer_is_not_read(server: Recorder) -> None:
    """callbacks: an answer is not read beyond its first 64 KiB, and counts by its status."""
    server.body = b"x" * (8 * 1024 * 1024)
    assert Callbacks("dev", LOOPBACK).post(server.url, "job", b"{}")


def test_tls_is_checked_for_the_name_and_not_for_the_address(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """callbacks: https checks the certificate for the host's name; one for another name is refused."""
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"),
            *("-keyout", tmp_path / "key.pem", "-out", tmp_path / "cert.pem", "-days", "1"),
            *("-subj", "/CN=callback.test", "-addext", "subjectAltName=DNS:callback.test"),
        ],
        check=True,
        capture_output=True,
        timeout=30,
    )
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "cert.pem"))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "cert.pem", tmp_path / "key.pem")
    with recording(wrap=lambda sock: context.wrap_socket(sock, server_side=True)) as server:
        callbacks = Callbacks("prod", LOOPBACK, lambda _host, _port: ["127.0.0.1"])
        assert callbacks.post(f"https://callback.test:{server.port}/", "job", b"{}")
        assert not callbacks.post(f"https://other.test:{server.port}/", "job", b"{}")
        assert not callbacks.post(f"https://127.0.0.1:{server.port}/", "job", b"{}")
    assert len(server.requests) == 1
