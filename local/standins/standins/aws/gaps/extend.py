"""How a gap extends moto in place."""

from __future__ import annotations

import functools
from collections.abc import Callable
from types import ModuleType
from typing import Any

from moto.core.responses import BaseResponse


def wrap(owner: type, name: str) -> Callable[[Callable[..., Any]], None]:
    """Replaces the method `name` of a moto class by the decorated function, whose first argument is the original.

    Raises AttributeError when moto has no such method (any more), so that a gap never closes on nothing unseen.
    """
    original = getattr(owner, name)

    def install(replacement: Callable[..., Any]) -> None:
        @functools.wraps(original)
        def method(self: Any, *arguments: Any, **named: Any) -> Any:
            return replacement(original, self, *arguments, **named)

        setattr(owner, name, method)

    return install


def add(owner: type, name: str) -> Callable[[Callable[..., Any]], None]:
    """Gives a moto class the method `name` that it lacks.

    Raises AttributeError when moto has learnt it: the gap is then to be removed here.
    """
    if name in vars(owner):
        raise AttributeError(f"{owner.__name__}.{name} exists in this moto: remove the gap that adds it")

    def install(method: Callable[..., Any]) -> None:
        setattr(owner, name, method)

    return install


def define(owner: type, name: str, value: object) -> None:
    """Gives a moto class an attribute that it lacks, or another value for one it has."""
    setattr(owner, name, value)


def serve(urls: ModuleType, old: type[BaseResponse], new: type[BaseResponse]) -> None:
    """Lets `new`, a subclass of moto's response class `old`, answer that service's requests.

    Raises LookupError when moto no longer serves `old` there.
    """
    ours = [pattern for pattern, handler in urls.url_paths.items() if getattr(handler, "__self__", None) is old]
    if not ours:
        raise LookupError(f"{urls.__name__} serves no {old.__name__}")
    for pattern in ours:
        urls.url_paths[pattern] = getattr(new, urls.url_paths[pattern].__name__)
