"""From stored messages to the chat dicts that trainers read.

A store keeps messages as LangChain writes them; trainers read `{"role", "content", "tool_calls", …}`. Done
on the plain dicts, because an export reads every prompt of every step and building message objects for each
would be most of its time. Nothing is judged or left out here but what has no place in such a dict: usage,
response metadata, blocks of a tool call that stand beside the call itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Literal

from coreact.control_tokens import without_control_tokens
from coreact.errors import MessagesError
from coreact.rubric import ToolContract
from coreact.trace.export.json_text import json_text

Message = dict[str, Any]
"""A chat message: `role`, `content`, and what its role adds."""

Arguments = Literal["string", "object"]
"""How arguments of a tool call are written: as a JSON string (OpenAI) or an object (HF chat templates)."""

_ROLES = {
    "human": "user",
    "ai": "assistant",
    "AIMessageChunk": "assistant",
    "system": "system",
    "tool": "tool",
    "function": "tool",
}
_CALLS = ("tool_use", "tool_call", "function_call", "invalid_tool_call")
_THOUGHTS = ("thinking", "reasoning")


def chat_message(stored: Mapping[str, Any], arguments: Arguments = "object") -> Message:
    """A stored message as a chat dict.

    Texts of several blocks are joined by newlines; other blocks (images) stay blocks. Thoughts of a model
    go into `reasoning_content`, as the templates of reasoning models have it. Arguments that are no JSON
    object stay the text that the model wrote, whatever `arguments` says.

    Args:
        stored: `{"type": …, "data": …}`, as `message_to_dict` writes it.
        arguments: how arguments of tool calls are written.

    Raises:
        MessagesError: `data`, or its `additional_kwargs`, is no object.
    """
    data = stored.get("data") or {}
    marked = (data.get("additional_kwargs") or {}) if isinstance(data, Mapping) else None
    if not isinstance(data, Mapping) or not isinstance(marked, Mapping):
        raise MessagesError("A stored message is no object.", index=0, remedy="Leave its run out.")
    kind = str(stored.get("type", ""))
    role = str(data.get("role") or kind) if kind == "chat" else _ROLES.get(kind, kind)
    content, thoughts = _content(data.get("content"))
    message: Message = {"role": role, "content": content}
    if role == "tool":
        message["tool_call_id"] = str(data.get("tool_call_id") or "")
    if data.get("name"):
        message["name"] = str(data["name"])
    if role == "assistant":
        thoughts = thoughts or marked.get("reasoning_content") or ""
        if thoughts:
            message["reasoning_content"] = str(thoughts)
        calls = [*_calls(data, arguments)]
        if calls:
            message["tool_calls"] = calls
    return message


def user_message(text: str) -> Message:
    """A message of ours with this text, without control tokens, as `host.messages.injected` sends it."""
    return {"role": "user", "content": without_control_tokens(text)}


def tool_schema(tool: ToolContract) -> dict[str, Any]:
    """A tool as an OpenAI function schema."""
    parameters = tool.parameters or {"type": "object", "properties": {}}
    return {
        "type": "function",
        "function": {"name": tool.name, "description": tool.description, "parameters": parameters},
    }


def without_thoughts(message: Message) -> Message:
    """The message without `reasoning_content`, which OpenAI's formats do not know."""
    return {key: value for key, value in message.items() if key != "reasoning_content"}


def _content(content: Any) -> tuple[str | list[Any], str]:
    """Text, or blocks where some are no text; and the thoughts."""
    if content is None or isinstance(content, str):
        return content or "", ""
    if not isinstance(content, list):
        return json_text(content), ""
    blocks: list[Any] = []
    thoughts: list[str] = []
    for block in content:
        if isinstance(block, str):
            blocks.append({"type": "text", "text": block})
        elif not isinstance(block, Mapping) or block.get("type") in _CALLS:
            continue
        elif block.get("type") in _THOUGHTS:
            thoughts.append(str(block.get("thinking") or block.get("reasoning") or ""))
        elif isinstance(block.get("text"), str):
            blocks.append({"type": "text", "text": block["text"]})
        else:
            blocks.append(dict(block))
    told = "\n".join(thought for thought in thoughts if thought)
    if all(block.get("type") == "text" for block in blocks):
        return "\n".join(block["text"] for block in blocks), told
    return blocks, told


def _calls(data: Mapping[str, Any], arguments: Arguments) -> Iterator[dict[str, Any]]:
    for call in _listed(data.get("tool_calls")):
        given = call.get("args") or {}
        yield _call(call, json_text(given) if arguments == "string" else given)
    for call in _listed(data.get("invalid_tool_calls")):
        yield _call(call, str(call.get("args") or ""))


def _call(call: Mapping[str, Any], arguments: Any) -> dict[str, Any]:
    function = {"name": str(call.get("name") or ""), "arguments": arguments}
    return {"id": str(call.get("id") or ""), "type": "function", "function": function}


def _listed(calls: Any) -> Iterable[Mapping[str, Any]]:
    return [call for call in calls if isinstance(call, Mapping)] if isinstance(calls, list) else []
