"""The judgements of a stored run, by whoever made them: while it ran, or later.

A run holds its judgements in two places: those that it was decided by stand in its attempts, those that were
made later are appended to it. Whoever compares two judges, or two runs as one judge sees them, needs both in
one shape. What an agent judged by criteria that it wrote for itself is not among them.
"""

from __future__ import annotations

from collections.abc import Mapping
from statistics import fmean
from typing import NamedTuple

from coreact.errors import ConfigError
from coreact.judge import Judgement
from coreact.rubric import Rubric
from coreact.trace.records import Trajectory


class Place(NamedTuple):
    """What a judgement is about: an action of an attempt, or with Nones the answer of the run."""

    step: int | None = None
    attempt: int | None = None
    """Position among the attempts of the step."""
    action: int | None = None
    """Position among the actions of the attempt."""


class Judged(NamedTuple):
    """A judgement and the rubric that it goes by."""

    rubric: Rubric
    judgement: Judgement


def judged_by(trajectory: Trajectory, evaluator: str | None = None) -> dict[Place, Judged]:
    """The judgements of a run, by what they are about.

    Args:
        trajectory: the run.
        evaluator: name or version of whoever judged it later; None: what it was decided by.

    Raises:
        ConfigError: nobody of this name judged the run later.
    """
    if evaluator is None:
        return {
            Place(step.index, at, action): Judged(step.rubric, judgement)
            for step in trajectory.steps
            if step.rubric is not None
            for at, attempt in enumerate(step.attempts)
            for action, judgement in enumerate(attempt.judgements)
        }
    found = judged_later(trajectory, evaluator)
    if not found:
        known = sorted({one.evaluator.name for one in trajectory.judgements})
        raise ConfigError(
            f"Nobody called {evaluator!r} judged run {trajectory.run.id} later.",
            remedy=f"Later judgements are by: {', '.join(known)}."
            if known
            else "`coreact trace rejudge` judges a run again.",
        )
    return found


def judged_later(trajectory: Trajectory, evaluator: str) -> dict[Place, Judged]:
    """What an evaluator judged of a run later, by what it is about; empty where it did not.

    Of several judgements about one thing the last that none supersedes counts.

    Args:
        trajectory: the run.
        evaluator: its name or version.
    """
    return {
        Place(*one.place): Judged(one.rubric, one.judgement)
        for one in trajectory.standing
        if evaluator in (one.evaluator.name, one.evaluator.version)
    }


def mean_score(trajectory: Trajectory, judged: Mapping[Place, Judged]) -> float | None:
    """Mean score in [0, 1] of the selected attempts of the judged steps; None where none has one."""
    steps = []
    for step in trajectory.steps:
        at = next((at for at, attempt in enumerate(step.attempts) if attempt.selected), None)
        if at is None:
            continue
        own = (judged.get(Place(step.index, at, action)) for action in range(len(step.attempts[at].actions)))
        scores = [one.judgement.score for one in own if one is not None and one.judgement.score is not None]
        if scores:
            steps.append(fmean(scores))
    return fmean(steps) if steps else None
