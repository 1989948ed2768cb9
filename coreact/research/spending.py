"""How many tool calls a part of the research may make, and which of them a human must allow.

One middleware for `create_agent`. The number stands in the agent's state, so that one agent serves parts with
different shares. When it is used up the model is told to answer, and calls that it makes all the same are
refused; one that goes on calling is ended. Calls of tools whose `metadata["cost"]` (USD a call) lies above
a bound wait for a human, who is asked in a node after the model: the checkpoint before it holds what was
proposed, so that what is approved is what runs. A tool that raises gives an error result that the model can
act on. Calls whose ids are missing or the same, as small servers write them, get ids of their own.
"""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from itertools import count
from typing import Any, NotRequired, cast

from langchain.agents.middleware.types import (
    AgentMiddleware,
    AgentState,
    ModelRequest,
    ModelResponse,
    ToolCallRequest,
    hook_config,
)
from langchain_core.messages import AIMessage, AnyMessage, BaseMessage, ToolMessage
from langchain_core.tools import BaseTool
from langgraph.errors import GraphBubbleUp
from langgraph.types import Command, interrupt

from coreact.errors import ConfigError
from coreact.host.messages import SOURCE, SOURCE_KEY

OVER = "over_budget"
"""Key in `additional_kwargs` of results that stand in for calls beyond the share."""
REJECTED = "rejected"
"""The same of calls that a human did not allow."""

_DECISIONS = ("approve", "reject")
_ERROR_CHARS = 500  # of a tool's error that the model is shown


class ShareState(AgentState[Any]):
    """Agent state with the share of tool calls."""

    allowance: NotRequired[int]
    """Tool calls that this part may make; none may where it is left out."""


class CallBudget(AgentMiddleware[Any, Any, Any]):
    """Keeps an agent to its share of tool calls, and asks a human about expensive ones.

    Args:
        tools: the agent's tools, for their costs.
        ask_above: USD, at least 0; calls of tools that cost more wait for a human. None: nobody is asked.

    Raises:
        ConfigError: `ask_above` is no such number, or with it a tool's cost is none.
    """

    state_schema = ShareState

    def __init__(self, tools: Sequence[BaseTool], *, ask_above: float | None = None) -> None:
        super().__init__()
        if ask_above is not None:
            _must_be_known(tools, ask_above)
        self._costs = {tool.name: cost for tool in tools if (cost := cost_of(tool)) is not None}
        self._ask_above = ask_above

    # --- around the model ---------------------------------------------------------------------

    def wrap_model_call(
        self, request: ModelRequest[Any], handler: Callable[[ModelRequest[Any]], ModelResponse[Any]]
    ) -> ModelResponse[Any]:
        """Call the model, with tools forbidden once they are used up."""
        return _told_apart(handler(_within(request)))

    async def awrap_model_call(
        self,
        request: ModelRequest[Any],
        handler: Callable[[ModelRequest[Any]], Awaitable[ModelResponse[Any]]],
    ) -> ModelResponse[Any]:
        """The same, without blocking the event loop."""
        return _told_apart(await handler(_within(request)))

    @hook_config(can_jump_to=["end"])
    def after_model(self, state: Any, runtime: Any) -> dict[str, Any] | None:
        """Refuse calls beyond the share, and ask about expensive ones among the others."""
        message = state["messages"][-1]
        if not isinstance(message, AIMessage) or not message.tool_calls:
            return None
        before = proposed(state["messages"][:-1])
        left = max(0, state.get("allowance", 0) - before)
        results = [
            _result(call, "This call was not made: no tool calls are left. Answer now.", {OVER: True})
            for call in message.tool_calls[left:]
        ]
        if not left:
            return {"messages": results, "jump_to": "end"}
        results += self._rejected(message.tool_calls[:left])
        return {"messages": results} if results else None

    @hook_config(can_jump_to=["end"])
    async def aafter_model(self, state: Any, runtime: Any) -> dict[str, Any] | None:
        """The same; `interrupt` does not block."""
        return self.after_model(state, runtime)

    def _rejected(self, calls: Sequence[Mapping[str, Any]]) -> list[ToolMessage]:
        bound = self._ask_above
        if bound is None:
            return []
        asked = [call for call in calls if self._costs.get(call["name"], 0.0) > bound]
        if not asked:
            return []
        decisions = _ask([self._request(call) for call in asked])
        return [
            _result(call, str(decision.get("message") or "A human rejected this call."), {REJECTED: True})
            for call, decision in zip(asked, decisions, strict=True)
            if decision["type"] == "reject"
        ]

    def _request(self, call: Mapping[str, Any]) -> dict[str, Any]:
        about = f"One call of {call['name']!r} costs {self._costs[call['name']]:g} USD."
        return {"name": call["name"], "args": call["args"], "description": about}

    # --- around each tool -----------------------------------------------------------------------

    def wrap_tool_call(
        self, request: ToolCallRequest, handler: Callable[[ToolCallRequest], ToolMessage | Command[Any]]
    ) -> ToolMessage | Command[Any]:
        """Run the tool; what it raises becomes an error result."""
        try:
            return handler(request)
        except GraphBubbleUp:
            raise
        except Exception as error:  # noqa: BLE001 - a tool may raise anything, and the research goes on
            return _failed(request, error)

    async def awrap_tool_call(
        self,
        request: ToolCallRequest,
        handler: Callable[[ToolCallRequest], Awaitable[ToolMessage | Command[Any]]],
    ) -> ToolMessage | Command[Any]:
        """The same, without blocking the event loop."""
        try:
            return await handler(request)
        except GraphBubbleUp:
            raise
        except Exception as error:  # noqa: BLE001 - a tool may raise anything, and the research goes on
            return _failed(request, error)


def cost_of(tool: BaseTool) -> float | None:
    """What one call of a tool costs in USD, as its metadata says; None where it says nothing usable."""
    cost = (tool.metadata or {}).get("cost")
    usable = isinstance(cost, int | float) and not isinstance(cost, bool) and cost >= 0
    return float(cast("float", cost)) if usable else None


def _must_be_known(tools: Sequence[BaseTool], ask_above: float) -> None:
    """Refuse what would let an expensive call pass unasked: a bound or a cost that compares with nothing."""
    if math.isnan(ask_above) or ask_above < 0:
        raise ConfigError(
            f"ask_above={ask_above} is no amount of money.", remedy="Give USD a call, at least 0, or None."
        )
    for tool in tools:
        said = (tool.metadata or {}).get("cost")
        if said is not None and cost_of(tool) is None:
            raise ConfigError(
                f"The tool {tool.name!r} says that a call costs {said!r}.",
                remedy="Give metadata['cost'] as a number of USD a call, at least 0, or leave it out.",
            )


def refused(message: ToolMessage) -> bool:
    """Whether a result stands in for a call that did not run: beyond the share, or not allowed by a human."""
    return not {OVER, REJECTED}.isdisjoint(message.additional_kwargs)


def proposed(messages: Sequence[AnyMessage]) -> int:
    """Tool calls that a conversation holds, refused ones included."""
    return sum(len(message.tool_calls) for message in messages if isinstance(message, AIMessage))


def _within(request: ModelRequest[Any]) -> ModelRequest[Any]:
    allowance = int(cast("Mapping[str, Any]", request.state).get("allowance", 0))
    if not request.tools or proposed(request.messages) < allowance:
        return request
    return request.override(tool_choice="none")


def _told_apart(response: ModelResponse[Any]) -> ModelResponse[Any]:
    return replace(response, result=[_with_own_ids(message) for message in response.result])


def _with_own_ids(message: BaseMessage) -> BaseMessage:
    if not isinstance(message, AIMessage):
        return message
    ids = [call["id"] or "" for call in message.tool_calls]
    taken = set(ids)
    for at, known in enumerate(ids):
        if not known or known in ids[:at]:
            ids[at] = next(new for n in count(at) if (new := f"{known or 'call'}-{n}") not in taken)
            taken.add(ids[at])
    if ids == [call["id"] for call in message.tool_calls]:
        return message
    calls = [call | {"id": own} for call, own in zip(message.tool_calls, ids, strict=True)]
    return message.model_copy(update={"tool_calls": calls})


def _result(call: Mapping[str, Any], text: str, marks: Mapping[str, Any] | None = None) -> ToolMessage:
    return ToolMessage(
        text,
        tool_call_id=call["id"],
        name=call["name"],
        status="error",
        additional_kwargs={SOURCE_KEY: SOURCE, **(marks or {})},
    )


def _failed(request: ToolCallRequest, error: Exception) -> ToolMessage:
    call = request.tool_call
    text = f"The tool failed: {type(error).__name__}: {error}"[:_ERROR_CHARS]
    return ToolMessage(text, tool_call_id=call["id"], name=call["name"], status="error")


def _ask(requests: Sequence[Mapping[str, Any]]) -> Sequence[Mapping[str, Any]]:
    question: dict[str, Any] = {
        "action_requests": list(requests),
        "review_configs": [
            {"action_name": request["name"], "allowed_decisions": list(_DECISIONS)} for request in requests
        ],
    }
    # The host keeps a resume value before anyone reads it, so a wrong one cannot be refused by an error.
    reply = interrupt(question)
    while not _decides(reply, len(requests)):
        error = (
            f"The resume value {reply!r} does not decide the calls. Resume with "
            '{"decisions": [{"type": "approve"} or {"type": "reject", "message": "…"}, …]}, '
            f"{len(requests)} in all."
        )
        reply = interrupt(question | {"error": error})
    decisions: Sequence[Mapping[str, Any]] = reply["decisions"]
    return decisions


def _decides(reply: Any, expected: int) -> bool:
    decisions = reply.get("decisions") if isinstance(reply, Mapping) else None
    if not isinstance(decisions, list | tuple) or len(decisions) != expected:
        return False
    return all(isinstance(one, Mapping) and one.get("type") in _DECISIONS for one in decisions)
