"""What an image may be, whatever its format."""

from denoise_service.problems import too_large, unusable_image

SEGMENT_BYTES = 256 * 1024**2
"""Bytes that one compressed strip or tile, or a PNG, may decode to: it is decoded as a whole."""
PAGES = 10_000
WIDTH = 65_536
"""Columns: memory grows with them, as it holds bands of whole rows."""


def check_size(width: int, height: int, pages: int, max_pixels: int) -> None:
    """Refuse what has no pixels, and what has too many.

    Raises:
        Problem: 422 or 413.
    """
    if width < 1 or height < 1:
        raise unusable_image(f"The image has {width} × {height} pixels.", "Send an image that has pixels.")
    if pages > PAGES:
        detail = f"The image has over {PAGES:,} pages."
        raise too_large("file", detail, "Send its pages in several files.")
    if width > WIDTH:
        detail = f"The image has {width:,} columns; the service takes {WIDTH:,}."
        raise too_large("file", detail, "Turn the image, or send it in parts.")
    if width * height * pages > max_pixels:
        detail = f"The image has {pages} × {width:,} × {height:,} pixels; the service takes {max_pixels:,}."
        raise too_large("file", detail, "Crop the image, or send its pages in several files.")
