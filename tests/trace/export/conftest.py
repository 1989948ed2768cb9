"""Small judged runs whose rows can be counted by hand."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from coreact.judge import Evidence, Judgement, Verdict, judgement
from coreact.rubric import Action, Criterion, Rubric, ToolCall, ToolContract
from coreact.trace import (
    Attempt,
    Evaluator,
    InMemoryTraceStore,
    JudgementRecord,
    ObservationRecord,
    RunEnd,
    RunRecord,
    StepRecord,
    Trajectory,
)

RUBRIC = Rubric(
    criteria=(
        Criterion(id="hard", text="Search before you answer", kind="hard"),
        Criterion(id="name", text="Name the river"),
        Criterion(id="fresh", text="Ask something new", weight=2),
    )
)
TOOLS = (
    ToolContract(
        name="search",
        description="Find passages.",
        parameters={"type": "object", "properties": {"query": {"type": "string"}}, "required": ["query"]},
        role="search",
    ),
)
FEEDBACK = "Name the river."


class Try(NamedTuple):
    """One attempt: what it says or searches, and its verdicts in the order of the criteria."""

    text: str
    verdicts: str
    """A letter a criterion: m(et), p(artial), u(nmet), n(ot applicable), ? (unknown), ! (broken)."""
    source: str = "first"
    feedback: str = ""
    selected: bool = False
    answers: bool = False
    by: str = "check"


_LETTERS = {"m": "met", "p": "partial", "u": "unmet", "n": "not_applicable", "?": "unknown", "!": "unknown"}


def judged(verdicts: str, *, by: str = "check", rubric: Rubric = RUBRIC) -> Judgement:
    return judgement(
        rubric,
        [
            Verdict(
                criterion=criterion.id,
                reason=f"because of {letter}",
                status=_LETTERS[letter],  # type: ignore[arg-type]
                decided_by=by,
                fault="instrument" if letter == "!" else "none",
                evidence=(Evidence(message_id="m", quote="the Elbe"),) if letter == "m" else (),
            )
            for criterion, letter in zip(rubric, verdicts, strict=True)
        ],
    )


def message(one: Try, call_id: str) -> dict[str, Any]:
    calls = (
        []
        if one.answers
        else [{"name": "search", "args": {"query": one.text}, "id": call_id, "type": "tool_call"}]
    )
    content = one.text if one.answers else ""
    return {"type": "ai", "data": {"content": content, "tool_calls": calls, "invalid_tool_calls": []}}


def attempt(at: int, one: Try, call_id: str) -> Attempt:
    action = (
        Action(answer=one.text)
        if one.answers
        else Action(call=ToolCall(name="search", arguments={"query": one.text}, id=call_id))
    )
    return Attempt(
        index=at,
        source=one.source,  # type: ignore[arg-type]
        message=message(one, call_id),
        actions=(action,),
        judgements=(judged(one.verdicts, by=one.by),) if one.verdicts else (),
        feedback=one.feedback,
        selected=one.selected,
        rejected_by=None if one.selected else "check",
        reason="" if one.selected else "it does not name the river",
    )


def a_run(
    steps: Sequence[Sequence[Try]],
    *,
    run_id: str = "run-1",
    question: str = "Where does the Elbe rise?",
    guidance: str = "Next step: name the river.",
    later: Iterable[JudgementRecord] = (),
    **fields: Any,
) -> Trajectory:
    """A run; where no attempt of a step is selected by hand, the last one is."""
    prompt: list[dict[str, Any]] = [{"type": "human", "data": {"content": question}}]
    records, seen = [], []
    kept = 0
    for index, tries in enumerate(steps):
        chosen = [one.selected for one in tries]
        tries = tries if any(chosen) else [*tries[:-1], tries[-1]._replace(selected=True)]
        ids = [f"call-{index}-{at}" for at in range(len(tries))]
        records.append(
            StepRecord(
                run=run_id,
                index=index,
                state_digest=f"digest-{index}",
                rubric=RUBRIC if any(one.verdicts for one in tries) else None,
                generator="heuristic 1",
                tools=TOOLS if index == 0 else None,
                guidance=guidance,
                prompt_kept=kept,
                prompt_added=tuple(prompt[kept:]),
                attempts=tuple(attempt(at, one, ids[at]) for at, one in enumerate(tries)),
                at_ns=1_700_000_000_000_000_000 + index,
            )
        )
        kept = len(prompt)
        at = next(at for at, one in enumerate(tries) if one.selected)
        prompt = [*prompt, message(tries[at], ids[at])]
        if not tries[at].answers:
            text = f"About {tries[at].text}: the Elbe rises in the Giant Mountains."
            prompt.append(
                {"type": "tool", "data": {"content": text, "tool_call_id": ids[at], "name": "search"}}
            )
            seen.append(ObservationRecord(run=run_id, step=index, call_id=ids[at], tool="search", text=text))
    return Trajectory(
        run=RunRecord(id=run_id, question=question, agent="searcher", **{"started_ns": 1, **fields}),
        steps=tuple(records),
        observations=tuple(seen),
        end=RunEnd(run=run_id, status="done", answer="There.", score=0.5),
        judgements=tuple(later),
    )


def later(
    verdicts: str,
    step: int,
    at: int,
    *,
    by: str = "judge-b",
    kind: str = "model",
    version: str = "1",
    **fields: Any,
) -> JudgementRecord:
    return JudgementRecord(
        run="run-1",
        step=step,
        attempt=at,
        action=0,
        rubric=RUBRIC,
        judgement=judged(verdicts, by=by),
        evaluator=Evaluator(name=by, version=version, kind=kind),  # type: ignore[arg-type]
        **fields,
    )


def stored(*runs: Trajectory) -> InMemoryTraceStore:
    store = InMemoryTraceStore()
    for run in runs:
        store.start(run.run)
        for step in run.steps:
            store.step(step)
        for one in (*run.observations,):
            store.observation(one)
        for one_later in run.judgements:
            store.judgement(one_later)
        if run.end is not None:
            store.end(run.end)
    return store


class Made(NamedTuple):
    """What tests build runs with: fixtures hand it out, as test modules cannot import each other."""

    run: Callable[..., Trajectory]
    later: Callable[..., JudgementRecord]
    stored: Callable[..., InMemoryTraceStore]
    trying: type[Try] = Try
    rubric: Rubric = RUBRIC
    feedback: str = FEEDBACK

    def golden(self, **fields: Any) -> Trajectory:
        """Three steps: two candidates, a retry after feedback, an answer. Scores are 1, 0.5; 0.25, 1; 1."""
        return self.run(
            [
                [
                    Try("Elbe", "mmm", "candidate", selected=True),
                    Try("Rivers", "mmu", "candidate"),
                ],
                [Try("Elbe", "muu"), Try("Giant Mountains", "mmm", "retry", FEEDBACK)],
                [Try("In the Giant Mountains.", "mmm", answers=True)],
            ],
            **fields,
        )


@pytest.fixture
def made() -> Made:
    return Made(a_run, later, stored)


@pytest.fixture
def read_rows() -> Callable[[Path], list[Mapping[str, Any]]]:
    import json

    def read(path: Path) -> list[Mapping[str, Any]]:
        return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]

    return read
