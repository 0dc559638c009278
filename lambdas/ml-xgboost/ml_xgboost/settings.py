"""The function's settings: environment variables, read once, when Lambda starts it."""

from collections.abc import Mapping
from typing import NamedTuple

_LARGEST = 10_000


class SettingsError(Exception):
    """A variable is wrong; the message says which, and what to set."""


class Settings(NamedTuple):
    """What the function runs with."""

    max_rows: int
    """Most rows of one request: ML_MAX_ROWS, by default 1000."""


def read_settings(env: Mapping[str, str]) -> Settings:
    """Read the settings.

    Args:
        env: the environment variables.

    Raises:
        SettingsError: ML_MAX_ROWS is no whole number in its bounds.
    """
    text = env.get("ML_MAX_ROWS", "1000")
    if not text.isascii() or not text.isdigit() or not 1 <= int(text) <= _LARGEST:
        raise SettingsError(f"ML_MAX_ROWS: expected a whole number from 1 to {_LARGEST}, got {text!r}. Set it so.")
    return Settings(max_rows=int(text))
