"""Greets, says which Python it runs on, and counts primes, so that there is something to measure."""

import platform

LARGEST_LIMIT = 20_000_000


def handler(event: dict[str, object] | None) -> dict[str, object]:
    """Answers `{"name": ..., "primes_below": ...}`; both may be left out."""
    event = event or {}
    name = str(event.get("name") or "world")
    limit = int(str(event.get("primes_below", 100_000)))
    if not 0 <= limit <= LARGEST_LIMIT:
        raise ValueError(f"primes_below: expected 0 to {LARGEST_LIMIT}, got {limit}")
    print(f"counting the primes below {limit}")
    return {
        "greeting": f"Hello, {name}!",
        "python": platform.python_version(),
        "primes_below": limit,
        "primes": count_primes(limit),
    }


def count_primes(limit: int) -> int:
    """How many primes are below the limit, by the sieve of Eratosthenes."""
    sieve = bytearray([1]) * limit
    sieve[:2] = bytes(min(limit, 2))
    for number in range(2, int(limit**0.5) + 1):
        if sieve[number]:
            sieve[number * number :: number] = bytes(len(range(number * number, limit, number)))
    return sum(sieve)
