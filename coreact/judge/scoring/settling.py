"""What all rules share: one verdict for each criterion, and dependencies, handled once.

A criterion applies only when those it depends on are met: where one is unmet, partly met or does not
apply itself, its verdict becomes `not_applicable`, which no rule counts. An unknown one takes nothing
away. No arithmetic here.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from coreact.judge.records import Status, Verdict
from coreact.judge.scoring.score import Score
from coreact.rubric import Criterion, Rubric

CREDIT: dict[Status, float] = {"met": 1.0, "partial": 0.5, "unmet": 0.0}
"""Credit of a judged status, in [0, 1]. For a `forbid` criterion `met` means that the bad is absent."""


def settle(rubric: Rubric, verdicts: Sequence[Verdict]) -> list[tuple[Criterion, Verdict]]:
    """Pair criteria and verdicts in the rubric's order, with dependencies applied.

    Args:
        rubric: the rubric that was judged.
        verdicts: exactly one verdict for each criterion of the rubric, in any order.

    Raises:
        ValueError: a criterion has no verdict, or a verdict no criterion.
    """
    by_id = {verdict.criterion: verdict for verdict in verdicts}
    if len(by_id) != len(verdicts) or set(by_id) != {criterion.id for criterion in rubric}:
        raise ValueError("there must be exactly one verdict for each criterion of the rubric")
    settled: dict[str, Verdict] = {}
    for criterion in rubric:
        verdict = by_id[criterion.id]
        failed = [
            name
            for name in criterion.depends_on
            if settled[name].status in ("unmet", "partial", "not_applicable")
        ]
        if failed and verdict.status != "not_applicable":
            verdict = verdict.model_copy(
                update={
                    "status": "not_applicable",
                    "fault": "none",
                    "cause": None,
                    "reason": f"it applies only when {', '.join(failed)} holds",
                }
            )
        settled[criterion.id] = verdict
    return [(criterion, settled[criterion.id]) for criterion in rubric]


class Mark(NamedTuple):
    """A criterion that was judged, and its credit."""

    criterion: Criterion
    credit: float
    """1 met, 0.5 partly met, 0 unmet."""


class Sheet(NamedTuple):
    """A judged rubric as the rules read it: what does not apply is gone."""

    marks: tuple[Mark, ...]
    unknown: tuple[Criterion, ...]
    broken: int
    """How many of the unknown ones an instrument failed on."""

    def score(self, value: float | None, *, low: float = 0.0, high: float = 1.0) -> Score:
        """The value on its scale, with how much of the rubric it rests on."""
        judged = len(self.marks)
        return Score(value, judged, judged + len(self.unknown), low, high, self.broken)


def mark(rubric: Rubric, verdicts: Sequence[Verdict]) -> Sheet:
    """Settle the verdicts and turn them into credits.

    Raises:
        ValueError: a criterion has no verdict, or a verdict no criterion.
    """
    settled = settle(rubric, verdicts)
    unknown = [(criterion, verdict) for criterion, verdict in settled if verdict.status == "unknown"]
    return Sheet(
        marks=tuple(Mark(c, CREDIT[v.status]) for c, v in settled if v.status in CREDIT),
        unknown=tuple(criterion for criterion, _ in unknown),
        broken=sum(verdict.fault == "instrument" for _, verdict in unknown),
    )


def with_criteria(rubric: Rubric, criteria: Sequence[Criterion]) -> Rubric:
    """The rubric with other criteria, checked again and with nothing cached of the old one."""
    fields = {name: getattr(rubric, name) for name in Rubric.model_fields}
    return Rubric(**{**fields, "criteria": tuple(criteria)})
