"""One logic for two colours: what has to be waited for is yielded, and a thin driver waits for it.

A procedure that needs a model, a judge, a generator or a retriever is written once, as a Python generator
that yields `Request`s and is sent what came of them. `serve` does one after the other and blocks; `aserve`
does the same without blocking the event loop. What a request raises is raised where it was yielded, so the
procedure decides what a failure means; LangGraph's control flow is no failure and passes straight through.
Nothing here knows what is asked.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Generator
from functools import partial
from typing import Any, NamedTuple, TypeVar, cast

from langgraph.errors import GraphBubbleUp
from pydantic import BaseModel

from coreact.judge.structured import StructuredModel

T = TypeVar("T")


class Request(NamedTuple):
    """Something to wait for, in both colours."""

    call: Callable[[], Any]
    """Do it, blocking."""
    acall: Callable[[], Awaitable[Any]]
    """Do it without blocking the event loop."""


Asking = Generator[Request, Any, T]
"""A procedure that yields requests, is sent the replies, and returns its result."""


def record_of(
    model: StructuredModel,
    instructions: str,
    material: str,
    reply: type[BaseModel],
    *,
    check: Callable[[Any], str | None] | None = None,
) -> Request:
    """Ask a model for one record, as `StructuredModel.ask` does. Reply: `Asked`."""
    arguments = (instructions, material, reply)
    return Request(partial(model.ask, *arguments, check=check), partial(model.aask, *arguments, check=check))


def work(function: Callable[..., Any], *arguments: Any) -> Request:
    """Call a function that may block, such as a retriever; under `aserve` in a thread of its own."""
    return Request(partial(function, *arguments), partial(asyncio.to_thread, function, *arguments))


def serve(asking: Asking[T]) -> T:
    """Run a procedure to its end, blocking in each request."""
    try:
        request = next(asking)
        while True:
            try:
                reply = request.call()
            except GraphBubbleUp:
                raise
            except Exception as error:  # noqa: BLE001 - handed to the procedure, which knows what to make of it
                request = asking.throw(error)
            else:
                request = asking.send(reply)
    except StopIteration as done:
        return cast("T", done.value)


async def aserve(asking: Asking[T]) -> T:
    """Run a procedure to its end without blocking the event loop."""
    try:
        request = next(asking)
        while True:
            try:
                reply = await request.acall()
            except GraphBubbleUp:
                raise
            except Exception as error:  # noqa: BLE001 - handed to the procedure, which knows what to make of it
                request = asking.throw(error)
            else:
                request = asking.send(reply)
    except StopIteration as done:
        return cast("T", done.value)
