"""Answers that are asked for once, however many rollouts of a group want them at the same time.

The control arm of a reward is one for all rollouts of a point, and so is what a reader says without a rubric.
Rollouts are scored side by side, so a plain memory would be asked by each of them before the first has its
answer. Those who come while somebody asks share the answer, whatever it is; only what is worth keeping is
remembered, and a failure never is.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from threading import Lock
from typing import Any, Generic, NamedTuple, TypeVar

from coreact.generate.gate import Material
from coreact.rubric.canonical import digest

T = TypeVar("T")


class Told(NamedTuple, Generic[T]):
    """An answer, and whether it was asked for now."""

    value: T
    fresh: bool


class Once(Generic[T]):
    """A memory of answers, the one that was longest not asked for given up first.

    Threads and event loops may share it; only those of one event loop wait for each other. Picklable if
    `keep` is; what it remembers stays behind.

    Args:
        most: how many are kept.
        keep: whether an answer is worth keeping; None: every one.
    """

    def __init__(self, *, most: int = 20_000, keep: Callable[[T], bool] | None = None) -> None:
        self._most = most
        self._keep = keep
        self._known: dict[str, T] = {}
        self._asking: dict[str, asyncio.Future[T]] = {}
        self._lock = Lock()

    def __getstate__(self) -> dict[str, Any]:
        return {"_most": self._most, "_keep": self._keep}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state, _known={}, _asking={}, _lock=Lock())

    def get(self, key: str, ask: Callable[[], T]) -> Told[T]:
        """The answer to `key`, from memory or asked for, blocking."""
        return self._recalled(key) or self._fresh(key, ask())

    async def aget(self, key: str, ask: Callable[[], Awaitable[T]]) -> Told[T]:
        """The same, without blocking the event loop. What the one who asks raises, all who wait raise."""
        loop = asyncio.get_running_loop()
        while (known := self._recalled(key)) is None:
            running = self._asking.get(key)
            if running is None or running.get_loop() is not loop:
                return await self._ask(key, ask, loop.create_future())
            await asyncio.wait([running])
            if not running.cancelled():  # else the one who asked gave up: somebody else has to ask
                return Told(running.result(), fresh=False)
        return known

    async def _ask(self, key: str, ask: Callable[[], Awaitable[T]], promised: asyncio.Future[T]) -> Told[T]:
        self._asking[key] = promised
        try:
            told = self._fresh(key, await ask())
        except Exception as error:
            promised.set_exception(error)
            promised.exception()  # looked at: nobody has to wait for it
            raise
        else:
            promised.set_result(told.value)
            return told
        finally:
            promised.cancel()  # changes nothing where it is done
            if self._asking.get(key) is promised:
                del self._asking[key]

    def _recalled(self, key: str) -> Told[T] | None:
        with self._lock:
            if key not in self._known:
                return None
            value = self._known[key] = self._known.pop(key)  # the last one to be forgotten now
        return Told(value, fresh=False)

    def _fresh(self, key: str, value: T) -> Told[T]:
        if self._keep is None or self._keep(value):
            with self._lock:
                self._known[key] = value
                while len(self._known) > self._most:
                    del self._known[next(iter(self._known))]
        return Told(value, fresh=True)


def pair_key(material: Material) -> str:
    """The key of two candidates, in the order in which they are shown."""
    return digest(
        [action.model_dump(exclude={"call": {"id"}}) for action in (material.first, material.second)]
    )
