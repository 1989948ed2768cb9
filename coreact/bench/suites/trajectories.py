"""Recorded trajectories with labels: which step went wrong, or how it ended.

AgentRx on tau-bench has people's labels of steps, FireAct on HotpotQA only outcomes. A trajectory is read
into the states and actions of this library, so that any judge can rule on its steps; labels that nobody gave
are None. How well verdicts find the wrong steps is counted in `coreact.bench.metrics.steps`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import Field

from coreact.bench.suites.reading import located, objects, parsed, records, text_of
from coreact.errors import LabelFileError
from coreact.judge import Judge, judgement
from coreact.judge.consult import consult
from coreact.judge.runner import run_checks, undecided
from coreact.rubric import Action, Observation, Record, Rubric, State, Step, ToolCall
from coreact.trace.lines import Line

_ACT = re.compile(r"\s*(\w+)\s*\[(.*)\]\s*", re.DOTALL)


class LabelledStep(Record):
    """What an agent did at one step, and whether it was right."""

    action: Action
    observation: Observation | None = None
    """What came back; None after an answer, or where nothing did."""
    right: bool | None = None
    """None: nobody said."""
    category: str = ""
    """What kind of failure it is, where it is one and somebody said."""


class LabelledTrajectory(Record):
    """A recorded run with labels."""

    id: str = Field(min_length=1)
    """Unique within its file."""
    question: str
    given: tuple[str, ...] = ()
    """Other text that the agent was given, such as a policy."""
    steps: tuple[LabelledStep, ...] = Field(min_length=1)
    right: bool | None = None
    """Whether the outcome is right; None: nobody said."""
    f1: float | None = Field(default=None, ge=0, le=1)
    """F1 of its answer, in [0, 1], where its source gives one."""
    complete: bool = True
    """Whether the run stands here up to its end."""
    cluster: str = ""
    """Runs that share it are about one question."""

    @cached_property
    def labels(self) -> tuple[bool | None, ...]:
        """Whether each step is right."""
        return tuple(step.right for step in self.steps)

    def decisions(self) -> Iterator[Decision]:
        """Each step with the state in which it was decided."""
        state = State.start(self.question, given=self.given)
        for step in self.steps:
            yield Decision(state, step.action, step.right)
            if step.action.call is not None:
                state = state.after(Step(call=step.action.call, observation=step.observation))


class Decision(NamedTuple):
    """One step to be judged."""

    state: State
    action: Action
    right: bool | None
    """Its label."""


def judged_steps(
    trajectory: LabelledTrajectory, rubric: Rubric, judge: Judge | None = None
) -> tuple[bool | None, ...]:
    """What checks and a judge make of each step: does it pass; None where they cannot tell.

    Args:
        trajectory: the run.
        rubric: the criteria of a right step, the same for every step.
        judge: decides what no check decides; None: that stays open.
    """
    found: list[bool | None] = []
    for state, action, _ in trajectory.decisions():
        decided, left = run_checks(rubric, action, state)
        if not left:
            ruled = decided
        elif judge is None:
            ruled = (*decided, *undecided(left, reason="no judge was asked", by="nobody", broken=False))
        else:
            ruled = (*decided, *consult(judge, left, action, state).verdicts)
        found.append(judgement(rubric, ruled).passed)
    return tuple(found)


def load_agentrx(path: Path | str) -> tuple[LabelledTrajectory, ...]:
    """Failed tool-calling runs whose failures people marked (AgentRx on tau-bench).

    A step is a turn of the agent; words to the user are a call of `respond`, whose observation is what the
    user says next. Steps before the first failure are right, marked ones wrong, unmarked ones after it have
    no label. Where the first failure is the user's, what the agent does after it has none either, unless it
    is marked. The simulated user's hidden instruction is not shown.

    Args:
        path: the file, or a folder with `trajectories.jsonl`.

    Raises:
        LabelFileError: the file or a line cannot be used.
    """
    return records(located(path, "trajectories.jsonl"), _agentrx)


def load_fireact(path: Path | str) -> tuple[LabelledTrajectory, ...]:
    """Recorded ReAct runs on HotpotQA, labelled by outcome (FireAct, arXiv 2310.05915).

    Thoughts are not read. An action that is not written `name[…]` is a malformed call. What stands behind
    the first `finish[…]` is not a step; a run without one, or of which the file holds a part, is not
    `complete`. Runs of several agents on one question share a cluster.

    Args:
        path: a file, or a folder all of whose `*.jsonl` are read; ids begin with the file's name.

    Raises:
        LabelFileError: there is no file, or a file or line cannot be used.
    """
    given = Path(path)
    files = sorted(given.glob("*.jsonl")) if given.is_dir() else [given]
    if not files:
        raise LabelFileError(f"{given} holds no *.jsonl.", path=given, remedy="Give a file of trajectories.")
    found: dict[str, LabelledTrajectory] = {}
    for line in (line for file in files for line in objects(file)):
        run = _fireact(line)
        if run.id in found:
            raise line.error(
                f"the run {run.id!r} is taken by an earlier line",
                remedy="Give every question one run a file.",
            )
        found[run.id] = run
    if not found:
        raise LabelFileError(
            f"{given} holds no run.", path=given, remedy="Write one JSON object on each line."
        )
    return tuple(found.values())


def _agentrx(fields: Mapping[str, Any]) -> LabelledTrajectory:
    history, failures = fields["history"], fields["failures"]
    asked = next((at for at, turn in enumerate(history) if turn["role"] == "user"), None)
    if asked is None or not failures:
        raise ValueError("a run needs a turn of the user, and a failure that is marked")
    marked = {one["step_index"]: one["failure_category"] for one in failures}
    if not all(0 <= at < len(history) for at in marked):
        raise ValueError("a failure is marked at a turn that is not there")
    first = min(marked)
    steps = []
    for at in range(asked + 1, len(history)):
        if history[at]["role"] != "assistant":
            continue
        reply = history[at + 1] if at + 1 < len(history) else None
        steps.append(
            LabelledStep(
                action=Action(call=_turn(history[at])),
                observation=None if reply is None else Observation(text=reply["content"], id=f"m{at + 1}"),
                right=False if at in marked else True if at < first else None,
                category=marked.get(at, ""),
            )
        )
    return LabelledTrajectory(
        id=fields["id"],
        question=history[asked]["content"],
        given=tuple(turn["content"] for turn in history if turn["role"] == "system"),
        steps=tuple(steps),
        right=False,
    )


def _turn(turn: Mapping[str, Any]) -> ToolCall:
    calls = turn.get("tool_calls") or ()
    if not calls:
        return ToolCall(name="respond", arguments={"text": turn["content"]})
    if len(calls) > 1:
        raise ValueError("an assistant turn has several tool calls")
    function = calls[0]["function"]
    return ToolCall(name=function["name"], arguments=json.loads(function["arguments"]), id=calls[0]["id"])


def _acted(written: str, found: re.Match[str] | None) -> ToolCall:
    if found is not None:
        return ToolCall(name=found[1], arguments={"query": found[2]})
    name = re.match(r"\s*(\w*)", written)
    return ToolCall(name=name[1] if name else "", malformed=f"no call of the form name[…]: {written[:200]}")


def _fireact(line: Line) -> LabelledTrajectory:
    def read(fields: Mapping[str, Any]) -> LabelledTrajectory:
        steps = []
        for at, taken in enumerate(fields["steps"]):
            written = taken.get("action") or ""
            if not written.strip():
                continue  # a thought without an action decides nothing
            found = _ACT.fullmatch(written)
            if found is not None and found[1] == "finish":
                steps.append(LabelledStep(action=Action(answer=found[2])))
                break
            seen = taken.get("observation")
            steps.append(
                LabelledStep(
                    action=Action(call=_acted(written, found)),
                    observation=None if seen is None else Observation(text=seen, id=f"observation-{at + 1}"),
                )
            )
        return LabelledTrajectory(
            id=f"{line.path.stem}/{fields['hotpot_dev_index']}",
            question=text_of(fields, "question"),
            steps=tuple(steps),
            right=fields["em"],
            f1=fields["f1"],
            complete=bool(steps) and steps[-1].action.stops,
            cluster=str(fields["hotpot_dev_index"]),
        )

    return parsed(line, read)
