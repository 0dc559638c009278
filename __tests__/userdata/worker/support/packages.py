"""A package index and registry on an address that the sandboxes' network reaches, with packages made by the tests."""

import base64
import gzip
import hashlib
import io
import json
import os
import shutil
import subprocess
import tarfile
import threading
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

EGRESS_SCRIPT = Path(__file__).parents[4] / "userdata" / "worker" / "egress-network"
# Of this process' own, since others may test on the same machine.
NETWORK = f"ng-builds-{os.getpid()}"
BRIDGE = f"ngb{os.getpid()}"
ADDRESS = f"10.231.{os.getpid() >> 8 & 255}.{os.getpid() & 255}"
COMMAND_TIMEOUT_S = 60


@contextmanager
def build_network() -> Iterator[str]:
    """A network as builds have it in production, but for one private address: ADDRESS, where the index listens."""
    if os.geteuid() != 0 or shutil.which("iptables") is None or shutil.which("ip") is None:
        pytest.skip("the network of builds needs root, iptables and iproute2")
    environment = {
        **os.environ,
        "EGRESS_NETWORK": NETWORK,
        "EGRESS_BRIDGE": BRIDGE,
        "EGRESS_ALLOWED_CIDRS": f"{ADDRESS}/32",
    }

    def command(*arguments: str | Path, check: bool = True) -> None:
        subprocess.run(arguments, check=check, env=environment, timeout=COMMAND_TIMEOUT_S)

    try:
        # On loopback, since that is always there: what counts for the firewall is that it is this machine's.
        command("ip", "address", "replace", f"{ADDRESS}/32", "dev", "lo")
        command(EGRESS_SCRIPT, "up")
        yield NETWORK
    finally:
        command(EGRESS_SCRIPT, "down", check=False)
        command("ip", "address", "delete", f"{ADDRESS}/32", "dev", "lo", check=False)


class PackageServer:
    """Serves files by path at ADDRESS, and keeps what was asked for.

    Attributes:
        url: where it listens.
        network: the network from which it is reached.
        files: content by path, without a slash at the end.
        asked: the paths that were asked for.
    """

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.asked: list[str] = []
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                server.asked.append(self.path)
                content = server.files.get(self.path.rstrip("/"))
                self.send_response(404 if content is None else 200)
                kind = "text/html" if self.path.endswith("/") else "application/octet-stream"
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(content or b"")))
                self.end_headers()
                self.wfile.write(content or b"")

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (the library's name)
                """Stays silent."""

        self._server = ThreadingHTTPServer((ADDRESS, 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever)
        self._thread.start()
        self.url = f"http://{ADDRESS}:{self._server.server_port}"
        self.network = NETWORK

    @property
    def python_index_url(self) -> str:
        """What pip is given."""
        return f"{self.url}/simple/"

    def add_python(self, project: str, file_name: str, content: bytes) -> None:
        """Publishes a wheel or an sdist, the only one of its project."""
        self.files[f"/files/{file_name}"] = content
        self.files[f"/simple/{project}"] = f'<a href="/files/{file_name}">{file_name}</a>'.encode()

    def add_node(self, name: str, version: str, files: dict[str, str], **manifest: object) -> None:
        """Publishes an npm package, the only version of it."""
        described = {"name": name, "version": version, **manifest}
        tarball = tar_gz({f"package/{k}": v for k, v in {"package.json": json.dumps(described), **files}.items()})
        self.files[f"/tarballs/{name}-{version}.tgz"] = tarball
        integrity = "sha512-" + base64.b64encode(hashlib.sha512(tarball).digest()).decode()
        dist = {"tarball": f"{self.url}/tarballs/{name}-{version}.tgz", "integrity": integrity}
        packument = {"name": name, "dist-tags": {"latest": version}, "versions": {version: {**described, "dist": dist}}}
        self.files[f"/{name}"] = json.dumps(packument).encode()

    def close(self) -> None:
        """Stops serving."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


def wheel(name: str, version: str, files: dict[str, str], requires: str = "") -> tuple[str, bytes]:
    """A wheel: its file name and bytes."""
    info = f"{name}-{version}.dist-info"
    metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
    metadata += f"Requires-Dist: {requires}\n" if requires else ""
    everything = {
        **files,
        f"{info}/METADATA": metadata,
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = "".join(f"{path},,\n" for path in [*everything, f"{info}/RECORD"])
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as zipped:
        for path, text in {**everything, f"{info}/RECORD": record}.items():
            zipped.writestr(path, text)
    return f"{name}-{version}-py3-none-any.whl", buffer.getvalue()


def sdist(name: str, version: str, on_build: str) -> tuple[str, bytes]:
    """An sdist whose build runs statements and then makes a wheel with one module: its file name and bytes.

    The build is a backend within the sdist, so that nothing else has to be fetched for it.
    """
    file_name, content = wheel(name, version, {f"{name}.py": f"built = {version!r}\n"})
    indented = "\n".join(f"    {line}" for line in on_build.strip().splitlines())
    backend = f"""
import base64, pathlib
def attack():
{indented}
    return None
def build_wheel(folder, config_settings=None, metadata_directory=None):
    attack()
    pathlib.Path(folder, {file_name!r}).write_bytes(base64.b64decode({base64.b64encode(content).decode()!r}))
    return {file_name!r}
"""
    project = '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n'
    root = f"{name}-{version}"
    metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
    return f"{root}.tar.gz", tar_gz(
        {f"{root}/pyproject.toml": project, f"{root}/backend.py": backend, f"{root}/PKG-INFO": metadata}
    )


def tar_gz(files: dict[str, str]) -> bytes:
    """A compressed tar of text files."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for name, text in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(text.encode())
            tar.addfile(info, io.BytesIO(text.encode()))
    return gzip.compress(buffer.getvalue())
