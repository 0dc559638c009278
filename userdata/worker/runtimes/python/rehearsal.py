"""What a spare child imports and calls before its job comes: see rehearse() in runner.py."""


def handler(event: object) -> object:
    """Answers with what it was given."""
    return event
