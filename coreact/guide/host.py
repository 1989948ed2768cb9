"""Facts of LangChain and LangGraph that every adapter needs, each in one place.

Quiet contexts for attempts that must not stream, messages that are marked as injected, custom
stream events, and which failure of a model call belongs to whom. No decision is made here.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping
from contextlib import contextmanager
from contextvars import Context, copy_context
from typing import Any

from langchain.agents.middleware.types import ModelResponse, ToolCallRequest
from langchain_core.messages import AIMessage, AnyMessage, HumanMessage
from langchain_core.runnables.config import merge_configs, set_config_context
from langgraph.config import get_config
from langgraph.errors import GraphBubbleUp

from coreact.errors import ModelCallError
from coreact.guide.loop import CallModel, Failed, Proposal
from coreact.guide.messages import SOURCE, SOURCE_KEY
from coreact.guide.status import STATUS_KEY, HeldCall, StepStatus


@contextmanager
def quiet_context() -> Generator[Context]:
    """A context in which model calls stream nothing: the current config plus the `nostream` tag."""
    try:
        config = get_config()
    except RuntimeError:  # outside of a graph there is no stream to keep quiet
        yield copy_context()
        return
    with set_config_context(merge_configs(config, {"tags": ["nostream"]})) as context:
        yield context


def later_failure(error: Exception, wanted: CallModel) -> Failed:
    """A failed retry costs the retry; a failed first call is the agent's own failure and raises."""
    if wanted.attempt == 0:
        raise error
    return Failed(error=ModelCallError(f"The model failed in a retry: {type(error).__name__}: {error}."))


def outcome(error: BaseException | None, future: Any) -> Any:
    """A future's result, or the exception it ended with."""
    return future.result() if error is None else error


def tolerated(replies: list[Any]) -> tuple[Proposal | Failed, ...]:
    """Tolerate candidates that failed as long as one did not."""
    errors = [reply for reply in replies if isinstance(reply, BaseException)]
    for error in errors:
        if (
            isinstance(error, GraphBubbleUp)
            or not isinstance(error, Exception)
            or len(errors) == len(replies)
        ):
            raise error
    return tuple(
        Failed(error=ModelCallError(f"A candidate failed: {type(reply).__name__}: {reply}."))
        if isinstance(reply, Exception)
        else reply
        for reply in replies
    )


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
    """The status, and what holds this call back, if anything does."""
    status = status_of(request.state)
    if status is None:
        return None, None
    held = status["held"].get(request.tool_call["id"] or "")
    return status, held if held is not None and held["disposition"] in ("blocked", "returned") else None


def emit(runtime: Any, event: dict[str, Any]) -> None:
    """Send an event to custom streams; nothing happens where nobody streams."""
    writer = getattr(runtime, "stream_writer", None)
    if writer is not None:
        writer(event)
