"""Rewards for getting better: over a reference (PIT), and over one's own first attempt (SCoRe).

A policy that revises is easily paid for answers that were right before. `improvement_gap` pays the difference
only, so doing nothing earns 0 and damage costs. `corrected` pays the second attempt and, on top, the change
from the first; with any bonus above 0 the order is

    wrong then right > right then right > wrong then wrong > right then wrong.

A policy can game that by failing first. SCoRe therefore holds the first attempt near the starting policy in
its first phase: `drift` is that guard.

Sources: PIT (implicit self-improvement), SCoRe (self-correction by reinforcement learning). What differs:
PIT's learned reward is any score here, a rubric's for one; the size of SCoRe's bonus is not known to us, so
the default is *ours*.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from pydantic import Field

from coreact.rubric.settings import Settings
from coreact.train.rewards.arrays import Array, numbers


class Correction(Settings):
    """How two attempts are rewarded."""

    bonus: float = Field(default=1.0, gt=0, allow_inf_nan=False)
    """Weight of the change from the first attempt to the second."""
    hold: float = Field(default=0.0, ge=0, allow_inf_nan=False)
    """What a nat of drift of the first attempt costs. Above 0 in the first phase of training."""


class Transitions(NamedTuple):
    """What became of first attempts, as shares of those whose both attempts were judged."""

    fixed: float
    """Wrong, then right."""
    spoiled: float
    """Right, then wrong."""
    right: float
    """Right both times."""
    wrong: float
    """Wrong both times."""
    judged: int
    """How many the shares are of."""


def improvement_gap(revised: Any, reference: Any) -> Array:
    """Score of the revision minus score of the reference, in [-1, 1] for scores in [0, 1].

    Args:
        revised: scores of the revisions, any shape; None or NaN where nobody could judge.
        reference: scores of what was there before, the same shape.

    Returns:
        NaN where either is unknown.
    """
    after, before = _pair(revised, reference)
    return after - before


def corrected(first: Any, second: Any, settings: Correction | None = None, *, drift: Any = 0.0) -> Array:
    """r₂ + bonus·(r₂ - r₁) - hold·drift.

    Args:
        first: rewards of the first attempts in [0, 1], any shape; None or NaN is masked.
        second: rewards of the second attempts, the same shape.
        settings: bonus and hold.
        drift: how far each first attempt went from the starting policy, in nats: the mean over its tokens of
            log π - log π_start, which is the logarithm of `advantages.sequence_ratio`.

    Returns:
        The same shape; NaN where an attempt is unknown.
    """
    settings = settings or Correction()
    before, after = _pair(first, second)
    held = numbers(drift, what="drift", least=0)
    return after + settings.bonus * (after - before) - settings.hold * held


def transitions(first: Any, second: Any, *, right: float = 0.5) -> Transitions:
    """How often second attempts mend and spoil: the two figures by which self-correction is reported.

    Args:
        first: rewards of the first attempts.
        second: rewards of the second attempts.
        right: from where on an attempt counts as right.

    Raises:
        ValueError: not one pair was judged.
    """
    before, after = _pair(first, second)
    known = ~(np.isnan(before) | np.isnan(after))
    if not known.any():
        raise ValueError("no pair of attempts was judged")
    was, became = before[known] >= right, after[known] >= right
    return Transitions(
        fixed=float((~was & became).mean()),
        spoiled=float((was & ~became).mean()),
        right=float((was & became).mean()),
        wrong=float((~was & ~became).mean()),
        judged=int(known.sum()),
    )


def _pair(left: Any, right: Any) -> tuple[Array, Array]:
    one, other = numbers(left, what="scores", least=0), numbers(right, what="scores", least=0)
    if one.shape != other.shape:
        raise ValueError(f"scores of shapes {one.shape} and {other.shape} are to be compared")
    return one, other
