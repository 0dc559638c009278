"""TIFF: grey, unsigned, of 8 or 16 bits, of one or several equal pages; read by strips, or by rows of tiles."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
import tifffile
from tifffile import TiffFile, TiffPage

from denoise_service.limits import PAGES, SEGMENT_BYTES, check_size
from denoise_service.problems import Problem, unusable_image
from denoise_service.strips import Rows
from denoise_service.tiff_writer import write_pages

COMPRESSIONS = {1: "none", 5: "LZW", 8: "Deflate", 32946: "Deflate", 32773: "PackBits", 50000: "Zstandard"}
"""Without loss, and as written by detectors' software. The result has the source's."""
_GREY = (tifffile.PHOTOMETRIC.MINISWHITE, tifffile.PHOTOMETRIC.MINISBLACK)
_BLOCK_BYTES = 8 * 1024**2
_AGAIN = "Write the image again, or upload it again if it was cut off."


class TiffImage:
    """A TIFF that was checked as far as its headers go. One thread at a time."""

    content_type = "image/tiff"

    def __init__(self, file: Path, max_pixels: int) -> None:
        with _readable("The TIFF's headers cannot be read"):
            self._tiff = TiffFile(file)
        try:
            with _readable("The TIFF's headers cannot be read"):
                self._pages = self._checked_pages(max_pixels)
        except BaseException:
            self._tiff.close()
            raise
        first = self._pages[0]
        self.height, self.width, self.bits = first.imagelength, first.imagewidth, int(first.bitspersample)

    @property
    def pages(self) -> int:
        """Number of pages."""
        return len(self._pages)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._tiff.close()

    def rows(self, page: int) -> Iterator[Rows]:
        """Read a page from the top."""
        where = f"Page {page + 1} cannot be decoded"
        source = self._pages[page]
        if source.is_tiled:
            blocks = self._tile_rows(source)
        elif source.compression == 1 and source.predictor == 1:
            blocks = self._plain_rows(source)
        else:
            blocks = self._strip_rows(source)
        read = 0
        while True:
            with _readable(where):
                block = next(blocks, None)
                if block is None:
                    break
                read += len(block)
            yield block
        if read != self.height:
            raise unusable_image(f"{where}: it has {read} rows instead of {self.height}.", _AGAIN)

    def write(self, file: Path, results: Callable[[int], Iterator[Rows]], pixel_pitch_um: float | None) -> None:
        """Write results as this file is written: its tags, bit depth, compression, tiles, byte order."""
        write_pages(file, self._tiff, self._pages, results, pixel_pitch_um)

    def _checked_pages(self, max_pixels: int) -> list[TiffPage]:
        pages: list[TiffPage] = []
        for page in self._tiff.pages:
            assert isinstance(page, TiffPage), "pages are read in full"
            pages.append(page)
            first = pages[0]
            check_size(page.imagewidth, page.imagelength, len(pages), max_pixels)
            _check_values(page, len(pages))
            shape, expected = (page.imagewidth, page.imagelength), (first.imagewidth, first.imagelength)
            if shape != expected or page.bitspersample != first.bitspersample:
                detail = (
                    f"Page {len(pages)} has {shape[0]} × {shape[1]} pixels of {page.bitspersample} bits,"
                    f" and page 1 has {expected[0]} × {expected[1]} of {first.bitspersample}."
                )
                raise unusable_image(detail, "Send pages that differ in files of their own.")
            _check_segments(page, len(pages), self._tiff.filehandle.size)
            if len(pages) > PAGES:
                break
        if not pages:
            raise unusable_image("The TIFF has no page.", _AGAIN)
        in_imagej = int((self._tiff.imagej_metadata or {}).get("images", 1)) if self._tiff.is_imagej else 1
        if in_imagej > len(pages):
            detail = f"The TIFF has {in_imagej} images behind one header, as ImageJ writes large stacks."
            raise unusable_image(detail, "Write each image as a page of its own.")
        return pages

    def _plain_rows(self, page: TiffPage) -> Iterator[Rows]:
        """Strips without compression may be as large as the image: they are read by rows."""
        handle = self._tiff.filehandle
        stored = np.dtype(self._tiff.byteorder + page.dtype.char if page.dtype else "u1")
        row_bytes = page.imagewidth * stored.itemsize
        for index, offset in enumerate(page.dataoffsets):
            strip = min(page.rowsperstrip, page.imagelength - index * page.rowsperstrip)
            step = max(1, _BLOCK_BYTES // row_bytes)
            for start in range(0, strip, step):
                count = min(step, strip - start)
                handle.seek(offset + start * row_bytes)
                values = np.frombuffer(handle.read(count * row_bytes), stored).reshape(count, page.imagewidth)
                yield values.astype(stored.newbyteorder("="), copy=False)

    def _strip_rows(self, page: TiffPage) -> Iterator[Rows]:
        for index in range(len(page.dataoffsets)):
            yield self._segment(page, index)

    def _tile_rows(self, page: TiffPage) -> Iterator[Rows]:
        across = -(-page.imagewidth // page.tilewidth)
        for row, first in enumerate(range(0, len(page.dataoffsets), across)):
            tiles = [self._segment(page, first + column) for column in range(across)]
            # The last tiles reach beyond the image.
            yield np.concatenate(tiles, axis=1)[: page.imagelength - row * page.tilelength, : page.imagewidth]

    def _segment(self, page: TiffPage, index: int) -> Rows:
        handle = self._tiff.filehandle
        handle.seek(page.dataoffsets[index])
        data = handle.read(page.databytecounts[index])
        values, _, (_, height, width, _) = page.decode(data, index)
        if values is None or values.shape[1] < height or values.shape[2] < width:
            raise ValueError(f"strip or tile {index + 1} is too short")
        block: Rows = values[0, :height, :width, 0]
        return block


def _check_values(page: TiffPage, number: int) -> None:
    """Refuse what is not grey, unsigned, and of 8 or 16 bits."""
    again = "Send the detector's grey values as unsigned integers of 8 or 16 bits."
    if page.samplesperpixel != 1 or page.photometric not in _GREY:
        colours = getattr(page.photometric, "name", page.photometric)
        detail = f"Page {number} has {page.samplesperpixel} values a pixel ({colours}); the service takes one, grey."
        raise unusable_image(detail, again)
    if page.sampleformat != tifffile.SAMPLEFORMAT.UINT:
        kind = getattr(page.sampleformat, "name", page.sampleformat)
        raise unusable_image(f"Page {number} has values of type {kind}; the service takes UINT.", again)
    if page.bitspersample not in (8, 16):
        raise unusable_image(f"Page {number} has {page.bitspersample} bits a value; the service takes 8 or 16.", again)
    if page.imagedepth != 1 or page.fillorder != 1:
        detail = f"Page {number} is a volume, or has its bits in reverse order."
        raise unusable_image(detail, "Write it as a plain grey page.")


def _check_segments(page: TiffPage, number: int, file_bytes: int) -> None:
    """Refuse compressions with loss, and strips or tiles that are not there in full, or are too large to decode."""
    if page.compression not in COMPRESSIONS or page.predictor not in (1, 2):
        kind = getattr(page.compression, "name", page.compression)
        names = ", ".join(dict.fromkeys(COMPRESSIONS.values()))
        detail = f"Page {number} is compressed by {kind} with predictor {int(page.predictor)}."
        raise unusable_image(detail, f"Write it with one of {names}, and no other predictor than the horizontal one.")
    if page.is_tiled:
        rows, columns = page.tilelength, page.tilewidth
        expected = -(-page.imagelength // max(rows, 1)) * -(-page.imagewidth // max(columns, 1))
    else:
        rows, columns = min(page.rowsperstrip, page.imagelength), page.imagewidth
        expected = -(-page.imagelength // max(rows, 1))
    if rows < 1 or columns < 1 or len(page.dataoffsets) != expected or len(page.databytecounts) != expected:
        detail = f"Page {number} has {len(page.dataoffsets)} strips or tiles, and its size asks for {expected}."
        raise unusable_image(detail, _AGAIN)
    segment_bytes = rows * columns * int(page.bitspersample) // 8
    plain = page.compression == 1
    if segment_bytes > SEGMENT_BYTES and (not plain or page.is_tiled or page.predictor != 1):
        detail = f"A strip or tile of page {number} has {segment_bytes:,} bytes when it is decoded."
        raise unusable_image(detail, f"Write it in strips of at most {SEGMENT_BYTES:,} bytes, or without compression.")
    for index, (offset, count) in enumerate(zip(page.dataoffsets, page.databytecounts, strict=True)):
        wanted = min(rows, page.imagelength - index * rows) * columns * int(page.bitspersample) // 8
        if offset < 1 or count < 1 or offset + count > file_bytes or (plain and not page.is_tiled and count < wanted):
            raise unusable_image(f"Page {number} is truncated: strip or tile {index + 1} is not there in full.", _AGAIN)


@contextmanager
def _readable(what: str) -> Iterator[None]:
    """Turn what a broken file does to the decoders into an answer."""
    try:
        yield
    except (Problem, MemoryError):
        raise
    except Exception as error:  # a file can be broken in any way, and decoders raise what they like
        raise unusable_image(f"{what}: {error}.", _AGAIN) from error
