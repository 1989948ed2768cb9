"""Write a conversation with tools for a small model that knows only system, user and assistant.

The rendering is append-only: a message renders to the same bytes however many follow it, and the
text about the tools depends on the tools alone (not on `tool_choice`). From one decision to the
next the server therefore reads only what is new. The price: a system message that comes later
than the first turn cannot join the system text, and stands as a user turn where it came.

Wording is short on purpose. A 135M-parameter model imitates what stands before it more than it
follows instructions, so each tool is shown with the very JSON that calls it, and earlier calls
are shown in the same form. Control tokens in messages and in what tools say of themselves are taken apart:
the server reads them wherever they stand.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from langchain_core.messages import (
    AIMessage,
    BaseMessage,
    ChatMessage,
    HumanMessage,
    SystemMessage,
    ToolMessage,
)

from coreact.control_tokens import without_control_tokens
from coreact.errors import MessagesError

_DESCRIPTION_CHARS = 160


def render(messages: Sequence[BaseMessage], tools: Sequence[Mapping[str, Any]] = ()) -> list[dict[str, str]]:
    """Return `messages` as chat turns with the roles system, user and assistant.

    Neighbouring turns of one role are merged. `tools` are OpenAI function descriptions.

    Raises:
        MessagesError: A message has a role, or holds content (an image, say), that a text-only
            model cannot be given.
    """
    turns: list[dict[str, str]] = []
    if tools:
        turns.append({"role": "system", "content": without_control_tokens(_about(tools))})
    for index, message in enumerate(messages):
        role, text = _turn(message, index=index, answers=bool(tools))
        content = without_control_tokens(text)
        if role == "system" and turns and turns[-1]["role"] != "system":
            role = "user"
        if turns and turns[-1]["role"] == role:
            turns[-1]["content"] += "\n\n" + content
        else:
            turns.append({"role": role, "content": content})
    return turns


def _about(tools: Sequence[Mapping[str, Any]]) -> str:
    lines = ["Reply with one JSON object.", "Tools:"]
    functions = [tool["function"] for tool in tools]
    lines += [f"{_signature(function)}: {_summary(function)}".rstrip(": ") for function in functions]
    lines += [f"To use a tool: {_call(function['name'], _placeholders(function))}" for function in functions]
    lines.append(f"To finish: {_json({'answer': '...'})}")
    return "\n".join(lines)


def _signature(function: Mapping[str, Any]) -> str:
    parameters = function.get("parameters") or {}
    required = parameters.get("required") or ()
    parts = []
    for name, schema in (parameters.get("properties") or {}).items():
        kind = schema.get("type") if isinstance(schema, Mapping) else None
        parts.append(f"{name}{'' if name in required else '?'}: {kind if isinstance(kind, str) else 'any'}")
    return f"{function['name']}({', '.join(parts)})"


def _summary(function: Mapping[str, Any]) -> str:
    first = str(function.get("description") or "").strip().partition("\n")[0]
    return first[:_DESCRIPTION_CHARS].rstrip()


def _placeholders(function: Mapping[str, Any]) -> dict[str, Any]:
    """An example value for each required argument, or for each argument when none is required."""
    parameters = function.get("parameters") or {}
    properties = parameters.get("properties") or {}
    names = parameters.get("required") or list(properties)
    return {name: _placeholder(properties.get(name, {})) for name in names}


def _placeholder(schema: Any) -> Any:
    if not isinstance(schema, Mapping):
        return "..."
    if "const" in schema:
        return schema["const"]
    if schema.get("enum"):
        return schema["enum"][0]
    kind = schema.get("type")
    kind = kind[0] if isinstance(kind, list) and kind else kind
    # A worded placeholder is copied into the call; three dots are not.
    return {"integer": 1, "number": 1, "boolean": True, "array": ["..."], "object": {}, "null": None}.get(
        str(kind), "..."
    )


def _turn(message: BaseMessage, *, index: int, answers: bool) -> tuple[str, str]:
    text = _text(message, index=index)
    match message:
        case AIMessage():
            calls = [_call(call["name"], call["args"]) for call in message.tool_calls]
            if answers and not calls:
                return "assistant", _json({"answer": text})
            return "assistant", "\n".join([text, *calls] if text else calls)
        case ToolMessage():
            return "user", f"Observation: {text}"
        case HumanMessage():
            return "user", text
        case SystemMessage():
            return "system", text
        case ChatMessage(role="system" | "user" | "assistant" as role):
            return role, text
    raise MessagesError(
        f"Message {index} ({message.type!r}) has no place in a chat with this model.",
        index=index,
        remedy="Use system, human, AI and tool messages.",
    )


def _text(message: BaseMessage, *, index: int) -> str:
    if isinstance(message.content, str):
        return message.content
    parts: list[str] = []
    for block in message.content:
        if isinstance(block, str):
            parts.append(block)
        elif block.get("type") == "text":
            parts.append(str(block["text"]))
        elif not isinstance(message, AIMessage):
            # What another model thought or called may be left out; what this one is asked about may not.
            raise MessagesError(
                f"Message {index} holds a block of type {block.get('type')!r}; this model reads text only.",
                index=index,
                remedy="Remove the block, or use a model that can read it.",
            )
    return "\n".join(parts)


def _call(name: str, arguments: Mapping[str, Any]) -> str:
    return _json({"tool": name, "arguments": arguments})


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, default=str)
