"""The model: its vectors mean what others say that they mean, and do not depend on what runs beside them."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from product_inference.manifest import MANIFEST, BadModel
from product_inference.model import EmbeddingModel


def test_similarities_are_those_that_the_models_authors_publish(model: EmbeddingModel) -> None:
    # https://www.sbert.net/docs/quickstart.html, to the four digits that stand there.
    texts = ["The weather is lovely today.", "It's so sunny outside!", "He drove to the stadium."]
    vectors = model.run(model.tokens(texts))
    expected = [[1.0, 0.6660, 0.1046], [0.6660, 1.0, 0.1411], [0.1046, 0.1411, 1.0]]
    np.testing.assert_allclose(vectors @ vectors.T, expected, atol=1e-4)


def test_a_paraphrase_is_nearer_than_an_unrelated_text(model: EmbeddingModel) -> None:
    texts = ["waterproof boots for hiking", "shoes to walk in the mountains when it rains", "a ceramic tea pot"]
    product, paraphrase, other = model.run(model.tokens(texts))
    assert product @ paraphrase > 0.5
    assert product @ other < 0.2


def test_a_text_has_the_same_vector_alone_and_beside_longer_ones(model: EmbeddingModel) -> None:
    texts = ["red", "a red cotton shirt", "a shirt of red cotton, with long sleeves and a collar, " * 8]
    together = model.run(model.tokens(texts))
    alone = [model.run(model.tokens([text]))[0] for text in texts]
    np.testing.assert_allclose(together, alone, atol=1e-5)
    np.testing.assert_allclose(np.linalg.norm(together, axis=1), 1, atol=1e-5)


def test_of_a_long_text_the_beginning_is_read(model: EmbeddingModel) -> None:
    begin = "leather shoes " * 300
    (tokens,) = model.tokens([begin])
    assert len(tokens) == model.manifest.max_tokens
    first, second = model.run(model.tokens([begin, begin + "and a tea pot"]))
    np.testing.assert_allclose(first, second, atol=1e-5)


def changed(folder: Path, scratch: Path, **values: object) -> Path:
    copy = scratch / f"model-{len(list(scratch.iterdir()))}"
    copy.mkdir()
    for file in folder.iterdir():
        (copy / file.name).symlink_to(file)
    manifest = json.loads((folder / MANIFEST).read_text())
    (copy / MANIFEST).unlink()
    (copy / MANIFEST).write_text(json.dumps({**manifest, **values}))
    return copy


def test_a_folder_that_is_not_what_its_manifest_says_is_refused(model_folder: Path, scratch: Path) -> None:
    with pytest.raises(BadModel, match="the network has 384 dimensions, its manifest 1024"):
        EmbeddingModel(changed(model_folder, scratch, dimensions=1024), "cpu")
    short = changed(model_folder, scratch)
    (short / "tokenizer.json").unlink()
    with pytest.raises(BadModel, match=r"tokenizer.json is not there, expected \d+ bytes"):
        EmbeddingModel(short, "cpu")
    shutil.copy(model_folder / MANIFEST, short / "tokenizer.json")
    with pytest.raises(BadModel, match=r"tokenizer.json has \d+ bytes, expected"):
        EmbeddingModel(short, "cpu")
    with pytest.raises(BadModel, match="pooling"):
        EmbeddingModel(changed(model_folder, scratch, pooling="sum"), "cpu")


def test_without_a_gpu_the_service_does_not_go_on_with_the_processor_unsaid(model_folder: Path) -> None:
    with pytest.raises(BadModel, match=r"CUDAExecutionProvider.*Set INFERENCE_PROVIDER to cpu|set INFERENCE_PROVIDER"):
        EmbeddingModel(model_folder, "cuda")
