"""A Docker engine with a network of its own, and an internet behind it, which this machine's own network never notices.

Two network namespaces and a cable between them. In the first, the engine: its bridges, routes and firewall are there.
In the second, `answer.py` plays all that may be out there: a public server, the instance metadata service, a private
network, and the name server that the engine's machine uses.
"""

import contextlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from support.processes import wait_until

EGRESS_NETWORK = Path(__file__).parents[4] / "userdata" / "worker" / "egress-network"
ANSWER = Path(__file__).parent / "answer.py"

PUBLIC, PRIVATE, NAME_SERVER, METADATA, METADATA6 = (
    "203.0.113.10",
    "10.98.7.6",
    "10.98.0.53",
    "169.254.169.254",
    "fd00:ec2::254",
)
NAME = "a-public-server.test"
# The engine's machine, as the internet sees it.
MACHINE = "198.51.100.1"

_START_TIMEOUT_S = 60
_COMMAND_TIMEOUT_S = 120
# Ids that root and others of a container have outside of it.
_SUBORDINATE_IDS = "200000:65536"


class OwnEngine:
    """The engine, with user namespaces: root in its containers is nobody on this machine.

    Attributes:
        host: its address, as DOCKER_HOST.
    """

    def __init__(self, folder: Path) -> None:
        self.host = f"unix://{folder / 'docker.sock'}"
        name = f"ng-{uuid.uuid4().hex[:8]}"
        self._folder = folder
        self._machine, self._internet = f"{name}-m", f"{name}-i"
        self._closing = contextlib.ExitStack()
        with contextlib.ExitStack() as stack:
            # The root of containers has to get through. Thousands of files for half a minute are no work for a disk.
            _run("mount", "-t", "tmpfs", "-o", "mode=0711", name, str(folder))
            stack.callback(_run, "umount", "--lazy", str(folder))
            self._lay_cable(stack)
            stack.enter_context(
                _process(
                    ["ip", "netns", "exec", self._internet, sys.executable, str(ANSWER), NAME_SERVER, PUBLIC],
                    folder / "answer.log",
                )
            )
            self._daemon = stack.enter_context(_process(self._engine_command(), folder / "dockerd.log"))
            wait_until(self._answers, _START_TIMEOUT_S, f"the engine answers; see {folder / 'dockerd.log'}")
            self._closing = stack.pop_all()

    def close(self) -> None:
        """Ends all of it."""
        self._closing.close()

    def run(self, *command: str, check: bool = True, **environment: str) -> subprocess.CompletedProcess[str]:
        """Runs a command on the engine's machine."""
        inside = ["nsenter", "--target", str(self._daemon.pid), "--net", "--mount", *command]
        done = subprocess.run(
            inside,
            env={**os.environ, "DOCKER_HOST": self.host, **environment},
            capture_output=True,
            text=True,
            timeout=_COMMAND_TIMEOUT_S,
            check=False,
        )
        assert not check or done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
        return done

    def egress_network(self, command: str, check: bool = True, **environment: str) -> subprocess.CompletedProcess[str]:
        """Runs the script under test."""
        return self.run(str(EGRESS_NETWORK), command, check=check, **environment)

    def rules(self, word: str = "ng-egress") -> str:
        """The machine's firewall rules with a word in it, in small letters or capitals, for IPv4 and IPv6."""
        rules = self.run("iptables", "-S").stdout + self.run("ip6tables", "-S").stdout
        return "\n".join(line for line in rules.splitlines() if word in line.lower())

    def load(self, image: str) -> None:
        """Takes an image over from the engine of the other tests."""
        with subprocess.Popen(["docker", "save", image], stdout=subprocess.PIPE) as saving:
            subprocess.run(
                ["docker", "load", "--quiet"],
                env={**os.environ, "DOCKER_HOST": self.host},
                stdin=saving.stdout,
                check=True,
                capture_output=True,
                timeout=_COMMAND_TIMEOUT_S,
            )

    def _lay_cable(self, stack: contextlib.ExitStack) -> None:
        for namespace in (self._machine, self._internet):
            _run("ip", "netns", "add", namespace)
            stack.callback(_run, "ip", "netns", "delete", namespace)
        _run("ip", "-n", self._machine, "link", "add", "out", "type", "veth", "peer", "out", "netns", self._internet)
        for namespace, own, other in ((self._machine, "1", "2"), (self._internet, "2", "1")):
            for address in (f"198.51.100.{own}/24", f"2001:db8::{own}/64"):
                _run("ip", "-n", namespace, "address", "add", address, "dev", "out", *_without_detection(address))
            for link in ("lo", "out"):
                _run("ip", "-n", namespace, "link", "set", link, "up")
            _run("ip", "-n", namespace, "route", "add", "default", "via", f"198.51.100.{other}")
            _run("ip", "-n", namespace, "-6", "route", "add", "default", "via", f"2001:db8::{other}")
        for address in (PUBLIC, PRIVATE, NAME_SERVER, METADATA, METADATA6):
            _run("ip", "-n", self._internet, "address", "add", address, "dev", "lo", *_without_detection(address))

    def _engine_command(self) -> list[str]:
        settings = self._folder / "daemon.json"
        values = {
            "hosts": [self.host],
            "data-root": str(self._folder / "data"),
            "exec-root": str(self._folder / "exec"),
            "pidfile": str(self._folder / "pid"),
            "bridge": "none",
            "userns-remap": "nobody:nogroup",
            "log-level": "warn",
        }
        settings.write_text(json.dumps(values))
        files = {
            "/etc/subuid": f"nobody:{_SUBORDINATE_IDS}\n",
            "/etc/subgid": f"nobody:{_SUBORDINATE_IDS}\n",
            "/etc/resolv.conf": f"nameserver {NAME_SERVER}\n",
        }
        script = ["set -e"]
        for path, text in files.items():
            own = self._folder / Path(path).name
            own.write_text(text)
            script.append(f"[ -e {path} ] || touch {path}; mount --bind {own} {path}")
        script.append(f"exec dockerd --config-file {settings}")
        # `ip netns exec` would hide the control groups.
        return ["nsenter", f"--net=/run/netns/{self._machine}", "unshare", "--mount", "sh", "-c", "\n".join(script)]

    def _answers(self) -> bool:
        assert self._daemon.poll() is None, f"the engine has ended:\n{(self._folder / 'dockerd.log').read_text()}"
        command = ["docker", "version"]
        environment = {**os.environ, "DOCKER_HOST": self.host}
        return subprocess.run(command, env=environment, capture_output=True, timeout=10, check=False).returncode == 0


@contextmanager
def own_engine() -> Iterator[OwnEngine]:
    """An engine for the tests of a module; skips them, and says why, where none can be started."""
    missing = [
        program for program in ("dockerd", "ip", "iptables", "nsenter", "unshare") if shutil.which(program) is None
    ]
    if os.geteuid() != 0 or missing:
        pytest.skip(f"an engine in a network namespace needs root and {', '.join(missing) or 'nothing else'}")
    folder = Path(tempfile.mkdtemp(prefix="nge-"))
    try:
        made = OwnEngine(folder)
        try:
            yield made
        finally:
            made.close()
    finally:
        folder.rmdir()


def _without_detection(address: str) -> tuple[str, ...]:
    """An IPv6 address is usable at once where nobody looks for its double."""
    return ("nodad",) if ":" in address else ()


def _run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, timeout=_COMMAND_TIMEOUT_S, check=False)
    assert done.returncode == 0, f"{command}: {done.stderr}"


@contextmanager
def _process(command: list[str], log: Path) -> Iterator[subprocess.Popen[bytes]]:
    with log.open("wb") as output, subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT) as process:
        try:
            yield process
        finally:
            process.terminate()
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()
