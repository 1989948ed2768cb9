"""Plain chat files: a conversation a line, as OpenAI's API, fine-tuning files and many benchmarks have it.

`{"messages": [...], "tools": [...]}`, or the bare list. Where the line has an `id` (or `conversation_id`,
`thread_id`) it becomes part of the run's id and the thread; otherwise the content alone says which
conversation it is. ShareGPT's `conversations` with `from` and `value` are another format and not read.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from langchain_core.messages import AIMessage

from coreact.errors import MessagesError
from coreact.judge import Cost
from coreact.trace.importing.linear import Told, turns_told, unanswered
from coreact.trace.importing.messages import Messages, contracts_of
from coreact.trace.importing.reading import Document, LeftOut
from coreact.trace.importing.turns import Writer, fingerprint, trajectory_of
from coreact.trace.records import Trajectory

FORMAT = "chat"

_IDS = ("id", "conversation_id", "thread_id", "session_id")


def speaks(value: Any) -> bool:
    """Whether a document is a conversation."""
    return isinstance(value, Mapping) and isinstance(value.get("messages"), list)


def read(found: Iterable[Document], left_out: list[LeftOut], *, written_ns: int) -> Iterator[Trajectory]:
    """The turns of the conversations, in order.

    Args:
        found: the documents of the file.
        left_out: takes what was left out, and why.
        written_ns: when the file was written: a conversation says nothing of times.
    """
    seen: dict[str, str] = {}
    started = written_ns
    for document in found:
        value = document.value
        if not speaks(value):
            left_out.append(LeftOut(document.where, "no object with a list of `messages`"))
            continue
        name = next((str(value[key]) for key in _IDS if value.get(key) not in (None, "")), "")
        remarks: list[str] = []
        tools = contracts_of(value.get("tools") or value.get("functions"), remarks)
        left_out.extend(LeftOut(document.where, remark) for remark in remarks)
        try:
            whole = fingerprint([name, value["messages"], value.get("tools") or value.get("functions")])
        except RecursionError:
            left_out.append(LeftOut(document.where, "a value in it is nested too deep"))
            continue
        if whole in seen:
            left_out.append(LeftOut(document.where, f"the same conversation stands in {seen[whole]}"))
            continue
        seen[whole] = document.where
        try:
            messages = Messages().read(value["messages"])
        except MessagesError as error:
            left_out.append(LeftOut(document.where, error.what))
            continue
        told = Told(
            origin=FORMAT,
            messages=messages,
            tools=tools,
            name=name,
            thread_id=name or None,
            agent=str(value.get("model") or ""),
            started_ns=started,
            costs={
                at: _cost(message) for at, message in enumerate(messages) if isinstance(message, AIMessage)
            },
        )
        writer = Writer()
        for number, turn in enumerate(turns_told(told), start=1):
            started = max(started, turn.decisions[-1].at_ns)
            try:
                yield trajectory_of(turn, writer=writer)
            except MessagesError as error:
                left_out.append(
                    LeftOut(f"{document.where}, from turn {number}", f"{error.what} {error.remedy}")
                )
                break
        else:
            lost = unanswered(told)
            if lost == len(messages):
                left_out.append(LeftOut(document.where, "no message of an assistant is in it"))
            elif lost:
                left_out.append(
                    LeftOut(
                        document.where,
                        f"what follows the last answer ({lost} of the messages): no assistant answered it",
                    )
                )


def _cost(message: AIMessage) -> Cost:
    usage = message.usage_metadata
    if usage is None:
        return Cost(calls=1)
    return Cost(calls=1, input_tokens=usage["input_tokens"], output_tokens=usage["output_tokens"])
