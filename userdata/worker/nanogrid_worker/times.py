"""Times, in the one form that the protocol knows."""

from datetime import UTC, datetime


def now() -> datetime:
    """The time now, in UTC."""
    return datetime.now(UTC)


def iso(time: datetime) -> str:
    """ISO 8601 in UTC with milliseconds, such as `2026-01-31T10:00:00.000Z`."""
    return time.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def epoch_s(time: datetime) -> int:
    """Whole seconds since 1970."""
    return int(time.timestamp())
