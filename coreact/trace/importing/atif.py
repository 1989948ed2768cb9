"""ATIF, Harbor's trajectory format, versions 1.0 to 1.7: a trajectory a document.

User, system and agent steps become messages; an agent step is a decision, and its observation the results of
its calls. Steps marked as copied context are prompt and no decisions, so nothing is trained on twice.
An observation that answers no call (a terminal's screen, say) is shown to the model as a message of the
environment, not as a question of the user. Trajectories of subagents become runs of their own.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from langchain_core.messages import AIMessage, AnyMessage, HumanMessage, SystemMessage, ToolMessage

from coreact.errors import MessagesError, TraceFileError
from coreact.host.messages import SOURCE_KEY
from coreact.judge import Cost
from coreact.rubric import ToolContract
from coreact.trace.importing.atif_extra import own_extra, step_with_extra, with_extra
from coreact.trace.importing.linear import Told, turns_told, unanswered
from coreact.trace.importing.messages import assistant, contracts_of, mended, writable
from coreact.trace.importing.reading import Document, LeftOut
from coreact.trace.importing.spans import amount, count, nanoseconds
from coreact.trace.importing.turns import Writer, trajectory_of
from coreact.trace.records import Trajectory

FORMAT = "atif"

_VERSION = re.compile(r"ATIF-v1\.[0-7]")


def speaks(value: Any) -> bool:
    """Whether a document is an ATIF trajectory, of whatever version."""
    return isinstance(value, Mapping) and str(value.get("schema_version", "")).startswith("ATIF-v")


def read(
    found: Iterable[Document], left_out: list[LeftOut], path: Path, *, written_ns: int, skip_broken: bool
) -> Iterator[Trajectory]:
    """The runs of the trajectories, in order.

    Args:
        found: the documents of the file.
        left_out: takes what was left out, and why.
        path: the file, for errors.
        written_ns: when the file was written, for steps without a time.
        skip_broken: whether to leave out a document that is no trajectory instead of refusing the file.

    Raises:
        TraceFileError: a document is no ATIF trajectory of a version that is known.
    """
    for document in found:
        why = _unfit(document.value)
        if why is None:
            yield from _trajectories(document.value, document.where, left_out, written_ns)
        elif skip_broken:
            left_out.append(LeftOut(document.where, why))
        else:
            raise TraceFileError(
                f"{path}, {document.where}: {why}.",
                path=path,
                line=document.line,
                remedy="ATIF-v1.0 to ATIF-v1.7 are read.",
            )


def _unfit(value: Any) -> str | None:
    if not speaks(value):
        return "no ATIF trajectory"
    if not _VERSION.fullmatch(str(value["schema_version"])):
        return f"its version is {str(value['schema_version'])[:40]!r}, which is not known"
    if not isinstance(value.get("steps"), list):
        return "it has no list of `steps`"
    return None


def _trajectories(
    value: Mapping[str, Any], where: str, left_out: list[LeftOut], written_ns: int
) -> Iterator[Trajectory]:
    remarks: list[str] = []
    try:
        told, extras = _told(value, remarks, written_ns)
    except (MessagesError, TypeError, ValueError, KeyError, AttributeError) as error:
        left_out.append(LeftOut(where, f"it cannot be read: {error}"))
        return
    left_out.extend(LeftOut(where, remark) for remark in remarks)
    ours = own_extra(value)
    turns = list(turns_told(told))
    writer = Writer()
    for number, turn in enumerate(turns, start=1):
        if ours is not None and len(turns) == 1 and value.get("trajectory_id"):
            turn.id = str(value["trajectory_id"])  # a run of ours, under the id that it has
        try:
            trajectory = trajectory_of(turn, writer=writer)
        except MessagesError as error:
            left_out.append(LeftOut(f"{where}, from turn {number}", f"{error.what} {error.remedy}"))
            break
        remarks = []
        steps = tuple(
            step_with_extra(step, extras[len(decision.prompt)], remarks)
            if len(decision.prompt) in extras
            else step
            for step, decision in zip(trajectory.steps, turn.decisions, strict=True)
        )
        trajectory = trajectory.model_copy(update={"steps": steps})
        if ours is not None and len(turns) == 1:
            trajectory = with_extra(trajectory, ours, remarks)
        left_out.extend(LeftOut(where, remark) for remark in remarks)
        yield trajectory
    else:
        lost = unanswered(told)
        if turns and lost:
            left_out.append(
                LeftOut(
                    where,
                    f"what follows the last answer ({lost} of the messages): the agent did not answer it",
                )
            )
    if not turns:
        left_out.append(LeftOut(where, "the agent did nothing in it"))
    inside = value.get("subagent_trajectories")
    for number, one in enumerate(inside if isinstance(inside, list) else [], start=1):
        place = f"{where}, subagent {number}"
        why = _unfit({"schema_version": value["schema_version"], **one} if isinstance(one, Mapping) else one)
        if why is not None:
            left_out.append(LeftOut(place, why))
        else:
            yield from _trajectories(one, place, left_out, written_ns)


@dataclass
class _Story:
    """The messages of a trajectory, and what is known of them by position."""

    messages: list[AnyMessage] = field(default_factory=list)
    times: dict[int, int] = field(default_factory=dict)
    costs: dict[int, Cost] = field(default_factory=dict)
    copied: set[int] = field(default_factory=set)
    extras: dict[int, Mapping[str, Any]] = field(default_factory=dict)

    def add(self, message: AnyMessage, at_ns: int) -> None:
        if at_ns:
            self.times[len(self.messages)] = at_ns
        self.messages.append(writable(message))


def _told(
    value: Mapping[str, Any], remarks: list[str], written_ns: int
) -> tuple[Told, dict[int, Mapping[str, Any]]]:
    agent = value.get("agent")
    agent = agent if isinstance(agent, Mapping) else {}
    story = _Story()
    for step in value["steps"]:
        _add(story, step)
    tools: tuple[ToolContract, ...] = contracts_of(agent.get("tool_definitions"), remarks)
    session, own = value.get("session_id"), value.get("trajectory_id")
    told = Told(
        origin=FORMAT,
        messages=mended(story.messages),
        tools=tools,
        name="/".join(str(one) for one in (session, own) if one),
        thread_id=None if session is None else str(session),
        agent=str(agent.get("name") or ""),
        agent_version=str(agent.get("version") or ""),
        started_ns=min(story.times.values(), default=written_ns),
        times=story.times,
        costs=story.costs,
        copied=frozenset(story.copied),
        source={"session": session, "trajectory": own, "model": agent.get("model_name")},
    )
    return told, story.extras


def _add(story: _Story, step: Mapping[str, Any]) -> None:
    source, at_ns, said = step["source"], nanoseconds(step.get("timestamp")), _content(step.get("message"))
    if source == "user":
        story.add(HumanMessage(said), at_ns)
    elif source == "system":
        story.add(SystemMessage(said), at_ns)
    elif source == "agent":
        position = len(story.messages)
        calls = [
            {
                "id": call.get("tool_call_id"),
                "name": call["function_name"],
                "arguments": call.get("arguments"),
            }
            for call in step.get("tool_calls") or []
        ]
        reasoning = step.get("reasoning_content")
        story.add(assistant(said, calls, reasoning=reasoning if isinstance(reasoning, str) else ""), at_ns)
        story.costs[position] = _cost(step)
        ours = own_extra(step)
        if ours is not None:
            story.extras[position] = ours
        if step.get("is_copied_context") is True:
            story.copied.add(position)
    else:
        raise ValueError(f"step {step.get('step_id')} has the source {str(source)[:40]!r}")
    observation = step.get("observation")
    results = observation.get("results") if isinstance(observation, Mapping) else None
    called = isinstance(story.messages[-1], AIMessage) and bool(
        story.messages[-1].tool_calls or story.messages[-1].invalid_tool_calls
    )
    for result in results or []:
        content = _content(result.get("content"))
        if called:
            story.add(ToolMessage(content, tool_call_id=str(result.get("source_call_id") or "")), at_ns)
        else:
            story.add(HumanMessage(content, additional_kwargs={SOURCE_KEY: FORMAT}), at_ns)


def _content(written: Any) -> Any:
    if written is None or isinstance(written, str):
        return written or ""
    return [dict(part) for part in written]


def _cost(step: Mapping[str, Any]) -> Cost:
    metrics = step.get("metrics")
    metrics = metrics if isinstance(metrics, Mapping) else {}
    calls = step.get("llm_call_count")
    return Cost(
        calls=1 if calls is None else count(calls),
        input_tokens=count(metrics.get("prompt_tokens")),
        output_tokens=count(metrics.get("completion_tokens")),
        usd=amount(metrics.get("cost_usd")),
    )
