"""What a function with egress reaches, and what it does not: real containers, a real firewall, and an internet."""

import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from support.networks import MACHINE, METADATA, METADATA6, NAME, NAME_SERVER, PRIVATE, PUBLIC, OwnEngine, own_engine
from support.sandboxes import STEADY, Sandboxes, sandboxes_of

from nanogrid_worker.errors import ProtectionMissing
from nanogrid_worker.sandbox.protections import check_protections

NETWORK = "nanogrid-egress"

REACH = """
import socket, urllib.request
def attempt(method, address, headers={}):
    host = f'[{address}]' if ':' in address else address
    try:
        request = urllib.request.Request(f'http://{host}/', method=method, headers=headers)
        return urllib.request.urlopen(request, timeout=5).read().decode()
    except OSError as error:
        return getattr(getattr(error, 'reason', error), 'strerror', None) or str(error)
def gateway():
    routes = [line.split() for line in open('/proc/net/route').readlines()[1:]]
    default = next(route[2] for route in routes if route[1] == '00000000')
    return socket.inet_ntoa(bytes.fromhex(default)[::-1])
"""


@pytest.fixture(scope="module")
def engine(runtime_image: str) -> Iterator[OwnEngine]:
    """An engine whose machine has the egress network."""
    with own_engine() as made:
        made.load(runtime_image)
        made.egress_network("up")
        yield made


@pytest.fixture(scope="module")
def sandboxes(engine: OwnEngine, runtime_image: str) -> Iterator[Sandboxes]:
    """A pool on it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DOCKER_HOST", engine.host)
        with sandboxes_of(runtime_image, replace(STEADY, egress_network=NETWORK)) as made:
            yield made


@pytest.fixture(scope="module")
def open_network(engine: OwnEngine) -> str:
    """A network as the engine makes it when nobody cares."""
    engine.run("docker", "network", "create", "open")
    return "open"


def test_the_internet_is_there(engine: OwnEngine) -> None:
    """egress: the machine reaches all that functions on it must not; or the other tests would say nothing."""
    for address in (PUBLIC, PRIVATE, METADATA, METADATA6):
        host = f"[{address}]" if ":" in address else address
        get = f"import urllib.request as r; print(r.urlopen('http://{host}/', timeout=5).read().decode())"
        assert address in engine.run(sys.executable, "-c", get, no_proxy="*").stdout


def test_a_function_with_egress_reaches_the_internet_alone(sandboxes: Sandboxes) -> None:
    """egress: a function reaches a public server, and neither the metadata service nor anything private."""
    code = f"""{REACH}
def handler(event):
    token = {{'X-aws-ec2-metadata-token-ttl-seconds': '60'}}
    return {{
        'public': attempt('GET', '{PUBLIC}'),
        'name': attempt('GET', '{NAME}'),
        'metadata v1': attempt('GET', '{METADATA}'),
        'metadata v2': attempt('PUT', '{METADATA}', token),
        'metadata v6': attempt('GET', '{METADATA6}'),
        'private': attempt('GET', '{PRIVATE}'),
        'name server': attempt('GET', '{NAME_SERVER}'),
        'other link-local': attempt('GET', '169.254.170.2'),
        'worker': attempt('GET', gateway()),
        'worker outside': attempt('GET', '{MACHINE}'),
        'interfaces': [name for _, name in socket.if_nameindex()],
    }}
"""
    refused = "Connection refused"
    output = sandboxes.run(sandboxes.version(code, egress=True)).output
    assert output.pop("metadata v6") in {"Cannot assign requested address", "Network is unreachable"}
    assert output == {
        "public": f"::ffff:{PUBLIC}",
        "name": f"::ffff:{PUBLIC}",
        "metadata v1": refused,
        "metadata v2": refused,
        "private": refused,
        "name server": refused,
        "other link-local": refused,
        "worker": refused,
        "worker outside": refused,
        "interfaces": ["lo", "eth0"],
    }


def test_a_function_without_egress_reaches_nothing(sandboxes: Sandboxes) -> None:
    """egress: the same version without egress has a container of its own, and no network in it."""
    code = f"{REACH}\ndef handler(event): return [attempt('GET', '{PUBLIC}'), len(socket.if_nameindex())]"
    version = sandboxes.version(code, egress=True)
    assert sandboxes.run(version).output == [f"::ffff:{PUBLIC}", 2]
    without = sandboxes.run(replace(version, egress=False))
    assert (without.start, without.output) == ("cold", ["Network is unreachable", 1])


def test_functions_with_egress_do_not_reach_each_other(
    sandboxes: Sandboxes, open_network: str, engine: OwnEngine, runtime_image: str
) -> None:
    """egress: a function that listens is not reached by another one in the network; in a usual network it is."""
    assert knock(sandboxes) == "Connection refused"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DOCKER_HOST", engine.host)
        with sandboxes_of(runtime_image, replace(STEADY, egress_network=open_network)) as careless:
            assert knock(careless) == "reached"


def knock(sandboxes: Sandboxes) -> str:
    """What a function finds at another one's port."""
    listen = """
import socket
def handler(event):
    with socket.create_server(('0.0.0.0', 8000)) as server:
        print(socket.gethostbyname(socket.gethostname()), flush=True)
        server.settimeout(3)
        try:
            server.accept()
        except TimeoutError:
            pass
"""
    code = """
import socket
def handler(event):
    try:
        socket.create_connection((event, 8000), 3)
    except OSError as error:
        return error.strerror
    return 'reached'
"""
    knocking = sandboxes.version(code, egress=True)
    # Its container is there before the other one waits.
    sandboxes.run(knocking, "127.0.0.1")
    knocks: list[str] = []
    threads: list[threading.Thread] = []

    def on_log(data: bytes) -> None:
        address = data.decode().strip()
        threads.append(threading.Thread(target=lambda: knocks.append(sandboxes.run(knocking, address).output)))
        threads[-1].start()

    assert sandboxes.run(sandboxes.version(listen, egress=True), on_log=on_log).outcome.code == "ok"
    for thread in threads:
        thread.join(20)
    (found,) = knocks
    return found


def test_private_ranges_open_by_name_and_the_metadata_service_never(engine: OwnEngine, sandboxes: Sandboxes) -> None:
    """egress: EGRESS_ALLOWED_CIDRS opens what it lists, but neither the metadata service nor the machine itself."""
    addresses = [PUBLIC, PRIVATE, METADATA, MACHINE]
    code = f"{REACH}\ndef handler(event): return [attempt('GET', address) for address in {addresses}]"
    version = sandboxes.version(code, egress=True)
    closed = "Connection refused"
    try:
        engine.egress_network("up", EGRESS_ALLOWED_CIDRS=f"{PRIVATE}, 169.254.0.0/16, 198.51.100.0/24")
        assert sandboxes.run(version).output == [f"::ffff:{PUBLIC}", f"::ffff:{PRIVATE}", closed, closed]
    finally:
        engine.egress_network("up")
    assert sandboxes.run(version).output == [f"::ffff:{PUBLIC}", closed, closed, closed]


def test_the_script_may_run_at_any_time(engine: OwnEngine) -> None:
    """egress-network: a second up changes nothing, check sees what is missing, and up puts it right."""
    rules = engine.rules()
    engine.egress_network("up")
    assert engine.rules() == rules
    for damage, named in (
        (("iptables", "-D", "DOCKER-USER", "1"), "the first rule of DOCKER-USER"),
        (("iptables", "-D", "INPUT", "1"), "the first rule of INPUT"),
        (("iptables", "-I", "NG-EGRESS", "1", "-d", METADATA, "-j", "RETURN"), "the rules of NG-EGRESS"),
        (("ip6tables", "-D", "FORWARD", "1"), "the first rule of IPv6's FORWARD"),
    ):
        engine.run(*damage)
        checked = engine.egress_network("check", check=False)
        assert (checked.returncode, named in checked.stderr) == (1, True), checked.stderr
        engine.egress_network("up")
        engine.egress_network("check")
        assert engine.rules() == rules


def test_what_is_wrong_is_told(engine: OwnEngine) -> None:
    """egress-network: a range that is none, an unknown argument and a missing one are refused, and change nothing."""
    rules = engine.rules()
    for arguments, environment, told in (
        (["up"], {"EGRESS_ALLOWED_CIDRS": "10.0.0.0/40"}, "EGRESS_ALLOWED_CIDRS (10.0.0.0/40)"),
        (["up", "now"], {}, "unknown argument: now"),
        ([], {}, "expected up, down or check, got nothing"),
    ):
        script = str(Path(__file__).parents[3] / "userdata" / "worker" / "egress-network")
        done = engine.run(script, *arguments, check=False, **environment)
        assert (done.returncode, told in done.stderr) == (1, True), done.stderr
    assert engine.rules() == rules


def test_the_worker_starts_with_the_network_as_it_should_be(sandboxes: Sandboxes, runtime_image: str) -> None:
    """protections: the egress network and user namespaces pass, as they are here; the probe itself says so."""
    check_protections(
        sandboxes.engine,
        sandboxes.run_dir,
        sandboxes.work_dir,
        runtime_image,
        egress_network=NETWORK,
        require_user_namespaces=True,
    )


def test_the_worker_does_not_start_with_a_network_that_is_open(
    sandboxes: Sandboxes, open_network: str, runtime_image: str
) -> None:
    """protections: a network from which the metadata service answers, or that is not there, stops the worker."""
    for network, told in ((open_network, f"{METADATA} port 80"), ("missing", "network missing not found")):
        with pytest.raises(ProtectionMissing, match=told):
            check_protections(
                sandboxes.engine, sandboxes.run_dir, sandboxes.work_dir, runtime_image, egress_network=network
            )


def test_root_in_a_container_is_nobody_outside(sandboxes: Sandboxes) -> None:
    """sandbox: with user namespaces, neither a container's root nor its user has the id of anybody on this machine."""
    code = "def handler(event): return [open(f'/proc/self/{kind}_map').read().split() for kind in ('uid', 'gid')]"
    assert sandboxes.run(code).output == [["0", "200000", "65536"], ["0", "200000", "65536"]]


def test_down_leaves_nothing(engine: OwnEngine) -> None:
    """egress-network: down removes the network and every rule that up has made."""
    before = engine.rules("")
    engine.egress_network("up", EGRESS_NETWORK="other", EGRESS_BRIDGE="ng-other")
    assert "NG-OTHER" in engine.rules("")
    engine.egress_network("down", EGRESS_NETWORK="other", EGRESS_BRIDGE="ng-other")
    assert engine.rules("") == before
    assert "other" not in engine.run("docker", "network", "ls", "--format", "{{.Name}}").stdout
