"""Ranking groups: one decision, its rubric, and all its attempts in the order of their worth.

What a rubric generator is trained and measured on: a rubric is good at a decision if it puts the candidates
into this order. Everything that the record knows of a candidate is beside it: who rejected it, why, and on
what evidence.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import combinations
from typing import Any

from coreact.trace.export.decisions import Candidate, Decision, Run
from coreact.trace.export.json_text import json_text
from coreact.trace.export.labels import Label, evaluators_of, surely_above
from coreact.trace.export.rows import SOURCE, Format, Left, Row


def rows(run: Run) -> Iterator[Row | Left]:
    """The decisions of a run with two or more attempts of different worth under one rubric.

    Where unknown verdicts leave their order open, the decision is left out.
    """
    for decision in run.decisions:
        ranked: list[Candidate] = []
        for candidate in decision.candidates:
            if candidate.label.masked is not None or candidate.label.rubric is None:
                yield Left(candidate.label.masked or "not_judged")
            elif ranked and _lock(candidate) != _lock(ranked[0]):
                yield Left("another_rubric")
            else:
                ranked.append(candidate)
        scores = [one.label.score or 0.0 for one in ranked]
        if len(ranked) < 2:
            yield from [Left("alone_in_its_step")] * len(ranked)
        elif len(set(scores)) == 1:
            yield Left("all_tied", len(ranked))
        elif any(_is_open(one.label, other.label) for one, other in combinations(ranked, 2)):
            yield Left("undecided", len(ranked))
        else:
            yield _row(run, decision, ranked, ranks(scores))


def _is_open(label: Label, other: Label) -> bool:
    """Whether unknown verdicts leave open which one is better."""
    known = all(low == high for low, high in (label.bounds, other.bounds))
    return not known and not surely_above(label, other) and not surely_above(other, label)


def ranks(scores: Sequence[float]) -> list[float]:
    """The rank of each score, 1 for the best; equal scores share the mean of their ranks."""
    return [1 + sum(other > score for other in scores) + (scores.count(score) - 1) / 2 for score in scores]


def _row(run: Run, decision: Decision, ranked: Sequence[Candidate], places: Sequence[float]) -> Row:
    rubric = ranked[0].label.rubric
    return Row(
        {
            "prompt": decision.prompt(),
            "tools": decision.tools,
            "rubric": None if rubric is None else json_text(rubric),
            "rubric_sha": _lock(ranked[0]),
            "state_digest": decision.step.state_digest,
            "candidates": [_told(one, place) for one, place in zip(ranked, places, strict=True)],
            "scores": [one.label.score for one in ranked],
            "ranks": list(places),
            **run.source(decision.step.index),
        },
        decision.row_key(*ranked),
        evaluators_of(one.label for one in ranked),
        _lock(ranked[0]),
    )


def _told(candidate: Candidate, place: float) -> dict[str, Any]:
    attempt, label = candidate.attempt, candidate.label
    return {
        "message": candidate.message,
        "actions": [str(action) for action in attempt.actions],
        "source": attempt.source,
        "feedback": attempt.feedback,
        "score": label.score,
        "rank": place,
        "passed": label.passed,
        "selected": attempt.selected,
        "rejected_by": attempt.rejected_by,
        "reason": attempt.reason,
        "verdicts": [verdict.model_dump(mode="json", exclude_defaults=True) for verdict in label.verdicts],
    }


def _lock(candidate: Candidate) -> str | None:
    return None if candidate.label.rubric is None else candidate.label.rubric.lock


FORMAT = Format(
    name="ranking",
    about="all attempts of a step with scores, ranks and verdicts, for training rubric generators",
    rows=rows,
    columns={
        "prompt": "messages",
        "tools": "text",
        "rubric": "text",
        "rubric_sha": "text",
        "state_digest": "text",
        "candidates": "json",
        "scores": "numbers",
        "ranks": "numbers",
        **SOURCE,
    },
)
