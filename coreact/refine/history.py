"""The final answer in a conversation: where it stands, what it rests on, how another takes its place.

Pure functions on LangChain messages. A structured answer by tool stands in the arguments of a call
that has its result already when the model is done; any other answer is a message without calls.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from typing import Any, NamedTuple

from langchain_core.messages import AIMessage, AnyMessage, RemoveMessage, ToolMessage

from coreact.host.messages import SOURCE, SOURCE_KEY, actions_of


class FinalAnswer(NamedTuple):
    """An answer that ends a run."""

    at: int
    """Index of its message."""
    message: AIMessage
    results: tuple[ToolMessage, ...]
    """The tool messages behind it."""
    answer_tool: str
    """Name of the artificial tool of a structured answer, or empty."""
    text: str


def final_answer(
    messages: Sequence[AnyMessage], *, structured: bool = False, answer_tool: str | None = None
) -> FinalAnswer | None:
    """The final answer that a conversation ends in, or None where it goes on.

    Args:
        messages: the conversation.
        structured: whether a structured answer came with the last message.
        answer_tool: the artificial tool, where it is known already; otherwise it is the tool whose
            call was answered by the time the model was done.
    """
    at = len(messages)
    results: list[ToolMessage] = []
    while at:
        at -= 1
        message = messages[at]
        if isinstance(message, AIMessage):
            return _read(at, message, tuple(reversed(results)), structured, answer_tool)
        if not isinstance(message, ToolMessage):
            return None
        results.append(message)
    return None


def _read(
    at: int, message: AIMessage, results: tuple[ToolMessage, ...], structured: bool, answer_tool: str | None
) -> FinalAnswer | None:
    if not message.tool_calls:
        return FinalAnswer(at, message, results, "", str(message.text))
    if answer_tool is None:
        done = {one.tool_call_id for one in results if one.status != "error"}
        answered = [call["name"] for call in message.tool_calls if call["id"] in done]
        answer_tool = answered[0] if structured and answered else ""
    answers = [
        action.answer
        for action in actions_of(message, answer_tools=frozenset({answer_tool}))
        if action.answer is not None
    ]
    return FinalAnswer(at, message, results, answer_tool, answers[0]) if answers else None


def trajectory(
    messages: Sequence[AnyMessage], *, drafts: Collection[str], answer_tool: str
) -> list[AnyMessage]:
    """The conversation without earlier drafts of the answer.

    Args:
        messages: what stands before the answer.
        drafts: ids of the messages that earlier drafts stand in.
        answer_tool: the artificial tool of structured drafts; calls beside one are kept.
    """
    kept: list[AnyMessage] = []
    gone: set[str | None] = set()
    for message in messages:
        if isinstance(message, AIMessage) and message.id in drafts:
            calls = [call for call in message.tool_calls if call["name"] != answer_tool]
            gone.update(call["id"] for call in message.tool_calls if call["name"] == answer_tool)
            if calls:
                kept.append(message.model_copy(update={"tool_calls": calls}))
        elif not (isinstance(message, ToolMessage) and message.tool_call_id in gone):
            kept.append(message)
    return kept


def text_of(messages: Sequence[AnyMessage], message_id: str, answer_tool: str) -> str | None:
    """The answer that stands in a message, or None where it is gone or none any more."""
    for message in messages:
        if message.id == message_id and isinstance(message, AIMessage):
            read = _read(0, message, (), False, answer_tool)
            return read.text if read is not None else None
    return None


def in_place_of(last: FinalAnswer, answer: str, *, structured: bool) -> list[AnyMessage | RemoveMessage]:
    """The update that puts another answer in the place of the last one.

    The new message has an id of its own, so that it reaches message streams. Calls beside a
    structured answer stay, with their results.

    Args:
        last: the answer that goes.
        answer: the answer that comes; JSON arguments where it is structured.
        structured: whether it came as a call of the artificial tool.
    """
    calls: list[dict[str, Any]] = []
    content, results = answer, list(last.results)
    for call in last.message.tool_calls:
        if call["name"] != last.answer_tool:
            calls.append(dict(call))
        elif structured:
            content = ""
            calls.append({**call, "args": json.loads(answer)})
            results = [
                one.model_copy(update={"content": f"Returning structured response: {answer}"})
                if one.tool_call_id == call["id"]
                else one
                for one in results
            ]
        else:
            results = [one for one in results if one.tool_call_id != call["id"]]
    new = AIMessage(content, tool_calls=calls, additional_kwargs={SOURCE_KEY: SOURCE})
    return [
        *(RemoveMessage(id=one.id) for one in (last.message, *last.results) if one.id is not None),
        new,
        *(one.model_copy(update={"id": None}) for one in results),
    ]
