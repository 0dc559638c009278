"""Writes results as TIFF, strip by strip, as the source was written."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
from tifffile import RESUNIT, TIFF, TiffFile, TiffPage, TiffWriter

from denoise_service.strips import Rows, in_blocks

_STRIP_BYTES = 4 * 1024**2
_X_RESOLUTION, _Y_RESOLUTION, _RESOLUTION_UNIT = 282, 283, 296
_OTHERWISE = {_X_RESOLUTION, _Y_RESOLUTION, _RESOLUTION_UNIT, *TIFF.TAG_FILTERED}
"""Tags that are not copied as they are: the resolution is written from its values, the others by the writer itself."""
_UM_A_CM = 10_000


def write_pages(
    file: Path,
    source: TiffFile,
    pages: list[TiffPage],
    results: Callable[[int], Iterator[Rows]],
    pixel_pitch_um: float | None,
) -> None:
    """Write a page for each page of the source.

    Args:
        file: where to.
        source: says the byte order and whether it is a BigTIFF.
        pages: say all the rest.
        results: gives the rows of a page.
        pixel_pitch_um: the resolution; None: the source's.
    """
    with TiffWriter(file, bigtiff=source.is_bigtiff, byteorder=source.byteorder) as writer:
        for index, page in enumerate(pages):
            stored = np.dtype(f"{source.byteorder}u{int(page.bitspersample) // 8}")
            writer.write(
                _segments(page, stored, results(index)),
                shape=(page.imagelength, page.imagewidth),
                dtype=stored,
                photometric=page.photometric,
                compression=page.compression,
                predictor=page.predictor,
                **_layout(page, stored.itemsize),
                **_resolution(page, pixel_pitch_um),
                software=False,
                metadata=None,
                extratags=_tags(page),
                maxworkers=1,
            )


def _layout(page: TiffPage, value_bytes: int) -> dict[str, Any]:
    """Return the source's tiles or strips. Strips as large as an image become smaller ones."""
    if page.is_tiled:
        return {"tile": (page.tilelength, page.tilewidth)}
    most = max(1, _STRIP_BYTES // (page.imagewidth * value_bytes))
    return {"rowsperstrip": min(page.rowsperstrip, page.imagelength, most)}


def _resolution(page: TiffPage, pixel_pitch_um: float | None) -> dict[str, Any]:
    if pixel_pitch_um is not None:
        each = _UM_A_CM / pixel_pitch_um
        return {"resolution": (each, each), "resolutionunit": RESUNIT.CENTIMETER}
    x, y, unit = (page.tags.get(code) for code in (_X_RESOLUTION, _Y_RESOLUTION, _RESOLUTION_UNIT))
    if x is None or y is None:
        return {}
    return {"resolution": (x.value, y.value), "resolutionunit": unit.value if unit else RESUNIT.INCH}


def _tags(page: TiffPage) -> list[tuple[int, int, int, bytes, bool]]:
    """Return all other tags, as they lie in the source: not all of their values survive being understood."""
    handle = page.parent.filehandle
    copied = []
    for tag in page.tags:
        if tag.code not in _OTHERWISE:
            handle.seek(tag.valueoffset)
            copied.append((tag.code, int(tag.dtype), tag.count, handle.read(tag.valuebytecount), False))
    return copied


def _segments(page: TiffPage, stored: np.dtype[Any], rows: Iterator[Rows]) -> Iterator[bytes]:
    layout = _layout(page, stored.itemsize)
    if "tile" not in layout:
        for block in in_blocks(rows, layout["rowsperstrip"]):
            yield _encoded(block, page, stored)
        return
    length, width = layout["tile"]
    for block in in_blocks(rows, length):
        missing = (-page.imagewidth) % width
        whole = np.pad(block, ((0, length - len(block)), (0, missing)), mode="edge")
        for start in range(0, whole.shape[1], width):
            yield _encoded(whole[:, start : start + width], page, stored)


def _encoded(block: Rows, page: TiffPage, stored: np.dtype[Any]) -> bytes:
    if page.predictor == tifffile.PREDICTOR.HORIZONTAL:
        # Unsigned differences wrap around, as the format wants them to.
        block = np.concatenate([block[:, :1], block[:, 1:] - block[:, :-1]], axis=1)
    data = np.ascontiguousarray(block, stored)
    if page.compression == tifffile.COMPRESSION.NONE:
        return data.tobytes()
    if page.compression == tifffile.COMPRESSION.PACKBITS:
        # Rows are packed on their own.
        return b"".join(TIFF.COMPRESSORS[page.compression](row.tobytes()) for row in data)
    return bytes(TIFF.COMPRESSORS[page.compression](data.tobytes()))
