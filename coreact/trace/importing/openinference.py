"""Spans by the OpenInference conventions: what Phoenix, Arize and its instrumentations write.

`openinference.span.kind` says what a span is; messages, tool calls, tools and annotations are numbered
attributes, flat in OTLP and nested in Phoenix's dumps. An annotation may stand on the span it is about or on
a span of its own that links there.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from langchain_core.messages import AIMessage

from coreact.errors import MessagesError
from coreact.judge import Cost
from coreact.trace.importing.calls import ModelCall, Node
from coreact.trace.importing.flat import numbered
from coreact.trace.importing.messages import Messages, contracts_of
from coreact.trace.importing.reading import loads
from coreact.trace.importing.replies import one_reply
from coreact.trace.importing.scores import Score
from coreact.trace.importing.spans import Span, amount, count
from coreact.trace.importing.turns import ToolRun

FORMAT = "openinference"

KIND = "openinference.span.kind"
_BOUNDS = frozenset({"AGENT", "TOOL"})


def speaks(span: Span) -> bool:
    """Whether a span speaks these conventions."""
    return span.attributes.get(KIND) not in (None, "", "UNKNOWN")


def has_messages(span: Span) -> bool:
    """Whether a span has messages by these conventions."""
    return any(key.startswith("llm.input_messages") for key in span.attributes)


def node_of(span: Span, messages: Messages, remarks: list[str]) -> Node:
    """What a span is in its trace.

    Args:
        span: the span.
        messages: reads the messages of the trace.
        remarks: takes what could not be read.
    """
    given = span.attributes
    kind = str(given.get(KIND) or "")
    node = Node(id=span.id, parent=span.parent, error=span.error, end_ns=span.end_ns, bounds=kind in _BOUNDS)
    metadata = _object(given.get("metadata"))
    node.agent = str(given.get("agent.name") or metadata.get("lc_agent_name") or "")
    if not node.agent and (kind == "AGENT" or not span.parent):
        node.agent = span.name
    if kind == "TOOL":
        node.tool_run = _tool_run(span, given)
    elif kind == "LLM":
        node.call = _model_call(span, given, metadata, messages, remarks)
    return node


def session_of(span: Span) -> str | None:
    """The conversation that a span belongs to."""
    found = span.attributes.get("session.id")
    return None if found in (None, "") else str(found)


def scores_of(span: Span) -> list[Score]:
    """The annotations that a span carries: about itself, about what it links to, or about its trace."""
    given, found = span.attributes, []
    target = span.links[0] if len(span.links) == 1 else span.id
    for many, one in (("annotations", "annotation"), ("evaluations", "evaluation")):
        for prefix in ("", "trace.", "session."):
            for item in numbered(given, f"{prefix}{many}"):
                about = item.get(one) if isinstance(item, Mapping) else None
                if not isinstance(about, Mapping):
                    continue
                found.append(
                    Score(
                        target=target if prefix != "session." else "a session",
                        name=str(about.get("name") or one),
                        value=about.get("score"),
                        label=str(about.get("label") or ""),
                        why=str(about.get("explanation") or ""),
                        kind=str(about.get("annotator_kind") or ""),
                        by=str(about.get("identifier") or ""),
                        at_ns=span.end_ns,
                        where=span.where,
                    )
                )
    return found


def _model_call(
    span: Span, given: Mapping[str, Any], metadata: Mapping[str, Any], messages: Messages, remarks: list[str]
) -> ModelCall | None:
    prompt = [_plain(one) for one in numbered(given, "llm.input_messages")]
    replies = [_plain(one) for one in numbered(given, "llm.output_messages")]
    try:
        if not prompt:
            raise MessagesError("Its messages were not recorded.", index=0)
        read = messages.read(prompt)
        reply = one_reply(replies, remarks)
        whole = messages.read([*prompt, reply]) if reply is not None else []
    except MessagesError as error:
        remarks.append(error.what)
        return None
    message = whole[-1] if whole else None
    if message is not None and not isinstance(message, AIMessage):
        remarks.append("What came back is no assistant message.")
        return None
    if message is None and span.error is None:
        remarks.append("What came back was not recorded.")
        return None
    schemas = [_schema(one) for one in numbered(given, "llm.tools")]
    return ModelCall(
        id=span.id,
        prompt=read,
        message=message,
        tools=contracts_of(schemas, remarks) if schemas else None,
        node=str(given.get("graph.node.id") or metadata.get("langgraph_node") or ""),
        cost=Cost(
            calls=1,
            input_tokens=count(given.get("llm.token_count.prompt")),
            output_tokens=count(given.get("llm.token_count.completion")),
            seconds=max(0, span.end_ns - span.start_ns) / 1e9,
            usd=amount(given.get("llm.cost.total")),
        ),
        start_ns=span.start_ns,
        end_ns=span.end_ns,
        error=span.error,
        where=span.where,
    )


def _plain(written: Any) -> Any:
    """A message of the conventions as role, content and calls."""
    message = written.get("message") if isinstance(written, Mapping) else None
    if not isinstance(message, Mapping):
        return written
    plain: dict[str, Any] = {"role": message.get("role"), "content": message.get("content")}
    contents = message.get("contents")
    if plain["content"] is None and isinstance(contents, list):
        plain["content"] = [_part(one) for one in contents]
    for key in ("name", "tool_call_id"):
        if message.get(key) is not None:
            plain[key] = message[key]
    calls = message.get("tool_calls")
    plain["tool_calls"] = [
        call["tool_call"] if isinstance(call, Mapping) and "tool_call" in call else call
        for call in (calls if isinstance(calls, list) else [])
    ]
    if not plain["tool_calls"] and message.get("function_call_name"):
        arguments = message.get("function_call_arguments_json")
        plain["tool_calls"] = [{"name": message["function_call_name"], "arguments": arguments}]
    return plain


def _part(written: Any) -> Any:
    part = written.get("message_content") if isinstance(written, Mapping) else None
    return dict(part) if isinstance(part, Mapping) else written


def _schema(written: Any) -> Any:
    """A tool's schema, with its name and description put in where only the convention has them."""
    tool = written.get("tool") if isinstance(written, Mapping) else None
    if not isinstance(tool, Mapping):
        return written
    schema = _object(tool.get("json_schema"))
    if not schema or "function" in schema or "name" in schema:
        return dict(schema) or {key: tool[key] for key in ("name", "description") if tool.get(key)}
    named = {key: tool[key] for key in ("name", "description") if tool.get(key)}
    return {**named, "parameters": dict(schema)} if "properties" in schema else {**schema, **named}


def _tool_run(span: Span, given: Mapping[str, Any]) -> ToolRun:
    output = given.get("output.value")
    text, call_id, failed = "" if output is None else str(output), "", span.error is not None
    message = _object(output) if isinstance(output, str) else {}
    data = message.get("data") if message.get("type") == "tool" else None
    if isinstance(data, Mapping):  # LangChain's instrumentation writes the whole tool message
        content = data.get("content")
        text = content if isinstance(content, str) else json.dumps(content, ensure_ascii=False)
        call_id, failed = str(data.get("tool_call_id") or ""), failed or data.get("status") == "error"
    return ToolRun(
        name=str(given.get("tool.name") or span.name),
        call_id=str(given.get("tool_call.id") or given.get("tool.id") or call_id),
        text=text or span.error or "",
        failed=failed,
        start_ns=span.start_ns,
        end_ns=span.end_ns,
    )


def _object(written: Any) -> Mapping[str, Any]:
    if isinstance(written, str):
        try:
            written = loads(written)
        except (ValueError, RecursionError):
            return {}
    return written if isinstance(written, Mapping) else {}
