"""A plain ReAct agent over a searchable corpus, and the same agent guided by Co-ReAct.

`build` makes the agent from any model and tools. `graph` and `guided_graph` are factories for a
LangGraph server (`langgraph.json`): the embedded gazetteer as corpus, and the model that the
configuration names (`local`, or `provider:name` as LangChain writes it). Both agents have the same
prompt, the same tools and the same number of tool calls; the guided one has the middleware.
"""

from __future__ import annotations

import atexit
from collections.abc import Awaitable, Callable, Sequence
from contextlib import ExitStack
from functools import lru_cache
from typing import Any

from langchain.agents import create_agent
from langchain.agents.middleware import AgentMiddleware, ModelRequest, ModelResponse
from langchain.chat_models import init_chat_model
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.runnables import RunnableConfig
from langchain_core.tools import BaseTool

from coreact import CoReActMiddleware

PROMPT = "Search before you answer."
"""Short, because the embedded model is small: longer prompts made it answer at once."""

TOOL_CALLS = 4
"""Tool calls an agent may make before it has to answer."""


class AnswerAfter(AgentMiddleware[Any, Any, Any]):
    """Forbids tools after a number of tool calls, so that the next message is the answer."""

    def __init__(self, tool_calls: int) -> None:
        super().__init__()
        self.tool_calls = tool_calls

    def wrap_model_call(
        self, request: ModelRequest[Any], handler: Callable[[ModelRequest[Any]], ModelResponse[Any]]
    ) -> ModelResponse[Any]:
        """Call the model, with tools forbidden once they are used up."""
        return handler(self._within(request))

    async def awrap_model_call(
        self,
        request: ModelRequest[Any],
        handler: Callable[[ModelRequest[Any]], Awaitable[ModelResponse[Any]]],
    ) -> ModelResponse[Any]:
        """The same, without blocking the event loop."""
        return await handler(self._within(request))

    def _within(self, request: ModelRequest[Any]) -> ModelRequest[Any]:
        if _calls(request.messages) < self.tool_calls:
            return request
        return request.override(tool_choice="none")


def _calls(messages: Sequence[BaseMessage]) -> int:
    """Tool calls since the user last spoke; messages of middlewares are no user's."""
    count = 0
    for message in reversed(messages):
        if message.type == "human" and "lc_source" not in message.additional_kwargs:
            break
        count += len(message.tool_calls) if isinstance(message, AIMessage) else 0
    return count


def build(
    model: BaseChatModel,
    tools: Sequence[BaseTool],
    *,
    middleware: Sequence[AgentMiddleware[Any, Any, Any]] = (),
    tool_calls: int = TOOL_CALLS,
    checkpointer: Any = None,
) -> Any:
    """Make the agent.

    Args:
        model: any LangChain chat model with tool calling.
        tools: what it may call.
        middleware: e.g. `[CoReActMiddleware()]`; empty for the plain agent.
        tool_calls: tool calls it may make before it has to answer.
        checkpointer: a LangGraph checkpointer, or None.

    Returns:
        A compiled LangGraph graph.
    """
    return create_agent(
        model,
        list(tools),
        system_prompt=PROMPT,
        middleware=[*middleware, AnswerAfter(tool_calls)],
        checkpointer=checkpointer,
    )


@lru_cache(maxsize=1)
def _tools() -> tuple[BaseTool, ...]:
    from coreact_tools import searching_tools

    from coreact.worlds import Corpus, gazetteer

    passages = gazetteer(questions=0).passages
    return tuple(searching_tools(Corpus(passages), passages))


@lru_cache(maxsize=4)
def _model(name: str) -> BaseChatModel:
    if name != "local":
        return init_chat_model(name)
    from coreact.local import open_local_model

    server = ExitStack()
    atexit.register(server.close)
    return server.enter_context(open_local_model())


def graph(config: RunnableConfig) -> Any:
    """The plain agent, for a LangGraph server."""
    name = config.get("configurable", {}).get("model", "local")
    return build(_model(name), _tools())


def guided_graph(config: RunnableConfig) -> Any:
    """The guided agent, for a LangGraph server."""
    name = config.get("configurable", {}).get("model", "local")
    return build(_model(name), _tools(), middleware=[CoReActMiddleware(step_budget=TOOL_CALLS)])
