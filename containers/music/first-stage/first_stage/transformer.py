"""A sentiment classifier of three classes, by transformers."""

import importlib
from pathlib import Path
from typing import Any, Literal

from first_stage.models import Sentiment
from music_common.stage import ModelMissing

FILES = ("config.json", "tokenizer_config.json")
"""What a folder of weights has at least, besides the weights themselves."""
CLASSES = {"positive", "neutral", "negative"}


class Transformer:
    """A sequence classifier with weights from a folder; nothing is downloaded.

    Args:
        folder: weights with the labels positive, neutral and negative, such as those of
            cardiffnlp/twitter-roberta-base-sentiment-latest.
        device: `cuda` or `cpu`.

    Raises:
        ModelMissing: naming what is not there.
    """

    def __init__(self, folder: Path, device: Literal["cuda", "cpu"]) -> None:
        missing = [name for name in FILES if not (folder / name).is_file()]
        if missing:
            raise ModelMissing(
                f"MUSIC_CLASSIFIER_DIR: {folder} has no {', '.join(missing)}. "
                "Put the weights of a sentiment classifier there, or set MUSIC_CLASSIFIER to vader."
            )
        library = _library()
        model = library.AutoModelForSequenceClassification.from_pretrained(folder, local_files_only=True)
        labels = {str(label).lower() for label in model.config.id2label.values()}
        if labels != CLASSES:
            raise ModelMissing(f"MUSIC_CLASSIFIER_DIR: expected the labels {sorted(CLASSES)}, got {sorted(labels)}.")
        tokenizer = library.AutoTokenizer.from_pretrained(folder, local_files_only=True)
        self._classify = library.pipeline(
            "text-classification", model=model, tokenizer=tokenizer, device=device, top_k=None, truncation=True
        )
        self._name = f"transformers ({folder.name})"

    def classify(self, text: str) -> Sentiment:
        """Return how a text feels; what is longer than the model takes is judged by its beginning."""
        (found,) = self._classify([text])
        return Sentiment({each["label"].lower(): float(each["score"]) for each in found}, self._name)


def _library() -> Any:
    try:
        return importlib.import_module("transformers")
    except ImportError as error:
        raise ModelMissing(
            f"transformers is not installed: {error}. Use the image for GPUs (requirements-gpu.lock)."
        ) from None
