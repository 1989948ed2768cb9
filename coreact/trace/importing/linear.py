"""A conversation told as one list of messages, cut into turns: what chat files and ATIF have in common.

Every assistant message is a decision, and its prompt is everything before it. A turn begins with the user's
message; what stands before the first one (a greeting) is a turn without a question.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise, takewhile
from typing import Any

from langchain_core.messages import AIMessage, AnyMessage, ToolMessage

from coreact.host.messages import is_injected
from coreact.judge import Cost
from coreact.rubric import ToolContract
from coreact.trace.importing.turns import Decision, Turn, fingerprint, stable_id


@dataclass(kw_only=True)
class Told:
    """A conversation and what is known about it."""

    origin: str
    messages: Sequence[AnyMessage]
    tools: tuple[ToolContract, ...] = ()
    name: str = ""
    """The other tool's id of the conversation; empty where it has none."""
    thread_id: str | None = None
    agent: str = ""
    agent_version: str = ""
    started_ns: int
    times: Mapping[int, int] = field(default_factory=dict)
    """When a message was there, by its position; nanoseconds since 1970."""
    costs: Mapping[int, Cost] = field(default_factory=dict)
    """What an assistant message cost, by its position."""
    copied: frozenset[int] = frozenset()
    """Positions of assistant messages that were decided elsewhere: they are prompt, not decisions."""
    source: Mapping[str, Any] = field(default_factory=dict)


def turns_told(told: Told) -> Iterator[Turn]:
    """The turns of a conversation that have a decision, in order.

    A turn's id comes from the conversation's name and from all messages up to its end, so it stays the
    same where the conversation goes on in a later file.
    """
    messages = told.messages
    starts = [
        at for at, one in enumerate(messages) if one.type == "human" and not is_injected(one)
    ]  # the user's messages; several in a row make one turn
    now = told.started_ns
    chain = told.name
    if told.tools:
        chain = fingerprint([chain, [one.model_dump(mode="json") for one in told.tools]])
    done = 0
    turns = list(_spans(messages, starts, told.copied))
    for number, (begin, end, decided) in enumerate(turns):
        chain = fingerprint([chain, [_said(one) for one in messages[done:end]]])
        done = end
        # Where no time is known, each message is one nanosecond later: the order is all there is.
        now = began = told.times.get(begin, now + 1)
        decisions = []
        for at in decided:
            now = told.times.get(at, now + 1)
            message = messages[at]
            assert isinstance(message, AIMessage)  # noqa: S101 - `_spans` gives no others
            decisions.append(
                Decision(
                    prompt=messages[:at],
                    message=message,
                    tools=told.tools,
                    cost=told.costs.get(at, Cost(calls=1)),
                    at_ns=now,
                )
            )
        yield Turn(
            id=stable_id(told.origin, told.name, chain),
            origin=told.origin,
            decisions=decisions,
            after=_results(messages, decided[-1], end),
            agent=told.agent,
            agent_version=told.agent_version,
            thread_id=told.thread_id,
            started_ns=min(began, decisions[0].at_ns),
            source={**told.source, "turn": number + 1} if told.source else {},
        )


def unanswered(told: Told) -> int:
    """How many messages stand after the last decision and its results, and so in no turn."""
    messages = told.messages
    decided = [at for at, one in enumerate(messages) if _decides(one, at, told.copied)]
    if not decided:
        return len(messages)
    return len(messages) - decided[-1] - 1 - len(_results(messages, decided[-1], len(messages)))


def _results(messages: Sequence[AnyMessage], decision: int, end: int) -> list[AnyMessage]:
    return list(takewhile(lambda one: isinstance(one, ToolMessage), messages[decision + 1 : end]))


def _decides(message: AnyMessage, at: int, copied: frozenset[int]) -> bool:
    return isinstance(message, AIMessage) and at not in copied


def _said(message: AnyMessage) -> list[Any]:
    """What of a message makes it that message, whatever version of LangChain holds it."""
    good = message.tool_calls if isinstance(message, AIMessage) else []
    bad = message.invalid_tool_calls if isinstance(message, AIMessage) else []
    calls = [[one["name"], one["args"], one["id"]] for one in (*good, *bad)]
    answered = message.tool_call_id if isinstance(message, ToolMessage) else ""
    return [message.type, message.content, calls, answered]


def _spans(
    messages: Sequence[AnyMessage], starts: Sequence[int], copied: frozenset[int]
) -> Iterator[tuple[int, int, list[int]]]:
    """Begin, end and positions of the decisions of each turn that has one."""
    decided = [at for at, one in enumerate(messages) if _decides(one, at, copied)]
    first = 0
    for begin, end in pairwise([0, *starts, len(messages)]):
        last = bisect_left(decided, end, first)
        mine, first = decided[first:last], last
        if mine:
            yield begin, end, mine
