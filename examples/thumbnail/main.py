"""Makes thumbnails of an image: files of several sizes in /output, and what the image is as the answer."""

import base64
import binascii
import io
from pathlib import Path
from typing import Any

from PIL import Image, ImageOps, UnidentifiedImageError

OUTPUT = Path("/output")
LARGEST_EDGE = 2048
DEFAULT_EDGES = [64, 128, 256]
# An image of few bytes can unpack to many; Pillow refuses twice as many pixels.
Image.MAX_IMAGE_PIXELS = 50_000_000


def handler(event: dict[str, Any]) -> dict[str, Any]:
    """Takes `{"image": <base64>, "edges": [64, 128, 256]}`; `edges`, the longest side of each, may be left out."""
    image = opened(event.get("image"))
    edges = checked(event.get("edges", DEFAULT_EDGES))
    print(f"{image.format} of {image.width} x {image.height}")
    files = [thumbnail(image, edge) for edge in edges]
    return {"format": image.format, "width": image.width, "height": image.height, "files": files}


def opened(encoded: object) -> Image.Image:
    """The event's image."""
    if not isinstance(encoded, str):
        raise ValueError("image: expected a text in base64")
    try:
        return Image.open(io.BytesIO(base64.b64decode(encoded, validate=True)))
    except binascii.Error as error:
        raise ValueError(f"image: not base64: {error}") from None
    except UnidentifiedImageError:
        raise ValueError("image: no format that Pillow knows") from None


def checked(edges: object) -> list[int]:
    """The event's sizes."""
    if not isinstance(edges, list) or not all(isinstance(each, int) and 0 < each <= LARGEST_EDGE for each in edges):
        raise ValueError(f"edges: expected a list of numbers from 1 to {LARGEST_EDGE}, got {edges!r}")
    return edges


def thumbnail(image: Image.Image, edge: int) -> dict[str, Any]:
    """Writes one, turned as the camera was held; smaller images are not enlarged."""
    small = ImageOps.exif_transpose(image)
    small.thumbnail((edge, edge))
    path = OUTPUT / f"thumbnail-{edge}.png"
    small.save(path, optimize=True)
    print(f"{path.name}: {small.width} x {small.height}, {path.stat().st_size} bytes")
    return {"name": path.name, "width": small.width, "height": small.height}
