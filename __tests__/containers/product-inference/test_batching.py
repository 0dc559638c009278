"""Dynamic batching, with the real model: what runs together, who gets which vector, and who fails."""

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np
import pytest

from product_inference.batching import Batcher, Closed, ItemsFailed, QueueFull
from product_inference.model import EmbeddingModel, Tokens, Vectors

LONG_S = 0.3


class Watched:
    """The model, with what ran together; some tokens are poison to it."""

    def __init__(self, model: EmbeddingModel) -> None:
        self._model = model
        self.sizes: list[int] = []
        self.lengths: list[list[int]] = []
        self.poison: Tokens = ()
        self.endless: Tokens = ()

    def __call__(self, batch: Sequence[Tokens]) -> Vectors:
        """Run."""
        self.sizes.append(len(batch))
        self.lengths.append([len(tokens) for tokens in batch])
        if self.poison in batch:
            raise RuntimeError("the GPU has no memory left")
        vectors = self._model.run(batch)
        vectors[[tokens == self.endless for tokens in batch]] = np.nan
        return vectors


@pytest.fixture
def watched(model: EmbeddingModel) -> Watched:
    """The model as these tests see it."""
    return Watched(model)


@contextmanager
def batcher(run: Watched, **limits: float) -> Iterator[Batcher]:
    values = {"max_batch": 64, "batch_tokens": 4096, "max_wait_s": LONG_S, "queue": 100, **limits}
    made = Batcher(run, 384, **values)  # type: ignore[arg-type]  # floats where they are meant
    try:
        yield made
    finally:
        made.close()


def test_texts_of_several_callers_run_together_and_each_gets_its_own(watched: Watched, model: EmbeddingModel) -> None:
    requests = [["a red shirt", "tea"], ["wooden toys for children of three years"], ["a lamp", "a knife", "a pan"]]

    async def all_at_once() -> list[Vectors]:
        with batcher(watched) as together:
            return await asyncio.gather(*(together.submit(model.tokens(texts)) for texts in requests))

    answers = asyncio.run(all_at_once())
    assert watched.sizes == [6]
    for texts, vectors in zip(requests, answers, strict=True):
        np.testing.assert_allclose(vectors, model.run(model.tokens(texts)), atol=1e-5)


def test_no_more_than_the_limit_run_together_and_the_rest_does_not_wait_again(
    watched: Watched, model: EmbeddingModel
) -> None:
    async def ask() -> Vectors:
        with batcher(watched, max_batch=4) as small:
            return await small.submit(model.tokens([f"product {number}" for number in range(10)]))

    assert asyncio.run(ask()).shape == (10, 384)
    assert watched.sizes == [4, 4, 2]


def test_texts_of_like_length_run_together_where_padding_would_be_too_much(
    watched: Watched, model: EmbeddingModel
) -> None:
    texts = ["word " * 100, "short", "word " * 101, "short too"]

    async def ask() -> Vectors:
        with batcher(watched, batch_tokens=250) as small:
            return await small.submit(model.tokens(texts))

    vectors = asyncio.run(ask())
    assert watched.lengths == [[3, 4], [102, 103]]
    np.testing.assert_allclose(vectors, [model.run(model.tokens([text]))[0] for text in texts], atol=1e-5)


def test_many_texts_are_cut_between_the_short_and_the_long_so_that_little_is_padding(
    watched: Watched, model: EmbeddingModel
) -> None:
    texts = ["word " * (40 if number % 2 else 4) for number in range(20)]

    async def ask() -> Vectors:
        with batcher(watched) as shared:
            return await shared.submit(model.tokens(texts))

    vectors = asyncio.run(ask())
    assert watched.lengths == [[6] * 10, [42] * 10]
    np.testing.assert_allclose(vectors[1], model.run(model.tokens(texts[1:2]))[0], atol=1e-5)


def test_a_text_that_fails_does_not_fail_its_neighbours(watched: Watched, model: EmbeddingModel) -> None:
    texts = [f"product {number}" for number in range(5)]
    watched.poison = model.tokens(["poison"])[0]
    watched.endless = model.tokens(["endless"])[0]

    async def ask() -> list[Vectors | BaseException]:
        with batcher(watched) as shared:
            sound = shared.submit(model.tokens(texts))
            bad = shared.submit(model.tokens(["fine", "poison", "fine too", "endless"]))
            return list(await asyncio.gather(sound, bad, return_exceptions=True))

    sound, bad = asyncio.run(ask())
    assert isinstance(sound, np.ndarray)
    np.testing.assert_allclose(sound, model.run(model.tokens(texts)), atol=1e-5)
    assert isinstance(bad, ItemsFailed)
    assert bad.indices == (1, 3)


def test_a_request_that_finds_no_place_is_refused_whole(watched: Watched, model: EmbeddingModel) -> None:
    tokens = model.tokens(["one", "two", "three"])

    async def ask() -> None:
        with batcher(watched, queue=5) as small:
            first = asyncio.ensure_future(small.submit(tokens))
            await asyncio.sleep(0)
            with pytest.raises(QueueFull):
                await small.submit(tokens)
            await small.submit(tokens[:2])
            assert (await first).shape == (3, 384)

    asyncio.run(ask())
    assert sum(watched.sizes) == 5


def test_texts_whose_caller_is_gone_do_not_run(watched: Watched, model: EmbeddingModel) -> None:
    async def ask() -> None:
        with batcher(watched) as shared:
            leaving = asyncio.ensure_future(shared.submit(model.tokens(["one", "two"])))
            await asyncio.sleep(0)
            leaving.cancel()
            await shared.submit(model.tokens(["three"]))

    asyncio.run(ask())
    assert watched.sizes == [1]


def test_what_waits_at_the_end_is_answered_and_nothing_new_is_taken(watched: Watched, model: EmbeddingModel) -> None:
    async def ask() -> None:
        ending = Batcher(watched, 384, max_batch=64, batch_tokens=4096, max_wait_s=60, queue=100)
        waiting = asyncio.ensure_future(ending.submit(model.tokens(["one", "two"])))
        await asyncio.sleep(0)
        await asyncio.to_thread(ending.close)
        assert (await waiting).shape == (2, 384)
        with pytest.raises(Closed):
            await ending.submit(model.tokens(["three"]))
        assert not ending.alive

    asyncio.run(ask())
