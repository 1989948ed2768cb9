"""Do several things at once, and describe what one of them raised.

Everything starts at once; how many calls run at the same time is up to the `Throttle` that the models
share. A judge that fails is `consult`'s business.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import NamedTuple, TypeVar

from langchain_core.runnables.config import ContextThreadPoolExecutor

from coreact.judge.failure import classify
from coreact.judge.records import Cause, Cost

T = TypeVar("T")

_SHOWN = 300


class Failed(NamedTuple):
    """A member that gave no result, and why."""

    by: str
    """Its id."""
    cause: Cause
    reason: str
    cost: Cost = Cost()


def failed(error: Exception, by: str) -> Failed:
    """Describe what a member raised. What it spent is taken from the error, where that says so."""
    reason = " ".join(f"{type(error).__name__}: {error}".split())[:_SHOWN]
    spent = getattr(error, "cost", None)
    return Failed(by, classify(error), reason, spent if isinstance(spent, Cost) else Cost(calls=1))


def together(calls: Sequence[Callable[[], T]]) -> list[T]:
    """Make all calls at once, each in a thread with a copy of this context; results in order.

    All are waited for before the first error, if any, is raised.
    """
    with ContextThreadPoolExecutor(
        max_workers=max(1, len(calls)), thread_name_prefix="coreact-panel"
    ) as pool:
        return [future.result() for future in [pool.submit(call) for call in calls]]


async def atogether(calls: Sequence[Callable[[], Awaitable[T]]]) -> list[T]:
    """The same, as tasks of the running event loop."""
    results = await asyncio.gather(*(call() for call in calls), return_exceptions=True)
    for result in results:
        if isinstance(result, BaseException):
            raise result
    return [result for result in results if not isinstance(result, BaseException)]
