"""Works for as long as it is told, says how far it is, and keeps what it has so far in a file.

A run that is cancelled keeps its log; one that meets its time limit keeps its files, too.
"""

import math
import time
from pathlib import Path
from typing import Any

RESULT = Path("/output/estimates.csv")
LONGEST_S = 24 * 3600


def handler(event: dict[str, Any] | None) -> dict[str, Any]:
    """Estimates pi in `{"steps": 30, "seconds": 1}` steps of so many seconds each; both may be left out."""
    event = event or {}
    steps, seconds = int(event.get("steps", 30)), float(event.get("seconds", 1))
    if steps < 1 or seconds <= 0 or steps * seconds > LONGEST_S:
        raise ValueError(f"steps, seconds: expected more than zero, and {LONGEST_S} s together at most")
    total = terms = 0
    begun = time.monotonic()
    with RESULT.open("w", buffering=1) as file:
        file.write("step,terms,estimate\n")
        for step in range(1, steps + 1):
            end = begun + step * seconds
            while time.monotonic() < end:
                total, terms = add_terms(total, terms)
            file.write(f"{step},{terms},{4 * total:.12f}\n")
            print(f"step {step} of {steps}: {terms} terms, {100 * step // steps} %", flush=True)
    return {"steps": steps, "terms": terms, "pi": 4 * total, "error": abs(4 * total - math.pi)}


def add_terms(total: float, terms: int, count: int = 10_000) -> tuple[float, int]:
    """Leibniz' series, so many terms further."""
    for n in range(terms, terms + count):
        total += (1 - n % 2 * 2) / (2 * n + 1)
    return total, terms + count
