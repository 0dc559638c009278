"""Who asks: the front signs each request that it passes on, and nobody else has the key."""

import jwt
from fastapi import Request

from music_common.problems import Problem

AUDIENCE = "music-back"
_LEEWAY_S = 5


class Identity:
    """Reads the user from a request's token: a JWT of HS256 with `sub`, `aud` and `exp`.

    Args:
        key: shared with the front.
    """

    def __init__(self, key: str) -> None:
        self._key = key

    def __call__(self, request: Request) -> str:
        """Return the user's name.

        Raises:
            Problem: 401.
        """
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer":
            raise _unknown("There is no bearer token.")
        try:
            claims = jwt.decode(
                token,
                self._key,
                algorithms=["HS256"],
                audience=AUDIENCE,
                leeway=_LEEWAY_S,
                options={"require": ["sub", "aud", "exp"]},
            )
        except jwt.InvalidTokenError as error:
            raise _unknown(f"The token is not valid: {error}.") from None
        return str(claims["sub"])


def _unknown(detail: str) -> Problem:
    return Problem(
        401,
        "unauthorized",
        "It is not known who asks",
        detail,
        "Ask the front: it signs what it passes on.",
        "header Authorization",
    )
