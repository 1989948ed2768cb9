"""The control arm: how well the candidates of a point can be put in order without the rubric.

A judge that ranks candidates sees the question and the trajectory as well, so it can be right while it
ignores the rubric, and a reward without a control pays the rubric for it (Co-ReAct's does, arXiv
2605.23590). So the same judge is asked once for each point without the rubric, and what it reaches alone is
taken away. Where code alone ranks there is no such judge; the control then is what one fixed rubric reaches
that knows nothing of the point, so that saying "do not repeat a call" everywhere earns nothing.

The control is one number for each point. Subtracted, it moves all rewards of a group alike, and advantages
that are divided by the group's deviation do not change by it at all: it tells points apart, not rubrics.
`relative` measures what a rubric adds by the room that the control left, and does change them.
"""

from __future__ import annotations

from typing import Literal

from coreact.judge.asking import Asking
from coreact.judge.panel import Ranker
from coreact.judge.runner import Judge
from coreact.rubric import Criterion, Rubric
from coreact.rubric.branching import BranchingPoint
from coreact.rubric.checks import DoesNotStop, NotRepeat
from coreact.train.rewards.candidates import CandidateOrder, Order

Against = Literal["none", "subtract", "relative"]
"""How a control is taken away from a rubric's correlation, see `lift`."""

UNGUIDED = Rubric(criteria=(Criterion(id="c1", text="It is a good next step for the question."),))
"""What a judge is asked where it is to judge without a rubric."""

CONTEXT_FREE = Rubric(
    criteria=(
        Criterion(id="c1", text="Do not repeat an earlier call.", check=NotRepeat()),
        Criterion(id="c2", text="Do not answer yet.", check=DoesNotStop()),
    )
)
"""What can be said of a step without looking at it."""


class ControlArm:
    """Puts the candidates of points in order without the rubric that is rewarded; once for each point.

    Args:
        order: whoever orders candidates by the rubrics that are rewarded: the same judge, the same memory.
        judge: its judge.
        by: a fixed rubric or a ranker to take instead of the usual one: the judge's own opinion, or
            `CONTEXT_FREE` where there is no judge.
    """

    def __init__(
        self, order: CandidateOrder, judge: Judge | Ranker | None, *, by: Rubric | Ranker | None = None
    ) -> None:
        self._order = order
        self._by: Rubric | Ranker
        if by is not None:
            self._by = by
        elif judge is None:
            self._by = CONTEXT_FREE
        else:
            self._by = UNGUIDED if isinstance(judge, Judge) else judge

    def ordering(self, point: BranchingPoint) -> Asking[Order]:
        """Put the candidates in order, as a procedure of `coreact.judge.asking`."""
        if isinstance(self._by, Rubric):
            return (yield from self._order.ordering(self._by, point))
        return (yield from self._order.ranking(self._by, point))


def lift(value: float, control: float, against: Against) -> float:
    """How much better than its control a rubric is, in [-1, 1], higher is better, 0 for no better.

    Args:
        value: agreement of the rubric's order, in [-1, 1].
        control: agreement of the order without it, in [-1, 1].
        against: `none`: the value as it is. `subtract`: half of the difference, so that all of it fits.
            `relative`: the share of the way from the control to 1, or down to -1, so that being perfect
            is 1 however good the control is; where there is no way to go it is 0.
    """
    if against == "none":
        return value
    gained = value - control
    if against == "subtract":
        return gained / 2
    room = 1 - control if gained > 0 else 1 + control
    return gained / room if room > 0 else 0.0
