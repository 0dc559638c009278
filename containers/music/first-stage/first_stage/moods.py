"""Moods: what a sentiment means for music."""

from typing import Any

from first_stage.models import Sentiment

MOODS = ((0.6, "joyful"), (0.2, "bright"), (-0.2, "calm"), (-0.6, "wistful"), (-1.0, "sombre"))
"""The least valence of each mood, from the brightest down."""


def mood_of(sentiment: Sentiment) -> dict[str, Any]:
    """Return the mood as a document: `mood`, `valence` from -1 to 1, `scores`, `model`."""
    valence = sentiment.valence
    mood = next((name for least, name in MOODS if valence >= least), MOODS[-1][1])
    scores = {name: round(score, 4) for name, score in sorted(sentiment.scores.items())}
    return {"mood": mood, "valence": round(valence, 4), "scores": scores, "model": sentiment.model}
