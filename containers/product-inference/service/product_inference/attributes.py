"""Attributes of products, inferred without training: labels' prompts are compared with the product's own words.

A product and its phrases of up to three words are embedded by the same model as the labels' prompts of taxonomy.json.
For a label, the likeness of the whole text and that of the closest phrase are put together: the first knows what the
product is, the second finds a colour in a long text. What is like every text is not yet like this one: each label's
likeness is taken in standard deviations above its likeness to the labels of other attributes. So one set of thresholds
holds for models whose cosines lie in different ranges. A softmax over an attribute's labels is the confidence; below
the taxonomy's thresholds an attribute is left out.
"""

import itertools
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from importlib import resources

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from product_inference.model import EmbeddingModel, Vectors

PHRASES = 48
"""Phrases of a product that are looked at: the first ones, as a title comes first."""
LONGEST_PHRASE = 3
KEYWORDS = 6
REDUNDANCY = 0.75
"""A phrase that is more like a chosen one than this tells nothing new."""
_LABEL_BATCH = 64
_STOP_WORDS = frozenset(
    re.findall(
        r"\w+",
        "a an and are as at be by for from has have how in into is it its like of on or our out over so such than that "
        "the their them then these they this to up very was we what when which while who will with you your",
    )
)


class Attribute(BaseModel):
    """One attribute of the taxonomy."""

    model_config = ConfigDict(frozen=True, extra="forbid", alias_generator=to_camel)

    minimum_confidence: float = Field(ge=0, le=1)
    minimum_deviations: float = Field(description="standard deviations above the label's likeness to anything else")
    labels: dict[str, str] = Field(
        min_length=2, description="value of the attribute, and the prompt that stands for it"
    )


class Taxonomy(BaseModel):
    """What products can be."""

    model_config = ConfigDict(frozen=True, extra="forbid", alias_generator=to_camel)

    sharpness: float = Field(gt=0, description="of the softmax over standard deviations")
    document_share: float = Field(
        ge=0, le=1, description="of the whole text's likeness; the rest is the closest phrase's"
    )
    attributes: dict[str, Attribute]


@dataclass(frozen=True)
class Inferred:
    """A value with how sure it is, from 0 to 1."""

    value: str
    confidence: float


@dataclass(frozen=True)
class Description:
    """What was inferred of a product."""

    attributes: dict[str, Inferred]
    """By name of the attribute; without those that the text says nothing about."""
    keywords: tuple[Inferred, ...]
    """The phrases that are most like the whole text; confidence is the cosine."""


def read_taxonomy() -> Taxonomy:
    """Return the taxonomy that the package has."""
    return Taxonomy.model_validate_json(resources.files(__package__).joinpath("taxonomy.json").read_bytes())


def phrases(text: str) -> list[str]:
    """Return the phrases of a text, in its order and each once, that have no word without a meaning of its own."""
    return list(itertools.islice(dict.fromkeys(_phrases(text)), PHRASES))


def _phrases(text: str) -> Iterable[str]:
    for clause in re.split(r"[^\w\s'’-]+|\n", text.lower()):
        words = re.findall(r"[\w'’-]+", clause)
        for meaningful, run in itertools.groupby(words, key=lambda word: word not in _STOP_WORDS):
            if meaningful:
                yield from _runs(list(run))


def _runs(words: Sequence[str]) -> Iterable[str]:
    for start in range(len(words)):
        for end in range(start + 1, min(start + LONGEST_PHRASE, len(words)) + 1):
            yield " ".join(words[start:end])


class Describer:
    """Knows the labels' vectors, and describes products by theirs."""

    def __init__(self, model: EmbeddingModel, taxonomy: Taxonomy) -> None:
        self._taxonomy = taxonomy
        prompts = [prompt for each in taxonomy.attributes.values() for prompt in each.labels.values()]
        tokens = model.tokens(prompts)
        parts = [model.run(tokens[start : start + _LABEL_BATCH]) for start in range(0, len(tokens), _LABEL_BATCH)]
        self._labels: Vectors = np.concatenate(parts)
        sizes = [len(each.labels) for each in taxonomy.attributes.values()]
        ends = list(itertools.accumulate(sizes))
        self._slices = [slice(end - size, end) for size, end in zip(sizes, ends, strict=True)]
        self._mean, self._deviation = self._background()

    def _background(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return how like each label is to those of other attributes: its mean, and its attribute's deviation."""
        likeness = self._labels @ self._labels.T
        mean, deviation = np.empty(len(likeness), np.float32), np.empty(len(likeness), np.float32)
        for own in self._slices:
            others = np.delete(likeness[own], np.r_[own], axis=1)
            mean[own] = others.mean(axis=1)
            deviation[own] = others.std(axis=1).mean()
        return mean, deviation

    def describe(self, document: Vectors, found: Sequence[str], vectors: Vectors) -> Description:
        """Infer what a product is.

        Args:
            document: vectors of its whole text and of its title.
            found: its phrases.
            vectors: the phrases' vectors.
        """
        whole = (document @ self._labels.T).max(axis=0)
        closest = (vectors @ self._labels.T).max(axis=0) if len(found) > 0 else whole
        share = self._taxonomy.document_share
        deviations = (share * whole + (1 - share) * closest - self._mean) / self._deviation
        attributes = {}
        for (name, attribute), own in zip(self._taxonomy.attributes.items(), self._slices, strict=True):
            best, confidence = _softmax(deviations[own] * self._taxonomy.sharpness)
            if confidence >= attribute.minimum_confidence and deviations[own][best] >= attribute.minimum_deviations:
                attributes[name] = Inferred(list(attribute.labels)[best], round(confidence, 4))
        return Description(attributes, _keywords(document[0], found, vectors))


def augmentation(title: str, description: str, inferred: Description) -> str:
    """Return the text that a search finds the product by: its own words, and what was inferred of it."""
    sentences = [title, description]
    sentences += [f"{name}: {value.value}" for name, value in inferred.attributes.items()]
    if inferred.keywords:
        sentences.append(f"keywords: {', '.join(each.value for each in inferred.keywords)}")
    return ". ".join(each.strip().rstrip(".") for each in sentences if each.strip()) + "."


def _softmax(values: NDArray[np.float32]) -> tuple[int, float]:
    """Return the place of the largest value, and its share."""
    best = int(values.argmax())
    return best, float(1 / np.exp(values - values[best]).sum())


def _keywords(whole: NDArray[np.float32], found: Sequence[str], vectors: Vectors) -> tuple[Inferred, ...]:
    if len(found) == 0:
        return ()
    likeness = vectors @ whole
    chosen: list[int] = []
    for index in np.argsort(-likeness, kind="stable"):
        if len(chosen) == KEYWORDS:
            break
        if not chosen or float((vectors[chosen] @ vectors[index]).max()) < REDUNDANCY:
            chosen.append(int(index))
    return tuple(Inferred(found[index], round(float(np.clip(likeness[index], 0, 1)), 4)) for index in chosen)
