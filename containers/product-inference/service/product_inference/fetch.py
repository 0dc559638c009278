"""`python -m product_inference.fetch MODEL.json FOLDER`: fetches a model and checks it. The image's build runs it."""

import argparse
import shutil
import sys
import time
import urllib.error
import urllib.request
from http.client import HTTPException
from pathlib import Path
from typing import IO

from product_inference.manifest import MANIFEST, BadModel, ModelFile, check_file, read_manifest

ATTEMPTS = 4
PAUSE_S = 5.0
"""Before the second attempt; each later pause is twice as long."""
SILENCE_S = 60
"""How long a server may say nothing."""
_BLOCK = 1024 * 1024


def main() -> int:
    """Fetch what the arguments name."""
    parser = argparse.ArgumentParser(prog="python -m product_inference.fetch", description=__doc__)
    parser.add_argument("manifest", type=Path, help="the model's manifest")
    parser.add_argument("folder", type=Path, help="folder that gets the files and the manifest")
    given = parser.parse_args()
    try:
        fetch(given.manifest, given.folder)
    except BadModel as error:
        print(error)
        return 1
    return 0


def fetch(source: Path, folder: Path, pause_s: float = PAUSE_S) -> None:
    """Download a model's files into a folder, and put its manifest beside them once all are right.

    Args:
        source: the manifest; every file in it has a URL.
        folder: where the model goes.
        pause_s: time before a second attempt.

    Raises:
        BadModel: a file cannot be had, or is another one than the manifest says.
    """
    manifest = read_manifest(source)
    folder.mkdir(parents=True, exist_ok=True)
    for file in manifest.files:
        if file.url is None:
            raise BadModel(f"{source}: {file.path} has no url. Add one, or copy the folder from where it was made.")
        path = folder / file.path
        _download(file, file.url, path, pause_s)
        check_file(path, file)
        print(f"{file.path}: {file.bytes} bytes, SHA-256 as expected")
    shutil.copyfile(source, folder / MANIFEST)


def _download(file: ModelFile, url: str, path: Path, pause_s: float) -> None:
    for attempt in range(1, ATTEMPTS + 1):
        try:
            with urllib.request.urlopen(url, timeout=SILENCE_S) as answer, path.open("wb") as written:  # noqa: S310 (manifests allow http only)
                _copy(answer, written, file)
            return
        except (OSError, HTTPException) as error:
            gone = isinstance(error, urllib.error.HTTPError) and 400 <= error.code < 500 and error.code != 429
            if gone or attempt == ATTEMPTS:
                raise BadModel(f"{url}: {error} (attempt {attempt}). See that the build reaches it.") from None
            print(f"{url}: {error}, attempt {attempt} of {ATTEMPTS}")
            time.sleep(pause_s * 2 ** (attempt - 1))


def _copy(answer: IO[bytes], written: IO[bytes], file: ModelFile) -> None:
    size = 0
    while block := answer.read(_BLOCK):
        size += len(block)
        if size > file.bytes:
            break
        written.write(block)
    if size != file.bytes:
        raise OSError(f"{'more than ' if size > file.bytes else ''}{min(size, file.bytes)} of {file.bytes} bytes came")


if __name__ == "__main__":
    sys.exit(main())
