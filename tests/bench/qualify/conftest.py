"""Labelled cases with drawn labels, and asking a judge about them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from random import Random

import pytest

from coreact.bench.qualify.cases import CaseSet, JudgeCase, LabelStatus
from coreact.bench.qualify.run import Ask, Ruled, collect, plan, settings_of
from coreact.judge.runner import Judge
from coreact.rubric import Action, Criterion, Observation, Step, ToolCall

CRITERIA = (
    Criterion(id="a", text="The answer is supported.", kind="fact"),
    Criterion(id="b", text="The answer names a year."),
)
_LABELS: tuple[LabelStatus, ...] = ("met", "unmet", "partial", "unmet")


def _make(n: int, *, seed: int = 0, criteria: tuple[Criterion, ...] = CRITERIA) -> tuple[JudgeCase, ...]:
    draw = Random(seed)
    return tuple(
        JudgeCase(
            id=f"case-{at}",
            dataset="made",
            question="When?",
            steps=(
                Step(
                    call=ToolCall(name="search", arguments={"query": "when"}),
                    observation=Observation(text=f"It was in {1900 + at}.", id="m1"),
                ),
            ),
            action=Action(answer=f"case-{at}\n" + "word " * draw.randint(1, 60)),
            criteria=criteria,
            labels={criterion.id: draw.choices(_LABELS)[0] for criterion in criteria},
            author=("own", "other", None, None)[at % 4],
        )
        for at in range(n)
    )


@pytest.fixture
def make_cases() -> Callable[..., tuple[JudgeCase, ...]]:
    """Cases with drawn labels; of four, one is written by the family `own` and one by `other`."""
    return _make


@pytest.fixture
def ask(tmp_path: Path) -> Callable[..., tuple[list[Ask], list[Ruled]]]:
    """Ask a judge about cases and the variants of some, and give what was asked and ruled."""

    def asked(judge: Judge, cases: Sequence[JudgeCase], *, probes: int = 0) -> tuple[list[Ask], list[Ruled]]:
        asks = plan(cases, probes=probes)
        settings = settings_of(judge, CaseSet("made", "text.1:made", tuple(cases)))
        return asks, list(collect(judge, asks, settings=settings, out=tmp_path / f"{judge.id}.jsonl"))

    return asked
