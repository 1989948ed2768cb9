"""What reaches streams: quiet contexts for calls that must not stream, and custom events."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Generator
from contextlib import contextmanager
from contextvars import Context, copy_context
from typing import Any, TypeVar

from langchain_core.runnables.config import RunnableConfig, set_config_context
from langgraph.config import get_config
from langgraph.runtime import get_runtime

T = TypeVar("T")

Writer = Callable[[dict[str, Any]], object]
"""Sends an event to custom streams."""


@contextmanager
def quiet_context() -> Generator[Context]:
    """A context in which model calls stream nothing: the current config plus the `nostream` tag."""
    try:
        config = get_config()
    except RuntimeError:  # outside of a graph there is no stream to keep quiet
        yield copy_context()
        return
    quiet: RunnableConfig = {**config, "tags": [*(config.get("tags") or ()), "nostream"]}
    with set_config_context(quiet) as context:
        yield context


def quietly(function: Callable[..., T], *arguments: Any) -> T:
    """Call a function so that no model call inside of it streams."""
    with quiet_context() as context:
        return context.run(function, *arguments)


async def aquietly(function: Callable[..., Awaitable[T]], *arguments: Any) -> T:
    """Await a function so that no model call inside of it streams."""

    async def called() -> T:
        return await function(*arguments)

    with quiet_context() as context:
        return await asyncio.get_running_loop().create_task(called(), context=context)


def writer_of(runtime: Any) -> Writer | None:
    """Where custom stream events go, or None where nobody streams them.

    Events carry whole rubrics and attempts, so they are not built for nobody. LangGraph does not say
    whether a custom stream is open; without one its writer is a function of its own that refers to
    nothing. Any other writer is taken for a listener.
    """
    writer: Writer | None = getattr(runtime, "stream_writer", None)
    is_langgraphs = str(getattr(writer, "__module__", "")).startswith("langgraph.")
    if is_langgraphs and getattr(writer, "__closure__", ()) is None:
        return None
    return writer


def current_writer() -> Writer | None:
    """The same for whatever node runs now; None outside of a graph."""
    try:
        return writer_of(get_runtime())
    except (RuntimeError, KeyError):  # outside of a graph nobody streams
        return None
