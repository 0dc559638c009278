"""Resolves a Python function's dependencies with pip, in the sandbox, and leaves them in /output as a zip.

The zip's bytes depend on the packages alone. Beside them it has `packages.json`: name and version of each. What an
sdist's build does, it does here, without credentials, and to no harm but its own function's.
"""

import json
import os
import signal
import stat
import subprocess
import sys
import threading
import zipfile
from collections import deque
from collections.abc import Iterable
from importlib.metadata import distributions
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

SOURCE = Path("/source")
TARGET = Path("/tmp/dependencies")  # noqa: S108 (in the sandbox)
CERTIFICATES = Path("/tmp/certificates.pem")  # noqa: S108 (in the sandbox)
RESULT = Path("/output/dependencies.zip")
LAST_LINES = 15
DRAIN_S = 2
EARLIEST = (1980, 1, 1, 0, 0, 0)
SETTINGS = {
    "PIP_CONFIG_FILE": os.devnull,
    "PIP_DISABLE_PIP_VERSION_CHECK": "1",
    "PIP_NO_INPUT": "1",
    "PIP_NO_CACHE_DIR": "1",
    "PIP_NO_COLOR": "1",
    "PIP_PROGRESS_BAR": "off",
    "PIP_RETRIES": "4",
    "PIP_TIMEOUT": "20",
}


class Unresolved(Exception):
    """pip gave up; its last lines are the message."""


def handler(event: dict[str, Any]) -> None:
    """Installs what /source/requirements.txt asks for, from the index at `index_url`.

    `certificates`, in PEM, are what it is trusted by; null for the publicly known ones.
    """
    if event["certificates"]:
        CERTIFICATES.write_text(event["certificates"])
        SETTINGS["PIP_CERT"] = str(CERTIFICATES)
    install(event["index_url"])
    packages = [{"name": each.metadata["Name"], "version": each.version} for each in distributions(path=[str(TARGET)])]
    packages.sort(key=lambda package: package["name"].lower())
    (TARGET / "packages.json").write_text(json.dumps(packages))
    pack(TARGET, RESULT)


def install(index_url: str) -> None:
    """Runs pip, which prints to the log."""
    index = urlsplit(index_url)
    # An operator who names an index without TLS, inside a network of their own, means it.
    trusted = ["--trusted-host", index.netloc] if index.scheme == "http" else []
    TARGET.mkdir()
    arguments = ["install", "--target", str(TARGET), "--no-compile", "--index-url", index_url, *trusted]
    process = subprocess.Popen(
        [sys.executable, "-I", "-m", "pip", *arguments, "--requirement", str(SOURCE / "requirements.txt")],
        # Paths in the requirements are relative to them.
        cwd=SOURCE,
        env={**os.environ, **SETTINGS},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    )
    last: deque[str] = deque(maxlen=LAST_LINES)
    reader = threading.Thread(target=pass_on, args=(process.stdout, last), daemon=True)
    reader.start()
    code = process.wait()
    # What a build leaves running may keep the pipe open for ever.
    reader.join(DRAIN_S)
    if code == -signal.SIGKILL:
        raise Unresolved("".join(last) + "pip was killed: the build took more memory than it may have.")
    if code != 0:
        raise Unresolved("".join(last).strip() or f"pip ended with code {code}")


def pass_on(lines: Iterable[str], last: deque[str]) -> None:
    """Prints lines as they come, and keeps the last ones."""
    for line in lines:
        sys.stdout.write(line)
        last.append(line)


def pack(folder: Path, archive: Path) -> None:
    """Zips the regular files of a folder, in the order of their names and without their times."""
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as zipped:
        for path in sorted(folder.rglob("*")):
            mode = path.lstat().st_mode
            if stat.S_ISREG(mode):
                info = zipfile.ZipInfo(str(path.relative_to(folder)), EARLIEST)
                info.external_attr = (stat.S_IFREG | (0o755 if mode & stat.S_IXUSR else 0o644)) << 16
                info.compress_type = zipfile.ZIP_DEFLATED
                with path.open("rb") as source, zipped.open(info, "w") as target:
                    while chunk := source.read(1 << 20):
                        target.write(chunk)
