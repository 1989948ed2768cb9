"""Answers that are asked for once, however many rollouts of a group want them at the same time.

The control arm of a reward is one for all rollouts of a point. They are scored side by side, so a plain
memory would be asked by each of them before the first has its answer.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Generic, NamedTuple, TypeVar

T = TypeVar("T")


class Told(NamedTuple, Generic[T]):
    """An answer, and whether it was asked for now."""

    value: T
    fresh: bool


class Once(Generic[T]):
    """A memory of at most `most` answers, the oldest given up first. A failure is not remembered.

    Those who wait for the same answer wait within one event loop. Picklable; what it remembers stays behind.
    """

    def __init__(self, *, most: int = 20_000) -> None:
        self._most = most
        self._known: dict[str, T] = {}
        self._asking: dict[str, asyncio.Lock] = {}

    def __getstate__(self) -> dict[str, Any]:
        return {"_most": self._most, "_known": {}, "_asking": {}}

    def get(self, key: str, ask: Callable[[], T]) -> Told[T]:
        """The answer to `key`, from memory or asked for, blocking."""
        if key in self._known:
            return Told(self._known[key], fresh=False)
        return self._remember(key, ask())

    async def aget(self, key: str, ask: Callable[[], Awaitable[T]]) -> Told[T]:
        """The same, without blocking the event loop."""
        if key in self._known:
            return Told(self._known[key], fresh=False)
        async with self._asking.setdefault(key, asyncio.Lock()):
            try:
                if key in self._known:
                    return Told(self._known[key], fresh=False)
                return self._remember(key, await ask())
            finally:
                self._asking.pop(key, None)

    def _remember(self, key: str, value: T) -> Told[T]:
        while len(self._known) >= self._most:
            self._known.pop(next(iter(self._known)))
        self._known[key] = value
        return Told(value, fresh=True)
