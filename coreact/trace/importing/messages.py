"""Messages as other tools write them, made LangChain messages; tools made contracts.

Three families are read: OpenAI's (`role`, `content`, `tool_calls` with arguments as a string or an object),
LangChain's (`lc` constructors, `messages_to_dict`, plain dumps, `[role, text]` pairs), and dicts that are a
bit of both. LangChain's own loader is not used: it imports classes that a file names. What cannot be read
is a `MessagesError`; nothing is made up for it.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, cast

from langchain_core.messages import (
    AIMessage,
    AnyMessage,
    HumanMessage,
    SystemMessage,
    ToolMessage,
    messages_from_dict,
)

from coreact.errors import MessagesError, ToolSchemaError
from coreact.host.messages import contract, message_json
from coreact.rubric import ToolContract
from coreact.trace.importing.reading import loads

_MOST_DEPTH = 128

_ROLES: Mapping[str, str] = {
    "system": "system",
    "developer": "system",
    "user": "human",
    "human": "human",
    "assistant": "ai",
    "ai": "ai",
    "model": "ai",
    "tool": "tool",
    "function": "tool",
}
_CLASSES: Mapping[str, str] = {
    "SystemMessage": "system",
    "HumanMessage": "human",
    "AIMessage": "ai",
    "ToolMessage": "tool",
}


class Messages:
    """Reads messages and gives the same object for the same message, so that prompts compare fast.

    One for a trace: every model call of a trace repeats the messages before it.
    """

    def __init__(self) -> None:
        self._known: dict[str, AnyMessage] = {}

    def read(self, written: Iterable[Any]) -> list[AnyMessage]:
        """The messages of a list, mended.

        Raises:
            MessagesError: one cannot be read; `index` says which.
        """
        found = []
        for index, one in enumerate(written):
            key = _key(one)
            message = self._known.get(key)
            if message is None:
                message = self._known[key] = message_of(one, index)
            found.append(message)
        return mended(found)


def _key(written: Any) -> str:
    try:
        return json.dumps(written, sort_keys=True, default=repr)
    except (TypeError, ValueError, RecursionError):
        return repr(id(written))


def message_of(written: Any, index: int = 0) -> AnyMessage:
    """One message, in whatever form it was written.

    Args:
        written: a dict, or a pair of role and text.
        index: its position, for the error.

    Raises:
        MessagesError: it is no message of a form that is known.
    """
    try:
        return writable(_message(written))
    except (LookupError, TypeError, ValueError, AttributeError, RecursionError) as error:
        lines = str(error).splitlines() or [""]
        raise MessagesError(
            f"Message {index} cannot be read: {lines[0] or type(error).__name__}.",
            index=index,
            remedy="It must have a role and a content, as OpenAI or LangChain write them.",
        ) from error


def writable(message: AnyMessage) -> AnyMessage:
    """The message, which a store can keep.

    Raises:
        ValueError: a value in it is nested so deep that it cannot be written.
    """
    waiting: list[tuple[Any, int]] = [
        (message.content, 0),
        (message.additional_kwargs, 0),
        (message.response_metadata, 0),
    ]
    if isinstance(message, AIMessage):
        waiting += [(call["args"], 0) for call in message.tool_calls]
    while waiting:
        value, depth = waiting.pop()
        if depth > _MOST_DEPTH:
            raise ValueError(f"a value in it is nested deeper than {_MOST_DEPTH} levels")
        if isinstance(value, Mapping):
            waiting += [
                (inner, depth + 1) for inner in value.values() if isinstance(inner, Mapping | list | tuple)
            ]
        elif isinstance(value, list | tuple):
            waiting += [(inner, depth + 1) for inner in value if isinstance(inner, Mapping | list | tuple)]
    message_json(message)
    return message


def _message(written: Any) -> AnyMessage:
    if isinstance(written, list | tuple) and len(written) == 2 and isinstance(written[0], str):
        return _by_role(_ROLES[written[0]], {"content": written[1]})
    if not isinstance(written, Mapping):
        raise TypeError("it is no object")
    if "lc" in written and isinstance(written.get("kwargs"), Mapping):
        kind = _CLASSES[str(written["id"][-1]).removesuffix("Chunk")]
        return _langchain(kind, written["kwargs"])
    if isinstance(written.get("data"), Mapping) and "type" in written:
        return _langchain(_kind(written["type"]), written["data"])
    if "role" in written and written.get("type") not in _ROLES:
        return _by_role(_kind(written["role"]), written)
    return _langchain(_kind(written["type"]), written)


def _kind(name: Any) -> str:
    kind = _ROLES.get(str(name).removesuffix("MessageChunk").lower())
    if kind is None:
        raise ValueError(f"no known role: {str(name)[:40]!r}")
    return kind


def _langchain(kind: str, data: Mapping[str, Any]) -> AnyMessage:
    kept = {key: value for key, value in data.items() if value is not None or key == "content"}
    kept["type"] = kind
    kept["content"] = _content(data.get("content"))
    (message,) = messages_from_dict([{"type": kind, "data": kept}])
    return cast("AnyMessage", message)


def _by_role(kind: str, data: Mapping[str, Any]) -> AnyMessage:
    content, name = _content(data.get("content")), data.get("name")
    if name is not None and not isinstance(name, str):
        raise TypeError("its name is no text")
    if kind == "system":
        return SystemMessage(content, name=name)
    if kind == "human":
        return HumanMessage(content, name=name)
    if kind == "tool":
        status = "error" if data.get("status") == "error" or data.get("is_error") is True else "success"
        return ToolMessage(
            content, tool_call_id=str(data.get("tool_call_id") or ""), name=name, status=status
        )
    calls = data.get("tool_calls") or []
    if not calls and isinstance(data.get("function_call"), Mapping):
        calls = [data["function_call"]]
    reasoning = data.get("reasoning_content") or data.get("reasoning")
    return assistant(content, calls, name=name, reasoning=reasoning if isinstance(reasoning, str) else "")


def assistant(
    content: Any, calls: Iterable[Any] = (), *, name: str | None = None, reasoning: str = ""
) -> AIMessage:
    """An assistant message, its calls in OpenAI's form or as plain `name`, `arguments`, `id`.

    A call whose arguments are no JSON object is kept as an invalid one, as LangChain does.

    Raises:
        TypeError: a call is no object or has no name.
    """
    good, bad = [], []
    for call in calls:
        if not isinstance(call, Mapping):
            raise TypeError("a tool call is no object")
        inner = call.get("function")
        function: Mapping[str, Any] = inner if isinstance(inner, Mapping) else call
        called, given = function.get("name"), function.get("arguments", function.get("args"))
        if not isinstance(called, str):
            raise TypeError("a tool call has no name")
        ident = str(call.get("id") or call.get("tool_call_id") or "")
        arguments = _arguments(given)
        if arguments is None:
            text = given if isinstance(given, str) else json.dumps(given)
            bad.append({"name": called, "args": text, "id": ident, "error": "arguments are no JSON object"})
        else:
            good.append({"name": called, "args": arguments, "id": ident})
    extra = {"reasoning_content": reasoning} if reasoning else {}
    return AIMessage(
        _content(content), tool_calls=good, invalid_tool_calls=bad, name=name, additional_kwargs=extra
    )


def _arguments(given: Any) -> dict[str, Any] | None:
    if given is None or given == "":
        return {}
    if isinstance(given, str):
        given = _parsed(given)
    return given if isinstance(given, dict) else None


def _content(content: Any) -> Any:
    if content is None:
        return ""
    if isinstance(content, str):
        return content
    if isinstance(content, list) and all(isinstance(part, str | dict) for part in content):
        return content
    return json.dumps(content, ensure_ascii=False)


def mended(messages: Sequence[AnyMessage]) -> list[AnyMessage]:
    """The messages with ids for calls and results that have none: the one repair that is made.

    Some tools write no call ids and pair by order. Calls without id get one from what they say, the same
    wherever a trimmed history begins, and the results without id that follow get those of the unanswered
    calls, in order. Everything else that breaks the protocol stays broken, and is refused later.
    """
    out: list[AnyMessage] = []
    waiting: list[str] = []
    told: Counter[str] = Counter()
    for message in messages:
        if isinstance(message, AIMessage):
            message = _with_ids(message, told)
            waiting = [call["id"] or "" for call in (*message.tool_calls, *message.invalid_tool_calls)]
        elif isinstance(message, ToolMessage):
            if not message.tool_call_id and waiting:
                message = message.model_copy(update={"tool_call_id": waiting[0]})
            if message.tool_call_id in waiting:
                waiting.remove(message.tool_call_id)
        out.append(message)
    return out


def _with_ids(message: AIMessage, told: Counter[str]) -> AIMessage:
    calls = [*message.tool_calls, *message.invalid_tool_calls]
    if all(call["id"] for call in calls):
        return message
    named = [{**call, "id": call["id"] or _made_id(call, told)} for call in calls]
    good = len(message.tool_calls)
    return message.model_copy(update={"tool_calls": named[:good], "invalid_tool_calls": named[good:]})


def _made_id(call: Mapping[str, Any], told: Counter[str]) -> str:
    said = json.dumps([call["name"], call["args"]], sort_keys=True, default=repr)
    mark = hashlib.sha256(said.encode("ascii")).hexdigest()[:12]
    told[mark] += 1
    return f"call-{mark}-{told[mark]}"


def contracts_of(tools: Any, remarks: list[str]) -> tuple[ToolContract, ...]:
    """The contracts of tool schemas in OpenAI's, Anthropic's or the flat form.

    Server-side tools of a provider have no schema and are passed over.

    Args:
        tools: a list of schemas, or its JSON text.
        remarks: takes why a tool could not be read.
    """
    if isinstance(tools, str) and (tools := _parsed(tools)) is None:
        remarks.append("the tool schemas are no valid JSON")
    found: dict[str, ToolContract] = {}
    for written in tools if isinstance(tools, list) else []:
        tool = _parsed(written) if isinstance(written, str) else written
        if not isinstance(tool, Mapping):
            remarks.append("a tool schema is no object")
            continue
        if "function" not in tool and "input_schema" not in tool:
            if tool.get("type", "function") != "function":
                continue
            function = {key: one for key, one in tool.items() if key != "type"}
            if isinstance(function.get("parameters"), str):
                function["parameters"] = _parsed(function["parameters"])
            tool = {"type": "function", "function": function}
        try:
            read = contract(dict(tool))
        except ToolSchemaError as error:
            remarks.append(error.what)
        except (TypeError, RecursionError):  # arguments whose names are no texts, or without end
            remarks.append(f"Tool {str(tool.get('name'))[:40]!r} has no readable schema.")
        else:
            found.setdefault(read.name, read)
    return tuple(found.values())


def _parsed(text: str) -> Any:
    try:
        return loads(text)
    except (ValueError, RecursionError):
        return None
