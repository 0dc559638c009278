"""Callbacks: a job's result, posted to an address that a user named, which is never an address of ours.

The host is resolved once, every address that it has is checked, and the connection goes to the one that was checked: a
name that means something else a moment later changes nothing. Redirects are not followed, and no proxy is asked.
"""

import contextlib
import ipaddress
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as FutureTimeout
from dataclasses import dataclass
from http.client import HTTPException

from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import HTTPError, LocationParseError
from urllib3.util import Url, parse_url

from nanogrid_worker.log import logger
from nanogrid_worker.settings import Network

LIMIT_S = 10.0
MAX_REPLY_BYTES = 64 * 1024
MAX_ADDRESSES = 16
_PLAIN_ENVIRONMENTS = ("local", "dev", "test")
_LOOKUPS_AT_ONCE = 8
_PORTS = {"https": 443, "http": 80}
# IPv4 inside of IPv6 that a gateway of the network would unpack.
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Resolve = Callable[[str, int], list[str]]

log = logger(__name__)


class CallbackRefused(Exception):
    """An address that no result is sent to; the message says why."""


@dataclass(frozen=True)
class _Target:
    url: Url
    host: str
    port: int
    addresses: tuple[Address, ...]


class Callbacks:
    """Posts results.

    Args:
        environment: plain http is taken in local, dev and test alone.
        allowed: private ranges that are taken all the same.
        resolve: addresses of a host and port; the system's resolver if not given.
        limit_s: seconds that one delivery may take in all.
    """

    def __init__(
        self,
        environment: str,
        allowed: tuple[Network, ...],
        resolve: Resolve | None = None,
        limit_s: float = LIMIT_S,
    ) -> None:
        self._schemes = ("https", "http") if environment in _PLAIN_ENVIRONMENTS else ("https",)
        self._allowed = allowed
        self._resolve = resolve or _resolve
        self._limit_s = limit_s
        self._lookups = ThreadPoolExecutor(_LOOKUPS_AT_ONCE, thread_name_prefix="lookup")
        self._tls = ssl.create_default_context()

    def post(self, url: str, job_id: str, body: bytes) -> bool:
        """Posts a result once; False, and a line in the log, unless it was taken with a 2xx."""
        deadline = time.monotonic() + self._limit_s
        try:
            target = self._target(url, deadline)
            status = self._post(target, job_id, body, deadline)
        except CallbackRefused as refused:
            log.warning("callback refused", reason=str(refused))
            return False
        except (OSError, HTTPError, HTTPException) as error:
            log.warning("callback failed", error=repr(error))
            return False
        is_taken = 200 <= status < 300
        log.info("callback answered", status=status, taken=is_taken)
        return is_taken

    def close(self) -> None:
        """Waits for nothing that is still looked up."""
        self._lookups.shutdown(wait=False, cancel_futures=True)

    def _target(self, url: str, deadline: float) -> _Target:
        try:
            parts = parse_url(url)
        except LocationParseError as error:
            raise CallbackRefused(f"this is no URL: {error}") from None
        if parts.scheme is None or parts.scheme not in self._schemes:
            raise CallbackRefused(f"its scheme is {parts.scheme}; allowed is {' or '.join(self._schemes)}")
        if not parts.host or parts.auth:
            raise CallbackRefused("it has no host, or a user name")
        host = parts.host.strip("[]")
        port = parts.port or _PORTS[parts.scheme]
        addresses = tuple(ipaddress.ip_address(text) for text in self._addresses(host, port, deadline))
        if not addresses:
            raise CallbackRefused(f"{host} has no address")
        for address in addresses:
            if not self._is_outside(address):
                raise CallbackRefused(f"{host} has the address {address}, which is not on the internet")
        return _Target(parts, host, port, addresses[:MAX_ADDRESSES])

    def _addresses(self, host: str, port: int, deadline: float) -> list[str]:
        # The system's resolver has no time limit of its own.
        lookup: Future[list[str]] = self._lookups.submit(self._resolve, host, port)
        try:
            return lookup.result(max(0.0, deadline - time.monotonic()))
        except FutureTimeout:
            raise TimeoutError(f"{host} was not resolved in time") from None
        except UnicodeError as error:
            raise CallbackRefused(f"{host} is no name of a host: {error}") from None

    def _is_outside(self, address: Address) -> bool:
        inner = _unwrapped(address)
        if any(inner in network for network in self._allowed if network.version == inner.version):
            return True
        return inner.is_global and not inner.is_multicast and not inner.is_reserved

    def _post(self, target: _Target, job_id: str, body: bytes, deadline: float) -> int:
        failure: OSError | HTTPError = TimeoutError("no time was left")
        for address in target.addresses:
            if time.monotonic() > deadline:
                break
            connection = self._connection(target, address, deadline)
            with contextlib.closing(connection), _cut_off(connection, deadline):
                try:
                    connection.connect()
                except (OSError, HTTPError) as error:
                    failure = error
                    continue
                return _exchange(connection, target, job_id, body, deadline)
        raise failure

    def _connection(self, target: _Target, address: Address, deadline: float) -> HTTPConnection:
        timeout_s = max(0.1, deadline - time.monotonic())
        if target.url.scheme == "http":
            return HTTPConnection(str(address), target.port, timeout=timeout_s)
        return HTTPSConnection(
            str(address),
            target.port,
            timeout=timeout_s,
            ssl_context=self._tls,
            server_hostname=target.host,
        )


def _exchange(connection: HTTPConnection, target: _Target, job_id: str, body: bytes, deadline: float) -> int:
    headers = {
        "Host": target.url.netloc or target.host,
        "Content-Type": "application/json",
        "User-Agent": "NanoGrid",
        "NanoGrid-Job-Id": job_id,
    }
    connection.request("POST", target.url.request_uri, body=body, headers=headers, preload_content=False)
    reply = connection.getresponse()
    if time.monotonic() >= deadline:
        # What was cut off in the middle of its head looks like a reply all the same.
        raise TimeoutError("no reply in time")
    # Read, so that the other side may finish what it says; what it says is of no interest.
    with contextlib.suppress(OSError, HTTPError):
        reply.read(MAX_REPLY_BYTES, decode_content=False)
    return reply.status


@contextlib.contextmanager
def _cut_off(connection: HTTPConnection, deadline: float) -> Iterator[None]:
    """Ends a connection at the deadline, however little by little the other side speaks."""

    def cut() -> None:
        if connection.sock is not None:
            with contextlib.suppress(OSError):
                connection.sock.shutdown(socket.SHUT_RDWR)

    timer = threading.Timer(max(0.0, deadline - time.monotonic()), cut)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _unwrapped(address: Address) -> Address:
    """The address that a packet would go to in the end."""
    if isinstance(address, ipaddress.IPv4Address):
        return address
    if address in _NAT64:
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    teredo = address.teredo[1] if address.teredo else None
    return address.ipv4_mapped or address.sixtofour or teredo or address


def _resolve(host: str, port: int) -> list[str]:
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    # A zone (fe80::1%eth0) is part of no address on the internet.
    return [str(entry[4][0]).partition("%")[0] for entry in found]
