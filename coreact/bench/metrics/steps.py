"""How well step verdicts find the wrong steps of labelled trajectories.

Two figures: whether the first wrong step is found (ProcessBench, arXiv 2412.06559, also counts a trajectory
without one), and precision and recall of wrong steps over all. A step without a label, or that the judge
could not tell, is None: it ends what can be known of the first error, and is left out of the rest.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from coreact.bench.metrics.share import Share, ratio, share

Steps = Sequence[bool | None]
"""For each step of a trajectory whether it is right; None: not known."""


class FirstError(NamedTuple):
    """Where a trajectory first goes wrong."""

    known: bool
    """False where an unknown step stands before the first one known to be wrong."""
    at: int | None
    """0-based step; None where all steps are right, or it is not known."""


def first_error(steps: Steps) -> FirstError:
    """The first wrong step."""
    for at, right in enumerate(steps):
        if right is None:
            return FirstError(known=False, at=None)
        if not right:
            return FirstError(known=True, at=at)
    return FirstError(known=True, at=None)


class FirstErrorAccuracy(NamedTuple):
    """How often the first wrong step is named."""

    overall: Share
    on_wrong: Share
    """Over trajectories with a wrong step: that very step was named."""
    on_right: Share
    """Over trajectories without: none was named."""

    @property
    def f1(self) -> float | None:
        """ProcessBench's figure: harmonic mean of both, in [0, 1]; None where one of them is not known."""
        wrong, right = self.on_wrong.value, self.on_right.value
        if wrong is None or right is None:
            return None
        return 2 * wrong * right / (wrong + right) if wrong + right else 0.0


def first_error_accuracy(trajectories: Iterable[tuple[Steps, Steps]]) -> FirstErrorAccuracy:
    """Compare labels with verdicts.

    Args:
        trajectories: labels and verdicts of each. Where the labels leave the first error open the
            trajectory is not counted at all; where the verdicts do, it counts as not judged.

    Raises:
        ValueError: labels and verdicts of a trajectory differ in number.
    """
    wrong: list[float | None] = []
    right: list[float | None] = []
    for labels, verdicts in trajectories:
        _same_length(labels, verdicts)
        truth, found = first_error(labels), first_error(verdicts)
        if truth.known:
            into = right if truth.at is None else wrong
            into.append(float(truth.at == found.at) if found.known else None)
    return FirstErrorAccuracy(share([*wrong, *right]), share(wrong), share(right))


class StepF1(NamedTuple):
    """How well wrong steps are found."""

    precision: float | None
    """Of the steps called wrong, the share that is; None where none was called wrong."""
    recall: float | None
    """Of the wrong steps, the share called so; None where there is none."""
    f1: float | None
    """2 hits / (steps called wrong + wrong steps), in [0, 1]; None where there are neither."""
    judged: int
    """Labelled steps that the judge could tell."""
    total: int
    """Labelled steps."""


def step_f1(trajectories: Iterable[tuple[Steps, Steps]]) -> StepF1:
    """Precision, recall and F1 of wrong steps, pooled over trajectories.

    Raises:
        ValueError: labels and verdicts of a trajectory differ in number.
    """
    hits = called = wrong = judged = total = 0
    for labels, verdicts in trajectories:
        _same_length(labels, verdicts)
        for truth, found in zip(labels, verdicts, strict=True):
            total += truth is not None
            if truth is None or found is None:
                continue
            judged += 1
            hits += not truth and not found
            called += not found
            wrong += not truth
    return StepF1(ratio(hits, called), ratio(hits, wrong), ratio(2 * hits, called + wrong), judged, total)


def _same_length(labels: Steps, verdicts: Steps) -> None:
    if len(labels) != len(verdicts):
        raise ValueError(f"{len(labels)} labels and {len(verdicts)} verdicts")
