"""Spans by OpenTelemetry's GenAI conventions, the present ones and those that are still met.

Read are the structured messages (`gen_ai.input.messages`, `.output.messages`, `.system_instructions`), the
numbered attributes of older instrumentations (`gen_ai.prompt.N.…`, `gen_ai.completion.N.…`), the event of
each message (`gen_ai.user.message`, `gen_ai.choice`), tool spans and `gen_ai.evaluation.result`. Names that
the conventions do not define are not guessed at.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
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
from coreact.trace.importing.spans import Event, Span, amount, count
from coreact.trace.importing.turns import ToolRun

FORMAT = "otlp"

_CHAT = frozenset({"chat", "generate_content"})
_AGENT = frozenset({"invoke_agent", "invoke_workflow"})
_EVALUATION = "gen_ai.evaluation.result"


def speaks(span: Span) -> bool:
    """Whether a span speaks these conventions."""
    return any(key.startswith("gen_ai.") for key in span.attributes)


def operates(span: Span) -> bool:
    """Whether a span says by these conventions what it is."""
    return bool(span.attributes.get("gen_ai.operation.name"))


def node_of(span: Span, messages: Messages, extra: Iterable[Event], remarks: list[str]) -> Node:
    """What a span is in its trace.

    Args:
        span: the span.
        messages: reads the messages of the trace.
        extra: log records that belong to the span.
        remarks: takes what could not be read.
    """
    given = span.attributes
    operation = str(given.get("gen_ai.operation.name") or "")
    node = Node(id=span.id, parent=span.parent, error=span.error, end_ns=span.end_ns)
    if operation in _AGENT or (not operation and given.get("gen_ai.agent.name")):
        node.bounds = True
        node.agent = str(given.get("gen_ai.agent.name") or given.get("gen_ai.workflow.name") or span.name)
        node.agent_version = str(given.get("gen_ai.agent.version") or "")
    elif operation == "execute_tool" or (not operation and "gen_ai.tool.name" in given):
        node.bounds = True
        node.tool_run = _tool_run(span)
    elif operation in _CHAT or _has_messages(given):
        node.call = _model_call(span, messages, [*span.events, *extra], remarks)
    return node


def scores_of(event: Event, span: str) -> Score | None:
    """The score that an event is, if it is one."""
    given = event.attributes
    if event.name != _EVALUATION and given.get("event.name") != _EVALUATION:
        return None
    return Score(
        target=span,
        name=str(given.get("gen_ai.evaluation.name") or "evaluation"),
        value=given.get("gen_ai.evaluation.score.value"),
        label=str(given.get("gen_ai.evaluation.score.label") or ""),
        why=str(given.get("gen_ai.evaluation.explanation") or ""),
        kind=str(given.get("gen_ai.evaluation.evaluator.type") or given.get("coreact.evaluator.type") or ""),
        by=str(given.get("gen_ai.evaluation.evaluator.id") or given.get("coreact.evaluator.name") or ""),
        version=str(
            given.get("gen_ai.evaluation.evaluator.version") or given.get("coreact.evaluator.version") or ""
        ),
        at_ns=event.at_ns,
        where=event.where,
    )


def _has_messages(given: Mapping[str, Any]) -> bool:
    return any(
        key in given for key in ("gen_ai.input.messages", "gen_ai.prompt.0.role", "gen_ai.prompt.0.content")
    )


def _tool_run(span: Span) -> ToolRun:
    given = span.attributes
    result = given.get("gen_ai.tool.call.result")
    return ToolRun(
        name=str(given.get("gen_ai.tool.name") or span.name),
        call_id=str(given.get("gen_ai.tool.call.id") or ""),
        text=_text(result) if result is not None else span.error or "",
        failed=span.error is not None,
        start_ns=span.start_ns,
        end_ns=span.end_ns,
    )


def _model_call(span: Span, messages: Messages, events: list[Event], remarks: list[str]) -> ModelCall | None:
    given = span.attributes
    prompt, replies = _structured(given, events)
    if not prompt:
        prompt, replies = _numbered(given)
    if not prompt:
        prompt, replies = _by_events(events)
    try:
        if not prompt:
            raise MessagesError("Its messages were not recorded (content capture was off).", index=0)
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
    tools = given.get("gen_ai.tool.definitions")
    functions = numbered(given, "llm.request.functions")
    schemas: list[str] = []
    contracts = (
        contracts_of(tools if tools is not None else functions, schemas) if tools or functions else None
    )
    remarks.extend(schemas)
    return ModelCall(
        id=span.id,
        prompt=read,
        message=message,
        tools=contracts,
        node=str(given.get("langgraph_node") or ""),
        cost=_cost(span),
        start_ns=span.start_ns,
        end_ns=span.end_ns,
        error=span.error,
        where=span.where,
    )


def _cost(span: Span) -> Cost:
    given = span.attributes
    return Cost(
        calls=1,
        input_tokens=count(given.get("gen_ai.usage.input_tokens", given.get("gen_ai.usage.prompt_tokens"))),
        output_tokens=count(
            given.get("gen_ai.usage.output_tokens", given.get("gen_ai.usage.completion_tokens"))
        ),
        seconds=max(0, span.end_ns - span.start_ns) / 1e9,
        usd=amount(given.get("gen_ai.usage.cost")),
    )


# --- structured messages --------------------------------------------------------------------


def _structured(given: Mapping[str, Any], events: list[Event]) -> tuple[list[Any], list[Any]]:
    for source in (given, *(event.attributes for event in events)):
        asked, said = _json(source.get("gen_ai.input.messages")), _json(source.get("gen_ai.output.messages"))
        if isinstance(asked, list):
            system = _json(source.get("gen_ai.system_instructions"))
            front = [{"role": "system", "content": _parts_text(system)}] if system else []
            prompt = [one for message in asked for one in _plain(message)]
            replies = (
                [one for message in said or [] for one in _plain(message)] if isinstance(said, list) else []
            )
            return front + prompt, replies
    return [], []


def _plain(message: Any) -> list[Any]:
    """One message with parts as role, content and calls; a result for each response that is in it."""
    if not isinstance(message, Mapping) or not isinstance(message.get("parts"), list):
        return [message]
    role, parts = message.get("role"), [part for part in message["parts"] if isinstance(part, Mapping)]
    results = [
        {
            "role": "tool",
            "tool_call_id": part.get("id") or "",
            "content": _text(part.get("response", part.get("result"))),
        }
        for part in parts
        if part.get("type") == "tool_call_response"
    ]
    calls = [
        {"id": part.get("id"), "name": part.get("name"), "arguments": part.get("arguments")}
        for part in parts
        if part.get("type") == "tool_call"
    ]
    if results and not calls and len(results) == len(parts):
        return results
    reasoning = "".join(str(part.get("content") or "") for part in parts if part.get("type") == "reasoning")
    plain: dict[str, Any] = {"role": role, "content": _parts_text(parts), "tool_calls": calls}
    if message.get("name"):
        plain["name"] = message["name"]
    if reasoning:
        plain["reasoning_content"] = reasoning
    return [*results, plain]


def _parts_text(parts: Any) -> Any:
    if isinstance(parts, str):
        return parts
    known = [part for part in parts if isinstance(part, Mapping)] if isinstance(parts, list) else []
    others = [
        dict(part)
        for part in known
        if part.get("type") not in ("text", "reasoning", "tool_call", "tool_call_response")
    ]
    texts = [str(part.get("content") or "") for part in known if part.get("type") == "text"]
    if not others:
        return "\n".join(texts)
    return [*({"type": "text", "text": text} for text in texts), *others]


# --- older spellings ------------------------------------------------------------------------


def _numbered(given: Mapping[str, Any]) -> tuple[list[Any], list[Any]]:
    prompt, replies = numbered(given, "gen_ai.prompt"), numbered(given, "gen_ai.completion")
    return [_open(one) for one in prompt], [{"role": "assistant", **_open(one)} for one in replies]


def _open(message: Any) -> Any:
    """A numbered message whose content may be the JSON of a list of parts."""
    if not isinstance(message, Mapping):
        return message
    content = message.get("content")
    if isinstance(content, str) and content.startswith('[{"'):
        parts = _json(content)
        if isinstance(parts, list) and all(isinstance(part, Mapping) and "type" in part for part in parts):
            return {**message, "content": parts}
    return dict(message)


_EVENT_ROLES = {
    "gen_ai.system.message": "system",
    "gen_ai.user.message": "user",
    "gen_ai.assistant.message": "assistant",
    "gen_ai.tool.message": "tool",
}


def _by_events(events: list[Event]) -> tuple[list[Any], list[Any]]:
    prompt, replies = [], []
    for event in events:
        name = event.name or str(event.attributes.get("event.name") or "")
        body = dict(event.attributes)
        if name in _EVENT_ROLES:
            body["tool_calls"] = _json(body.get("tool_calls"))
            if name == "gen_ai.tool.message":
                body.setdefault("tool_call_id", body.get("id"))
            prompt.append({**body, "role": _EVENT_ROLES[name]})
        elif name == "gen_ai.choice":
            said = _json(body.get("message"))
            if not isinstance(said, Mapping):
                said = body
            calls = _json(said.get("tool_calls", body.get("tool_calls")))
            index = body.get("index", said.get("index"))
            replies.append({**said, "role": "assistant", "tool_calls": calls, "index": index})
    return prompt, replies


def _json(written: Any) -> Any:
    if isinstance(written, str):
        try:
            return loads(written)
        except (ValueError, RecursionError):
            return None
    return written


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
