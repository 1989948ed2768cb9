"""Tests of a rubric on a stored branching point, where the worth of each candidate is known.

`effect` is C2's (arXiv 2604.13618): how much a rubric moves judging towards the label, against the same
judging without it. There the margin is a difference of log-probabilities of two letters; here it is the mean
difference of what better and worse candidates are worth by the rubric, over all pairs, so that a rubric made
of checks has one too. `consistency` is the filter of OpenRubrics (arXiv 2510.07743): judging by the rubric
recovers the label of at least half of the pairs. A tie is no recovery.

What is compared is where the loop would put a candidate (see `coreact.judge.ordering.standing`), scaled to
[0, 1]. Labels come in by the branching point alone. Whether the same rubric, or its writer, helps in a new
state is not shown here; see `qualify`.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import permutations
from statistics import fmean
from typing import Literal, NamedTuple

from coreact.generate.gate.results import ROUNDING, GateResult, GateTest, Thresholds, untested
from coreact.judge.asking import Asking, aserve, serve
from coreact.judge.ordering import judging, outage, standing
from coreact.judge.records import Judgement
from coreact.judge.runner import Judge
from coreact.rubric import Criterion, Rubric
from coreact.rubric.branching import BranchingPoint

RUBRIC_FREE = Rubric(
    criteria=(Criterion(id="step", text="This is a good next step towards answering the question."),)
)
"""What a judge is asked where there is no rubric: the control arm, and a fallback that adds nothing."""

_TOP = 3.0  # the most that `standing` gives

Bearing = Literal["helpful", "neutral", "misleading"]
"""Which way a rubric moves judging: towards the label, not at all or not enough, away from it."""


class Margin(NamedTuple):
    """Worth of the better minus worth of the worse candidate, mean over all pairs, in [-1, 1]."""

    with_rubric: float
    without: float
    """The control arm's; 0 where nobody judges without a rubric."""

    @property
    def bearing(self) -> Bearing:
        """C2's condition: helpful above both 0 and the control, misleading below both."""
        if self.with_rubric > max(0.0, self.without) + ROUNDING:
            return "helpful"
        return "misleading" if self.with_rubric < min(0.0, self.without) - ROUNDING else "neutral"


def margin(judgements: Sequence[Judgement], gains: Sequence[float]) -> float | None:
    """Mean of worth(better) - worth(worse) over all pairs of unequal gain, in [-1, 1], higher is better.

    A candidate that could not be scored takes the mean of the others.

    Returns:
        None where no two gains differ. 0 where nothing was scored, or all alike.
    """
    worth = _worth(judgements)
    return fmean(worth[a] - worth[b] for a, b in pairs) if (pairs := better_first(gains)) else None


def better_first(gains: Sequence[float]) -> list[tuple[int, int]]:
    """All pairs of positions whose first has the higher gain."""
    return [(a, b) for a, b in permutations(range(len(gains)), 2) if gains[a] > gains[b]]


def _worth(judgements: Sequence[Judgement]) -> list[float]:
    places = standing(judgements)
    known = [place for place in places if place is not None]
    middle = fmean(known) if known else 0.0
    return [(middle if place is None else place) / _TOP for place in places]


def effect(
    rubric: Rubric,
    point: BranchingPoint,
    *,
    judge: Judge | None = None,
    control: Rubric | None = RUBRIC_FREE,
    thresholds: Thresholds | None = None,
) -> GateResult:
    """Whether the rubric moves judging towards the label.

    Args:
        rubric: the rubric to test.
        point: candidates and what they are worth.
        judge: decides criteria without a check, in both arms.
        control: what is judged by in the control arm. None, or no judge: all candidates tie there.
        thresholds: by how much both 0 and the control must be exceeded.
    """
    return serve(_effect(rubric, point, judge, control, thresholds or Thresholds()))


async def aeffect(
    rubric: Rubric,
    point: BranchingPoint,
    *,
    judge: Judge | None = None,
    control: Rubric | None = RUBRIC_FREE,
    thresholds: Thresholds | None = None,
) -> GateResult:
    """The same, without blocking the event loop."""
    return await aserve(_effect(rubric, point, judge, control, thresholds or Thresholds()))


def _effect(
    rubric: Rubric, point: BranchingPoint, judge: Judge | None, control: Rubric | None, thresholds: Thresholds
) -> Asking[GateResult]:
    guided = yield from judging(rubric, point.actions, point.state, judge)
    plain = yield from judging_without(point, judge, control)
    return effect_of(guided, plain, point.gains, thresholds)


def judging_without(
    point: BranchingPoint, judge: Judge | None, control: Rubric | None
) -> Asking[tuple[Judgement, ...]]:
    """Judge the candidates in the control arm; nothing where nobody judges without a rubric."""
    if judge is None or control is None:
        return ()
    return (yield from judging(control, point.actions, point.state, judge))


def effect_of(
    guided: Sequence[Judgement], plain: Sequence[Judgement], gains: Sequence[float], thresholds: Thresholds
) -> GateResult:
    """The same from judgements: with the rubric, and in the control arm (empty: all candidates tie)."""
    untestable = _untestable("effect", (*guided, *plain), gains)
    if untestable is not None:
        return untestable
    found = Margin(margin(guided, gains) or 0.0, (margin(plain, gains) or 0.0) if plain else 0.0)
    least = max(0.0, found.without) + thresholds.effect
    passed = found.with_rubric > least + ROUNDING
    reason = f"margin {found.with_rubric:+.2f} with the rubric, {found.without:+.2f} without: {found.bearing}"
    return GateResult(
        test="effect",
        passed=passed,
        value=found.with_rubric,
        threshold=least,
        reason=reason,
        problem=None if passed else "misaligned" if found.bearing == "misleading" else "undiscriminating",
    )


def consistency(
    rubric: Rubric, point: BranchingPoint, *, judge: Judge | None = None, thresholds: Thresholds | None = None
) -> GateResult:
    """Whether judging by the rubric recovers the label.

    Args:
        rubric: the rubric to test.
        point: candidates and what they are worth.
        judge: decides criteria without a check.
        thresholds: the share of pairs that must come out right.
    """
    asking = judging(rubric, point.actions, point.state, judge)
    return consistency_of(serve(asking), point.gains, thresholds or Thresholds())


async def aconsistency(
    rubric: Rubric, point: BranchingPoint, *, judge: Judge | None = None, thresholds: Thresholds | None = None
) -> GateResult:
    """The same, without blocking the event loop."""
    asking = judging(rubric, point.actions, point.state, judge)
    return consistency_of(await aserve(asking), point.gains, thresholds or Thresholds())


def consistency_of(
    judgements: Sequence[Judgement], gains: Sequence[float], thresholds: Thresholds
) -> GateResult:
    """The same from judgements."""
    untestable = _untestable("consistency", judgements, gains)
    if untestable is not None:
        return untestable
    worth = _worth(judgements)
    pairs = better_first(gains)
    right = sum(worth[a] > worth[b] + ROUNDING for a, b in pairs)
    value = right / len(pairs)
    passed = value >= thresholds.consistency - ROUNDING
    return GateResult(
        test="consistency",
        passed=passed,
        value=value,
        threshold=thresholds.consistency,
        reason=f"{right} of {len(pairs)} labelled pairs come out right",
        problem=None if passed else "inconsistent",
    )


def _untestable(test: GateTest, judgements: Sequence[Judgement], gains: Sequence[float]) -> GateResult | None:
    if not better_first(gains):
        return untested(test, "all candidates are worth the same")
    cause = outage(judgements)
    return untested(test, f"the judge failed ({cause})", cause=cause) if cause is not None else None
