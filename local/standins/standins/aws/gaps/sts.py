"""STS: the secret of a session."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from moto.sts.models import AssumedRole

from standins.aws.gaps.extend import wrap

#: The secret of every access key at the stand-ins, so that what checks signatures needs to ask nobody.
SECRET = "local"  # noqa: S105


class AssumedRoles:
    """moto makes up a secret for each session; whoever checks a signature could not know it."""

    def install(self) -> None:
        """Extends moto."""

        @wrap(AssumedRole, "__init__")
        def init(original: Callable[..., None], session: AssumedRole, *arguments: Any, **named: Any) -> None:
            original(session, *arguments, **named)
            session.access_key.secret_access_key = SECRET
            session.secret_access_key = SECRET
