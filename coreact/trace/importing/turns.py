"""From the decisions of a turn, as LangChain messages, to a `Trajectory`: what every importer ends in.

An importer finds out which model calls belong to one turn, with which prompt, and what the tools gave back.
This module makes the records of them that a guided run would have left, without rubrics: prompts as growth,
the state's digest, actions, observations, the end. A run whose messages no provider would accept has no
states, so it is refused here and the importer says so.
"""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from langchain_core.messages import AIMessage, AnyMessage, SystemMessage, ToolMessage

from coreact import __version__
from coreact.host.messages import StateReader, actions_of, message_json, turn_of
from coreact.judge import Cost
from coreact.rubric import Phase, ToolCall, ToolContract
from coreact.trace.records import (
    Attempt,
    JudgementRecord,
    ObservationRecord,
    RunEnd,
    RunRecord,
    RunStatus,
    StepRecord,
    Trajectory,
)

_NAMESPACE = uuid.UUID("6f0c2f4e-0c5f-5d0e-9a53-6d6f2a3c7b11")


def stable_id(*parts: str) -> str:
    """An id that is the same for the same foreign ids, so that a file imported twice makes no second run.

    Args:
        parts: the format and the ids of the other tool, from the whole to the part.
    """
    return str(uuid.uuid5(_NAMESPACE, "\x1f".join(parts).encode("utf-8", "replace").decode("utf-8")))


def fingerprint(value: Any) -> str:
    """Hash of JSON data. Ids rest on it, so it must never change; it is quicker than a canonical one."""
    return hashlib.sha256(json.dumps(value, sort_keys=True, default=repr).encode("ascii")).hexdigest()


@dataclass(kw_only=True)
class Decision:
    """One call of the agent's model, as it was made."""

    prompt: Sequence[AnyMessage]
    """The whole request, with the system prompt in front where there is one."""
    message: AIMessage
    tools: tuple[ToolContract, ...] | None = None
    """The tools it had; None where they are not known, so those of the decision before."""
    node: str = ""
    cost: Cost = field(default_factory=Cost)
    at_ns: int
    """When the decision was there, nanoseconds since 1970."""
    trace_id: str | None = None
    span_id: str | None = None


@dataclass(kw_only=True)
class ToolRun:
    """One execution of a tool, recorded beside the messages."""

    name: str
    call_id: str = ""
    """Empty where the recording does not say; then it is paired by name and order."""
    text: str
    failed: bool = False
    start_ns: int
    end_ns: int


@dataclass(kw_only=True)
class Turn:
    """One question of a user and all decisions up to the answer."""

    id: str
    """Id of the run to be."""
    origin: str
    decisions: list[Decision]
    after: Sequence[AnyMessage] = ()
    """Messages that follow the last decision: what its calls gave back."""
    tool_runs: Sequence[ToolRun] = ()
    agent: str = ""
    agent_version: str = ""
    thread_id: str | None = None
    started_ns: int
    source: dict[str, Any] = field(default_factory=dict)
    """Ids of the other tool, kept in the run's settings under `imported`."""
    error: str | None = None
    """What the turn ended with, where it failed."""


class Writer:
    """Reads the states and writes the messages of one conversation, each message once for all its turns."""

    def __init__(self) -> None:
        self._reader = StateReader()
        self._written: dict[int, tuple[AnyMessage, dict[str, Any]]] = {}

    def write(self, message: AnyMessage) -> dict[str, Any]:
        """A message as a record keeps it."""
        known = self._written.get(id(message))
        if known is None:  # with the message, so that its id is not given to another
            known = self._written[id(message)] = message, message_json(message)
        return known[1]

    def state(self, prompt: Sequence[AnyMessage], tools: tuple[ToolContract, ...]) -> tuple[Phase, str]:
        """Phase and digest of the state in which a prompt asks for a decision."""
        system = ""
        if prompt and isinstance(prompt[0], SystemMessage):
            system, prompt = str(prompt[0].text), prompt[1:]
        state = self._reader.read(prompt, tools=tools, system=system)
        return state.phase, state.digest


def trajectory_of(
    turn: Turn, judgements: Sequence[JudgementRecord] = (), *, writer: Writer | None = None
) -> Trajectory:
    """The records of a turn.

    Args:
        turn: the turn.
        judgements: of it.
        writer: of the conversation, where it has other turns.

    Raises:
        MessagesError: its messages break the tool-call protocol, so its decisions have no state.
    """
    _, question = turn_of(turn.decisions[0].prompt)
    steps = tuple(_steps(turn, writer or Writer()))
    seen = tuple(_observations(turn))
    status, answer = _ended(turn)
    last = max([turn.started_ns, *(one.at_ns for one in seen), *(step.at_ns for step in steps)])
    return Trajectory(
        run=RunRecord(
            id=turn.id,
            question=question,
            agent=turn.agent,
            agent_version=turn.agent_version,
            origin=turn.origin,
            thread_id=turn.thread_id,
            settings={"imported": turn.source} if turn.source else {},
            version=__version__,
            started_ns=turn.started_ns,
        ),
        steps=steps,
        observations=seen,
        end=RunEnd(run=turn.id, status=status, answer=answer, error=turn.error, ended_ns=last),
        judgements=tuple(judgements),
    )


def _steps(turn: Turn, writer: Writer) -> Iterator[StepRecord]:
    before: Sequence[AnyMessage] = ()
    known: tuple[ToolContract, ...] | None = None
    for index, decision in enumerate(turn.decisions):
        tools = decision.tools if decision.tools is not None else known or ()
        phase, digest = writer.state(decision.prompt, tools)
        kept = _common(before, decision.prompt)
        actions = actions_of(decision.message)
        yield StepRecord(
            run=turn.id,
            index=index,
            node=decision.node,
            phase=phase,
            rung="plain",
            state_digest=digest,
            tools=None if tools == known else tools,
            prompt_kept=kept,
            prompt_added=tuple(writer.write(one) for one in decision.prompt[kept:]),
            attempts=(
                Attempt(
                    index=0,
                    source="first",
                    message=writer.write(decision.message),
                    actions=actions,
                    selected=True,
                    cost=decision.cost,
                ),
            ),
            dispositions=tuple("answered" if action.stops else "run" for action in actions),
            trace_id=decision.trace_id,
            span_id=decision.span_id,
            cost=decision.cost,
            at_ns=decision.at_ns,
        )
        before, known = decision.prompt, tools


def _common(old: Sequence[AnyMessage], new: Sequence[AnyMessage]) -> int:
    pairs = enumerate(zip(old, new, strict=False))
    return next((at for at, (a, b) in pairs if a is not b and a != b), min(len(old), len(new)))


def _observations(turn: Turn) -> Iterator[ObservationRecord]:
    """What the calls gave back: the text that the model was shown, else what the tool itself recorded."""
    runs = list(turn.tool_runs)
    for index, decision in enumerate(turn.decisions):
        shown, until = turn.after, None
        if index + 1 < len(turn.decisions):
            following = turn.decisions[index + 1]
            shown, until = following.prompt[_common(decision.prompt, following.prompt) :], following.at_ns
        results = {one.tool_call_id: one for one in shown if isinstance(one, ToolMessage)}
        calls = [action.call for action in actions_of(decision.message) if action.call is not None]
        paired = _paired(calls, results, runs, decision.at_ns, until)
        for call in calls:
            result, ran = results.get(call.id), paired.get(call.id)
            if result is None and ran is None:
                continue
            recorded = ran or ToolRun(name=call.name, text="", start_ns=0, end_ns=decision.at_ns)
            yield ObservationRecord(
                run=turn.id,
                step=index,
                call_id=call.id,
                tool=call.name,
                text=recorded.text if result is None else str(result.text),
                failed=recorded.failed or (result is not None and result.status == "error"),
                seconds=0.0 if ran is None else max(0, ran.end_ns - ran.start_ns) / 1e9,
                at_ns=recorded.end_ns,
            )


def _paired(
    calls: Sequence[ToolCall],
    results: Mapping[str, ToolMessage],
    runs: list[ToolRun],
    since: int,
    until: int | None,
) -> dict[str, ToolRun]:
    """The tool run of each call that has one, taken out of the list.

    Paired are those of the same id; then those without an id in time, of the same name and with the result
    that was shown. What is left is paired by name and order where nothing else is possible: where one call
    is left for one run, or no result was shown. Which of several calls failed is not guessed.
    """
    found: dict[str, ToolRun] = {}

    def take(call: ToolCall, run: ToolRun) -> None:
        found[call.id] = run
        runs.remove(run)

    def left(name: str) -> list[ToolRun]:
        in_time = (one for one in runs if one.start_ns >= since and (until is None or one.start_ns <= until))
        return [one for one in in_time if not one.call_id and one.name == name]

    for call in calls:
        mine = next((one for one in runs if one.call_id and one.call_id == call.id), None)
        if mine is not None:
            take(call, mine)
    for call in calls:
        if call.id in results and call.id not in found:
            text = str(results[call.id].text)
            mine = next((one for one in left(call.name) if one.text == text), None)
            if mine is not None:
                take(call, mine)
    for call in calls:
        if call.id not in found and (runs_left := left(call.name)):
            others = [one for one in calls if one.name == call.name and one.id not in found]
            if call.id not in results or len(others) == len(runs_left) == 1:
                take(call, runs_left[0])
    return found


def _ended(turn: Turn) -> tuple[RunStatus, str]:
    if turn.error is not None:
        return "failed", ""
    actions = actions_of(turn.decisions[-1].message)
    answers = [action.answer for action in actions if action.answer is not None]
    if answers:
        return "done", answers[-1]
    # As in a running agent: a message whose every call is malformed ends it like an empty answer.
    malformed = all(action.call is not None and action.call.malformed for action in actions)
    return ("done", "") if malformed and not turn.after else ("interrupted", "")
