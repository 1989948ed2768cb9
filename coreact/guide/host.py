"""What the adapters of guidance read off their host: the proposal, the status, what holds a call back."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from langchain.agents.middleware.types import ModelResponse, ToolCallRequest
from langchain_core.messages import AIMessage, ToolMessage

from coreact.guide.requests import Proposal
from coreact.guide.status import HeldCall, StepStatus
from coreact.host.messages import actions_of, message_json, retold
from coreact.host.state import STATUS_KEY, value_of
from coreact.judge import Cost


def proposal_of(
    message: AIMessage, *, payload: Any, answer_tools: frozenset[str] = frozenset(), seconds: float = 0.0
) -> Proposal:
    """Make a proposal of an assistant message, with the tokens it reports."""
    usage = message.usage_metadata
    return Proposal(
        actions=actions_of(message, answer_tools=answer_tools),
        payload=payload,
        message=message_json(message),
        text=str(message.text),
        cost=Cost(
            calls=1,
            input_tokens=usage["input_tokens"] if usage else 0,
            output_tokens=usage["output_tokens"] if usage else 0,
            seconds=seconds,
        ),
    )


def proposed(response: ModelResponse[Any], seconds: float) -> Proposal:
    """The proposal in a response of `create_agent`'s model."""
    message = assistant(response) or AIMessage("")
    # A call that comes with its result is the artificial one that hands in a structured answer.
    answered = {result.tool_call_id for result in response.result if isinstance(result, ToolMessage)}
    return proposal_of(
        message,
        payload=response,
        answer_tools=frozenset(call["name"] for call in message.tool_calls if call["id"] in answered),
        seconds=seconds,
    )


def stripped(response: ModelResponse[Any], text: str) -> ModelResponse[Any]:
    """The response, its assistant message with another text."""
    message = assistant(response)
    return replace(response, result=[retold(one, text) if one is message else one for one in response.result])


def told(response: ModelResponse[Any]) -> dict[str, Any]:
    """The response as plain JSON; None stands for the assistant message, which the attempt holds."""
    message = assistant(response)
    return {"messages": [None if one is message else message_json(one) for one in response.result]}


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
