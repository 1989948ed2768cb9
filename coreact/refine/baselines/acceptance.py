"""How far a judge that accepts answers can be trusted, by difficulty.

A model that reranks its own samples accepts most of them, right or wrong, and the harder the question the
worse ("Is PRM Necessary?" finds a precision below 10 % on hard problems). A mean over all questions hides
that. Who knows which answers are right and how hard a question is calls this; nothing here does.
"""

from __future__ import annotations

from collections.abc import Iterable

from coreact.rubric import Record


class Judged(Record):
    """One answer, what a judge made of it, and the truth."""

    bucket: str
    """How hard its question is: `easy`, `hard`."""
    passed: bool | None
    """Whether the judge accepted it; None where it could not tell."""
    right: bool


class Acceptance(Record):
    """A judge's acceptance in one bucket."""

    total: int
    """Answers."""
    accepted: int
    right: int
    """Right answers that the judge decided about."""
    unknown: int
    """Answers it could not decide about: in neither share."""
    precision: float | None
    """Right ones among accepted ones, in [0, 1], higher is better; None where it accepted none."""
    recall: float | None
    """Accepted ones among right ones, in [0, 1], higher is better; None where none is right."""


def acceptance(cases: Iterable[Judged]) -> dict[str, Acceptance]:
    """Precision and recall of a judge by bucket, in the order in which buckets come up."""
    buckets: dict[str, list[Judged]] = {}
    for case in cases:
        buckets.setdefault(case.bucket, []).append(case)
    return {name: _acceptance(found) for name, found in buckets.items()}


def _acceptance(cases: list[Judged]) -> Acceptance:
    decided = [case for case in cases if case.passed is not None]
    accepted = sum(case.passed is True for case in decided)
    right = sum(case.right for case in decided)
    both = sum(case.right and case.passed is True for case in decided)
    return Acceptance(
        total=len(cases),
        accepted=accepted,
        right=right,
        unknown=len(cases) - len(decided),
        precision=both / accepted if accepted else None,
        recall=both / right if right else None,
    )
