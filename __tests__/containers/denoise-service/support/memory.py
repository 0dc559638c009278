"""Measures the memory of one image: `python -m support.memory --triton HOST:PORT --width 20000 --height 20000`.

It runs in a process of its own, the one that is measured: what the service does between download and upload, with a
compressed TIFF, and Triton elsewhere. It prints JSON: peak resident memory before and with the image, in MiB, and the
seconds that it took.
"""

import argparse
import json
import resource
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import tifffile

from denoise_service.images import open_image
from denoise_service.pipeline import Pipeline, Recipe, check_values
from denoise_service.strips import Rows
from denoise_service.triton import connect
from denoise_service.wsgi import BATCH

_STRIP = 64


def main() -> None:
    """Make an image, denoise it, and say what it took."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--triton", required=True, help="host and port of Triton's gRPC")
    parser.add_argument("--width", type=int, default=20_000)
    parser.add_argument("--height", type=int, default=20_000)
    parser.add_argument("--tile", type=int, default=1024)
    parser.add_argument("--model", default="efficient")
    parser.add_argument("--strength", type=float, default=10, help="0 leaves Triton out")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        noisy, clean = Path(folder, "noisy.tif"), Path(folder, "clean.tif")
        _write(noisy, given.width, given.height)
        pipeline = Pipeline(connect("grpc", given.triton, "127.0.0.1:1", 600, 0), BATCH)
        before = _peak_mib()
        start = time.monotonic()
        recipe = Recipe(given.model, given.strength, 0, 16, given.tile, "memory")
        with open_image(noisy, "noisy.tif", given.width * given.height) as image:
            check_values(image, 16)
            image.write(
                clean,
                lambda page: pipeline.bands(image, page, recipe, threading.Event()),
                None,
            )
        seconds = time.monotonic() - start
        pipeline.close()
        with tifffile.TiffFile(clean) as written:
            assert written.pages.first.shape == (given.height, given.width)
    sizes = {
        "width": given.width,
        "height": given.height,
        "beforeMib": before,
        "peakMib": _peak_mib(),
    }
    print(json.dumps({**sizes, "seconds": round(seconds, 1)}))  # noqa: T201 (its result)


def _write(file: Path, width: int, height: int) -> None:
    """Write an image without having it in memory."""
    rng = np.random.default_rng(3)
    strip = rng.integers(900, 1100, (_STRIP, width), np.uint16)

    def strips() -> Iterator[bytes]:
        for row in range(0, height, _STRIP):
            part: Rows = strip[: min(_STRIP, height - row)]
            yield bytes(tifffile.TIFF.COMPRESSORS[8](part.tobytes()))

    with tifffile.TiffWriter(file) as writer:
        writer.write(
            strips(),
            shape=(height, width),
            dtype=np.uint16,
            photometric="minisblack",
            compression="zlib",
            rowsperstrip=_STRIP,
            metadata=None,
        )


def _peak_mib() -> float:
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1)


if __name__ == "__main__":
    main()
