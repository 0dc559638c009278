"""Images in files: what a source offers, whatever its format, and which format a file has."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol

from denoise_service.png import PngImage
from denoise_service.problems import not_an_image, unusable_image
from denoise_service.strips import Rows
from denoise_service.tiff import TiffImage

_TIFF = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_PNG = b"\x89PNG\r\n\x1a\n"


class Image(Protocol):
    """One or several grey pages of one size in a file. One thread at a time."""

    @property
    def content_type(self) -> str:
        """Media type of the file and of its result."""

    @property
    def pages(self) -> int:
        """Number of pages."""

    @property
    def height(self) -> int:
        """Rows of a page."""

    @property
    def width(self) -> int:
        """Columns of a page."""

    @property
    def bits(self) -> int:
        """Bits of a value in the file: 8 or 16."""

    def rows(self, page: int) -> Iterator[Rows]:
        """Read a page from the top: blocks of whole rows, each of a bounded size.

        Raises:
            Problem: 422 when the data is not what the header says.
        """

    def write(self, file: Path, results: Callable[[int], Iterator[Rows]], pixel_pitch_um: float | None) -> None:
        """Write results into a file of this one's format, with its tags, bit depth and compression.

        Args:
            file: the file, which is not there yet.
            results: gives the blocks of a page.
            pixel_pitch_um: written as the resolution; None: this file's resolution.
        """


def open_image(file: Path, key: str, max_pixels: int) -> AbstractContextManager[Image]:
    """Open an image, and check all that its header says before any pixel is decoded.

    Args:
        file: the file.
        key: its key, whose ending has to agree with what is in it.
        max_pixels: bound of its pixels, over all pages.

    Raises:
        Problem: 413, 415 or 422.
    """
    with file.open("rb") as opened:
        head = opened.read(len(_PNG))
    if not head:
        raise unusable_image("The file is empty.", "Upload it again.")
    is_png = head.startswith(_PNG)
    if not is_png and not head.startswith(_TIFF):
        raise not_an_image(f"{key} is neither a TIFF nor a PNG: it begins with {head[:8].hex(' ')}.")
    if is_png != key.lower().endswith(".png"):
        raise not_an_image(f"{key} is a {'PNG' if is_png else 'TIFF'}, and its name says otherwise.")
    return PngImage(file, max_pixels) if is_png else TiffImage(file, max_pixels)
