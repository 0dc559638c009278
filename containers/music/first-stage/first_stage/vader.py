"""VADER: a lexicon with rules, small, for laptops and tests. English only."""

from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer

from first_stage.models import Sentiment


class Vader:
    """The valence of 7,500 words, with rules for negation, degree and contrast."""

    def __init__(self) -> None:
        self._analyzer = SentimentIntensityAnalyzer()

    def classify(self, text: str) -> Sentiment:
        """Return how a text feels: its compound score, spread over the three classes."""
        compound = float(self._analyzer.polarity_scores(text)["compound"])
        scores = {"positive": max(0.0, compound), "negative": max(0.0, -compound), "neutral": 1 - abs(compound)}
        return Sentiment(scores, "vader")
