"""PNG: grey, of 8 or 16 bits. It is one compressed stream: it is decoded as a whole, and large ones are refused."""

import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

import imagecodecs
import numpy as np

from denoise_service.limits import SEGMENT_BYTES, check_size
from denoise_service.problems import too_large, unusable_image
from denoise_service.strips import Rows

_HEADER = struct.Struct(">8xI4sIIBB")
_COLOURS = {2: "RGB", 3: "a palette", 4: "an alpha channel", 6: "RGB with an alpha channel"}


class PngImage:
    """A PNG that was checked as far as its header goes."""

    content_type = "image/png"
    pages = 1

    def __init__(self, file: Path, max_pixels: int) -> None:
        with file.open("rb") as opened:
            head = opened.read(_HEADER.size)
        if len(head) < _HEADER.size:
            raise unusable_image("The PNG ends within its header.", "Upload it again.")
        length, name, self.width, self.height, self.bits, colour = _HEADER.unpack(head)
        if length != 13 or name != b"IHDR":
            raise unusable_image("The PNG has no header.", "Write it again.")
        check_size(self.width, self.height, 1, max_pixels)
        if colour != 0:
            detail = f"The PNG has {_COLOURS.get(colour, f'the unknown colour type {colour}')}; the service takes grey."
            raise unusable_image(detail, "Send the detector's grey values.")
        if self.bits not in (8, 16):
            detail = f"The PNG has {self.bits} bits a value; the service takes 8 or 16."
            raise unusable_image(detail, "Write it with 8 or 16 bits.")
        if self.width * self.height * self.bits // 8 > SEGMENT_BYTES:
            detail = f"The PNG has over {SEGMENT_BYTES:,} bytes when it is decoded."
            raise too_large("file", detail, "Send it as a TIFF, which is read strip by strip.")
        self._file = file
        self._pixels: Rows | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._pixels = None

    def rows(self, page: int) -> Iterator[Rows]:
        """Read the page."""
        assert page == 0
        if self._pixels is None:
            try:
                self._pixels = imagecodecs.png_decode(self._file.read_bytes())
            except (imagecodecs.PngError, ValueError) as error:
                raise unusable_image(f"The PNG cannot be decoded: {error}.", "Upload it again.") from None
        yield self._pixels

    def write(self, file: Path, results: Callable[[int], Iterator[Rows]], pixel_pitch_um: float | None) -> None:
        """Write the result. A PNG's pitch is its pHYs chunk, in pixels a metre, which the encoder does not write."""
        del pixel_pitch_um
        file.write_bytes(imagecodecs.png_encode(np.concatenate(list(results(0)))))
