"""Tool calls that a baseline makes itself, outside of the agent's graph.

A tool that fails gives an error message that the agent can act on. Tools that want the agent's state or
runtime injected cannot be called so, and say it in that message.
"""

from __future__ import annotations

from typing import Any

from langchain_core.messages import ToolMessage
from langchain_core.runnables import RunnableConfig
from langchain_core.tools import BaseTool
from langgraph.errors import GraphBubbleUp

from coreact.judge.asking import Request


def tool_result(tool: BaseTool | None, call: Any, config: RunnableConfig) -> Request:
    """Make a tool call. Reply: its `ToolMessage`, with status `error` where it failed.

    Args:
        tool: the tool; None where there is none of that name.
        call: the call as it stands in the assistant message.
        config: callbacks, tags and metadata.
    """

    def invoke() -> ToolMessage:
        if tool is None:
            return _missing(call)
        try:
            return _message(tool.invoke({**call, "type": "tool_call"}, config), call)
        except GraphBubbleUp:
            raise
        except Exception as error:  # noqa: BLE001 - a tool may raise anything, and the agent can act on it
            return _failed(error, call)

    async def ainvoke() -> ToolMessage:
        if tool is None:
            return _missing(call)
        try:
            return _message(await tool.ainvoke({**call, "type": "tool_call"}, config), call)
        except GraphBubbleUp:
            raise
        except Exception as error:  # noqa: BLE001 - a tool may raise anything, and the agent can act on it
            return _failed(error, call)

    return Request(invoke, ainvoke)


def _message(result: Any, call: Any) -> ToolMessage:
    if isinstance(result, ToolMessage):
        return result
    raise TypeError(f"tool {call['name']!r} returned {type(result).__name__}, which is no message")


def _failed(error: Exception, call: Any) -> ToolMessage:
    text = f"Error: {type(error).__name__}: {error}"
    return ToolMessage(text, name=call["name"], tool_call_id=call["id"], status="error")


def _missing(call: Any) -> ToolMessage:
    text = f"Error: there is no tool {call['name']!r}."
    return ToolMessage(text, name=call["name"], tool_call_id=call["id"], status="error")
