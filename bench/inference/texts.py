"""Texts as a shop has them, of a few words to a few sentences, the same for the same seed."""

import random

_NOUNS = (
    "shoes",
    "shirt",
    "lamp",
    "table",
    "pan",
    "backpack",
    "jacket",
    "headphones",
    "puzzle",
    "blanket",
    "knife",
    "tent",
)
_WORDS = (
    "red",
    "blue",
    "light",
    "waterproof",
    "leather",
    "cotton",
    "steel",
    "for women",
    "for children",
    "handmade",
    "foldable",
)
_SENTENCES = (
    "It is made of {0} and {1} parts that last for years.",
    "Its {0} finish goes with every room.",
    "You can wash it at thirty degrees, and it stays {1}.",
    "The set comes with a {0} case, a manual in five languages and two years of warranty.",
)


def product_texts(count: int, seed: int = 7) -> list[str]:
    """Return product texts: a title, and up to four sentences."""
    rng = random.Random(seed)  # noqa: S311 (it draws words)
    texts = []
    for _ in range(count):
        first, second = rng.sample(_WORDS, 2)
        sentences = rng.sample(_SENTENCES, rng.randint(0, len(_SENTENCES)))
        title = f"{first.capitalize()} {rng.choice(_NOUNS)}"
        texts.append(" ".join([f"{title}.", *(sentence.format(first, second) for sentence in sentences)]))
    return texts
