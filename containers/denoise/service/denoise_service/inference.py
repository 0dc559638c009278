"""One request from its key to its result: download, check, denoise, upload."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from denoise_service.images import Image, open_image
from denoise_service.log import logger
from denoise_service.metrics import PIXELS, STEP_SECONDS
from denoise_service.order import Order
from denoise_service.pipeline import Pipeline, Recipe, check_values
from denoise_service.problems import FieldError, invalid, unusable_image
from denoise_service.scratch import Scratch
from denoise_service.settings import Settings
from denoise_service.store import Store

log = logger(__name__)


class Inference:
    """Denoises one image after the other; several threads may do so at once."""

    def __init__(self, settings: Settings, store: Store, pipeline: Pipeline, scratch: Scratch) -> None:
        self._settings = settings
        self._store = store
        self._pipeline = pipeline
        self._scratch = scratch

    def run(self, order: Order, request_id: str, cancelled: threading.Event) -> dict[str, Any]:
        """Denoise an image; what was done, and how long each step took in milliseconds.

        Raises:
            Problem: what keeps it from being done.
            CancelledError: `cancelled` was set.
        """
        _check_names(order)
        steps: dict[str, float] = {}
        with self._scratch.folder() as folder:
            noisy, clean = folder / "noisy", folder / "clean"
            with _timed("download", steps):
                size = self._store.download(order.file, noisy, self._settings.ddn_max_file_bytes)
            log.info("downloaded", file=order.file, bytes=size)
            with open_image(noisy, order.file, self._settings.ddn_max_pixels) as image:
                with _timed("check", steps):
                    recipe = self._recipe(order, image, request_id)
                    check_values(image, recipe.bits)
                with _timed("denoise", steps):
                    image.write(
                        clean,
                        lambda page: self._pipeline.bands(image, page, recipe, cancelled),
                        order.pixel_pitch,
                    )
                with _timed("upload", steps):
                    metadata = {"request-id": request_id, "model": order.model, "strength": f"{order.strength:g}"}
                    self._store.upload(clean, order.target, image.content_type, metadata)
                PIXELS.labels(order.model).inc(image.pages * image.width * image.height)
                return {
                    "pages": image.pages,
                    "width": image.width,
                    "height": image.height,
                    "bits": recipe.bits,
                    "steps": steps,
                }

    def _recipe(self, order: Order, image: Image, request_id: str) -> Recipe:
        bits = order.using_bits or image.bits
        if bits > image.bits:
            detail = f"{order.file} has {image.bits} bits a value, and using_bits is {bits}."
            raise unusable_image(detail, f"Send using_bits as {image.bits} or less.", "using_bits")
        if order.digital_offset >= 2**bits - 1:
            detail = f"{order.file} has values up to {2**bits - 1}, and digital_offset is {order.digital_offset}."
            raise unusable_image(detail, "Send what the detector counts without a signal.", "digital_offset")
        return Recipe(
            model=order.model,
            strength=order.strength,
            offset=order.digital_offset,
            bits=bits,
            tile=self._settings.ddn_tile,
            request_id=request_id,
        )


def _check_names(order: Order) -> None:
    """Refuse a result whose name says another format than the source's: it has the source's."""
    if order.file.lower().endswith(".png") != order.target.lower().endswith(".png"):
        detail = f"{order.target} and {order.file} name different formats. The result has the format of the source"
        raise invalid(FieldError("output", detail))


@contextmanager
def _timed(step: str, steps: dict[str, float]) -> Iterator[None]:
    start = time.perf_counter()
    yield
    seconds = time.perf_counter() - start
    steps[step] = round(seconds * 1000, 1)
    STEP_SECONDS.labels(step).observe(seconds)
