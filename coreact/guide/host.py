"""Facts of LangChain and LangGraph that every adapter needs, each in one place.

Quiet contexts for calls that must not stream, messages that are marked as injected, custom stream
events, and what holds a tool call back. No decision is made here.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Generator, Mapping
from contextlib import contextmanager
from contextvars import Context, copy_context
from dataclasses import replace
from typing import Any, TypeVar

from langchain.agents.middleware.types import ModelResponse, ToolCallRequest
from langchain_core.messages import AIMessage, AnyMessage, HumanMessage
from langchain_core.runnables.config import RunnableConfig, set_config_context
from langgraph.config import get_config
from langgraph.types import Command

from coreact.guide.messages import SOURCE, SOURCE_KEY
from coreact.guide.status import STATUS_KEY, HeldCall, StepStatus

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


def injected(text: str) -> AnyMessage:
    """A message for one request only, marked as ours."""
    return HumanMessage(content=text, additional_kwargs={SOURCE_KEY: SOURCE})


def assistant(response: ModelResponse[Any]) -> AIMessage | None:
    """The assistant message of a response; a structured answer has a tool message beside it."""
    return next((message for message in response.result if isinstance(message, AIMessage)), None)


def status_of(state: Any) -> StepStatus | None:
    """The public status in a graph's state, if there is one."""
    return state.get(STATUS_KEY) if isinstance(state, Mapping) else getattr(state, STATUS_KEY, None)


def held_call(request: ToolCallRequest) -> tuple[StepStatus | None, HeldCall | None]:
    """The status, and what holds this call back, if anything does.

    A call that a human was to be asked about and that nobody released is held like any other:
    where the question was never put, it must not run.
    """
    status = status_of(request.state)
    if status is None:
        return None, None
    return status, status["held"].get(request.tool_call["id"] or "")


def without_status(result: Any) -> Any:
    """A tool's result without the status that an agent behind the tool hands up with its state.

    A subagent that is guided as well returns its own status; it must not replace the caller's,
    and two of them at once would conflict.
    """
    if isinstance(result, list):
        return [without_status(part) for part in result]
    if (
        isinstance(result, Command)
        and result.graph is None
        and isinstance(result.update, Mapping)
        and STATUS_KEY in result.update
    ):
        kept = {key: value for key, value in result.update.items() if key != STATUS_KEY}
        return replace(result, update=kept)
    return result


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
