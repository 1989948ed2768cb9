"""What the adapters of guidance read off their host: the proposal, the status, what holds a call back."""

from __future__ import annotations

from typing import Any

from langchain.agents.middleware.types import ModelResponse, ToolCallRequest
from langchain_core.messages import AIMessage

from coreact.guide.status import HeldCall, StepStatus
from coreact.host.state import STATUS_KEY, value_of


def assistant(response: ModelResponse[Any]) -> AIMessage | None:
    """The assistant message of a response; a structured answer has a tool message beside it."""
    return next((message for message in response.result if isinstance(message, AIMessage)), None)


def status_of(state: Any) -> StepStatus | None:
    """The public status in a graph's state, if there is one."""
    status: StepStatus | None = value_of(state, STATUS_KEY)
    return status


def held_call(request: ToolCallRequest) -> tuple[StepStatus | None, HeldCall | None]:
    """The status, and what holds this call back, if anything does.

    A call that a human was to be asked about and that nobody released is held like any other:
    where the question was never put, it must not run.
    """
    status = status_of(request.state)
    if status is None:
        return None, None
    return status, status["held"].get(request.tool_call["id"] or "")
