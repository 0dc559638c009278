"""Tiles: what they cover, and that an image in tiles is the image as a whole."""

import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from denoise_training.architectures import ARCHITECTURES, reach
from denoise_training.detector import OFFSET
from support.pictures import exposure, tiff
from support.processes import Triton

from denoise_service.images import open_image
from denoise_service.pipeline import Pipeline, Recipe
from denoise_service.strips import Rows, Window, in_blocks
from denoise_service.tiles import LEAST, MULTIPLE, Axis
from denoise_service.triton import MODELS, connect

WHOLE = 1024


def test_margins_are_what_the_networks_look_at() -> None:
    assert {name: reach(architecture) for name, architecture in ARCHITECTURES.items()} == MODELS


@pytest.mark.parametrize("length", [1, 2, 15, 33, 64, 200, 225, 256, 257, 500, 1000, 3072])
@pytest.mark.parametrize("margin", [56, 80, 120])
def test_tiles_cover_each_pixel_once_far_enough_from_their_edges(length: int, margin: int) -> None:
    tile = 256
    axis = Axis(length, tile, margin)
    covered = [pixel for span in axis.spans for pixel in range(*axis.kept(span).indices(length))]
    assert covered == list(range(length))
    padded = len(axis.sources)
    for span in axis.spans:
        assert span.start % MULTIPLE == span.length % MULTIPLE == 0
        assert span.length == min(tile, padded) >= min(LEAST, padded)
        assert span.start == 0 or span.core_start >= span.start + margin
        assert span.start + span.length == padded or span.core_stop <= span.start + span.length - margin
        assert list(axis.sources[span.start : span.start + span.length][axis.core(span)]) == list(
            range(*axis.kept(span).indices(length))
        )


def test_a_window_gives_rows_again_and_forgets_those_that_are_passed() -> None:
    rows = np.arange(40, dtype=np.uint16).reshape(20, 2)

    def blocks() -> Iterator[Rows]:
        yield from np.split(rows, [3, 4, 11])

    window = Window(blocks())
    for start, stop in [(0, 5), (2, 9), (2, 9), (8, 20)]:
        assert np.array_equal(window.take(start, stop), rows[start:stop])


@pytest.mark.parametrize("count", [1, 3, 4, 20, 50])
def test_a_stream_is_cut_into_blocks_whatever_it_came_in(count: int) -> None:
    rows = np.arange(40, dtype=np.uint16).reshape(20, 2)
    blocks = list(in_blocks(iter(np.split(rows, [3, 4, 11])), count))
    assert all(len(block) == count for block in blocks[:-1])
    assert np.array_equal(np.concatenate(blocks), rows)


@pytest.mark.parametrize(("model", "level"), [("efficient", 10), ("efficient", 20), ("powerful", 10)])
def test_an_image_in_tiles_is_the_image_as_a_whole_to_a_grey_level(
    model: str, level: float, triton: Triton, tmp_path: Path
) -> None:
    file = tmp_path / "noisy.tif"
    file.write_bytes(tiff(exposure(shape=(300, 340) if model == "powerful" else (420, 500)).counts))
    client = connect("grpc", f"127.0.0.1:{triton.grpc}", "127.0.0.1:1", 60, 0)
    pipeline = Pipeline(client, 4)

    def run(tile: int) -> Rows:
        recipe = Recipe(model, level, OFFSET, 16, tile, "0")
        with open_image(file, "noisy.tif", 1_000_000) as image:
            return np.concatenate(list(pipeline.bands(image, 0, recipe, threading.Event())))

    tiles, whole = run(256), run(WHOLE)
    pipeline.close()
    inside = (slice(16, -16), slice(16, -16))
    difference = np.abs(tiles[inside].astype(int) - whole[inside].astype(int))
    assert difference.max() <= 1
    assert whole.std() > 100
