"""What keeps every agent of a bench to its tool calls, and its samples apart.

A model may make several calls in one message, more than are left. Excluding such an episode would drop the
control where guidance, whose retries tend to end in one call, stays: the arms would be compared on the tasks
that suit one of them. So the calls that fit are made in their order, for every arm alike, and the others are
told that they were not. `Samples` is for arms that ask for the same step several times: a model with a seed
of its own says the same to the same request, and several candidates would be one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any

from langchain.agents.middleware import AgentMiddleware, ModelRequest, ModelResponse
from langchain.agents.middleware.types import ToolCallRequest
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, ToolMessage
from langgraph.types import Command

from coreact.host.messages import last_question

REFUSED = "This call was not made: no tool calls are left. Answer now."
"""Result of a call that does not fit into the budget."""

Result = ToolMessage | Command[Any]


class WithinBudget(AgentMiddleware[Any, Any, Any]):
    """Makes only so many tool calls for a question; the others get `REFUSED` with status `error`.

    Args:
        tool_calls: calls since the user's last message, at least 0.
    """

    def __init__(self, tool_calls: int) -> None:
        super().__init__()
        self._tool_calls = tool_calls

    def wrap_tool_call(
        self, request: ToolCallRequest, handler: Callable[[ToolCallRequest], Result]
    ) -> Result:
        """Make the call, or refuse it."""
        return self._refused(request) or handler(request)

    async def awrap_tool_call(
        self, request: ToolCallRequest, handler: Callable[[ToolCallRequest], Awaitable[Result]]
    ) -> Result:
        """The same, without blocking the event loop."""
        return self._refused(request) or await handler(request)

    def _refused(self, request: ToolCallRequest) -> ToolMessage | None:
        if _place(request) < self._tool_calls:
            return None
        call = request.tool_call
        return ToolMessage(REFUSED, name=call["name"], tool_call_id=call["id"] or "", status="error")


def _place(request: ToolCallRequest) -> int:
    """Which call of the question this one is, from 0."""
    messages: list[Any] = list(request.state["messages"])
    made = [
        call["id"]
        for message in messages[max(last_question(messages), 0) :]
        if isinstance(message, AIMessage)
        for call in message.tool_calls
    ]
    # The last one of its id: an id may come again in a later message.
    return len(made) - 1 - made[::-1].index(request.tool_call["id"])


class Samples(AgentMiddleware[Any, Any, Any]):
    """Gives a request that comes again another sampler seed each time; the first stays as it is.

    Args:
        sampled: the model of a sample, by its number from 1.
    """

    def __init__(self, sampled: Callable[[int], BaseChatModel]) -> None:
        super().__init__()
        self._sampled = sampled
        self._asked: Counter[str] = Counter()

    def wrap_model_call(
        self, request: ModelRequest[Any], handler: Callable[[ModelRequest[Any]], ModelResponse[Any]]
    ) -> ModelResponse[Any]:
        """Ask, with another seed where the same was asked before."""
        return handler(self._again(request))

    async def awrap_model_call(
        self,
        request: ModelRequest[Any],
        handler: Callable[[ModelRequest[Any]], Awaitable[ModelResponse[Any]]],
    ) -> ModelResponse[Any]:
        """The same, without blocking the event loop."""
        return await handler(self._again(request))

    def _again(self, request: ModelRequest[Any]) -> ModelRequest[Any]:
        asked = repr([(one.type, one.content, getattr(one, "tool_calls", None)) for one in request.messages])
        before = self._asked[asked]
        self._asked[asked] += 1
        return request.override(model=self._sampled(before)) if before else request
