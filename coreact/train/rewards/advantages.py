"""From the rewards of a group to advantages: how much better than its siblings each rollout was.

A group is the rollouts of one prompt, and always the last axis but for criteria. Members whose reward nobody
could tell (NaN or None) take no part in mean and spread, and get the advantage 0: they neither teach nor
count. A group whose known members are all alike gives exactly 0 to each, and so does one with fewer than two
of them.

Sources: GRPO and Dr. GRPO (no division by the spread), as TRL and verl compute them, with the sample's
standard deviation; GSPO (sequence ratio); RVPO (arXiv 2605.05750; soft minimum over criteria). Trainers
compute the first three themselves: here they stand as plain arithmetic to test against, for small policies
without torch, and for credit that a trainer does not know (criteria, stages; see `stagewise`).
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np

from coreact.errors import ConfigError
from coreact.judge.scoring import soft_minimum
from coreact.train.rewards.arrays import Array, numbers

Scale = Literal["group", "none"]
"""What a deviation from the group's mean is divided by. `group`: the group's standard deviation (GRPO);
`none`: nothing (Dr. GRPO), so that groups of little spread are not blown up. TRL's names."""

EPSILON = 1e-4
"""Added to a standard deviation, as in TRL."""

_ALIKE = 1e-12  # of the largest value: a spread below it is rounding


def group_advantages(rewards: Any, *, scale: Scale = "group", epsilon: float = EPSILON) -> Array:
    """A = (r - mean) / (std + ε) within each group, or r - mean.

    Args:
        rewards: `(..., members)`, higher is better; None or NaN is a masked member.
        scale: what to divide by.
        epsilon: at least 0; without it a group of little spread counts as much as any.

    Returns:
        The same shape; 0 for masked members and where a group has no contrast.

    Raises:
        ConfigError: there is no such scale, or ε is negative.
        ValueError: rows differ in length, or a reward is infinite.
    """
    if scale not in ("group", "none"):
        raise ConfigError(f"There is no scale {scale!r} of advantages.", remedy="Use 'group' or 'none'.")
    if not epsilon >= 0:
        raise ConfigError(f"ε is {epsilon}.", remedy="Give a number of at least 0.")
    deviation, spread = _centred(numbers(rewards, what="rewards"), axis=-1)
    if scale == "group":
        deviation = np.divide(
            deviation,
            spread + epsilon,
            out=np.zeros_like(deviation),
            where=np.isfinite(spread) & (spread > 0),
        )
    return np.nan_to_num(deviation, nan=0.0)


def standardised(scores: Any, *, cap: float = 2.0) -> Array:
    """Each criterion's z-scores within its group.

    Args:
        scores: `(..., members, criteria)`; None or NaN where nobody could judge.
        cap: largest absolute z-score, above 0. One member of eight that fails alone has -2.5; the cap keeps
            one noisy verdict from deciding everything (*ours*).

    Returns:
        The same shape; NaN for what was not judged and for criteria that the group does not tell apart.
    """
    if not cap > 0:
        raise ConfigError(f"The cap of z-scores is {cap}.", remedy="Give a number above 0.")
    deviation, spread = _centred(numbers(scores, what="scores", least=2), axis=-2)
    out = np.full_like(deviation, np.nan)
    np.divide(deviation, spread, out=out, where=np.isfinite(spread) & (spread > 0))
    return np.clip(out, -cap, cap)


def soft_minimum_rows(values: Any, *, k: float) -> Array:
    """The soft minimum over the last axis, of what is known there; NaN where nothing is.

    Args:
        values: `(..., criteria)`.
        k: 0 gives the mean, infinity the minimum.
    """
    array = numbers(values, what="values")
    rows = array.reshape(-1, array.shape[-1])
    found = [soft_minimum(known, k=k) if (known := row[~np.isnan(row)].tolist()) else np.nan for row in rows]
    return np.array(found, dtype=float).reshape(array.shape[:-1])


def soft_minimum_advantages(scores: Any, *, k: float, cap: float = 2.0) -> Array:
    """RVPO: the soft minimum of a rollout's z-scores over criteria, whitened over the batch.

    A rollout that fails one criterion is not saved by the others. The paper anneals k from 0.5 to 2 (see
    `schedules.SOFT_MINIMUM`); criteria without variance are left out and z-scores are capped, because one
    noisy low criterion is amplified. The cap's value is *ours*.

    Args:
        scores: `(groups, members, criteria)`; None or NaN where nobody could judge.
        k: how sharp, at least 0.
        cap: largest absolute z-score.

    Returns:
        `(groups, members)`, with mean 0 and standard deviation 1 over all rollouts that have a signal; 0 for
        the others, which are members nobody judged and groups in which no criterion varies.
    """
    soft = soft_minimum_rows(standardised(numbers(scores, what="scores", dimensions=3), cap=cap), k=k)
    return np.nan_to_num(whitened_batch(soft), nan=0.0)


def whitened_batch(values: Any) -> Array:
    """Values with mean 0 and standard deviation 1 over the batch; NaN stays, equal values become 0."""
    array = numbers(values, what="values")
    deviation, spread = _centred(array.reshape(-1), axis=-1)
    return (deviation / spread if spread[0] > 0 else np.where(np.isnan(deviation), np.nan, 0.0)).reshape(
        array.shape
    )


def sequence_ratio(new: Any, old: Any, mask: Any = None) -> Array:
    """GSPO's importance ratio: exp of the mean difference of token log-probabilities.

    That is (π(y) / π_old(y))^(1/|y|): independent of the length, where the product of token ratios is not.

    Args:
        new: log-probabilities of the tokens now, `(..., tokens)`.
        old: the same when they were sampled.
        mask: 1 or true for the completion's own tokens; None: all of them.

    Returns:
        `(...)`, above 0; 1 for a sequence without tokens.

    Raises:
        ValueError: the shapes differ, or a token that counts has no log-probability.
    """
    fresh, stale = numbers(new, what="new"), numbers(old, what="old")
    counted = np.ones(fresh.shape, dtype=bool) if mask is None else np.asarray(mask, dtype=bool)
    if not fresh.shape == stale.shape == counted.shape:
        raise ValueError(f"shapes differ: {fresh.shape}, {stale.shape}, {counted.shape}")
    difference = np.where(counted, fresh - stale, 0.0)
    if np.isnan(difference).any():
        raise ValueError("a token that counts has no log-probability")
    return np.asarray(np.exp(difference.sum(axis=-1) / np.maximum(counted.sum(axis=-1), 1)))


def clipped_objective(ratio: Any, advantages: Any, *, low: float = 0.2, high: float | None = None) -> Array:
    """min(r·A, clip(r, 1 - low, 1 + high)·A), elementwise; higher is better.

    Args:
        ratio: new over old probability, of a token or of a sequence, above 0.
        advantages: of the same shape, or one that broadcasts.
        low: how far the ratio may fall.
        high: how far it may rise; None: as far as `low`.
    """
    plain, advantage = numbers(ratio, what="ratio", least=0), numbers(advantages, what="advantages", least=0)
    near = np.clip(plain, 1 - low, 1 + (low if high is None else high))
    return np.minimum(plain * advantage, near * advantage)


def _centred(values: Array, *, axis: int) -> tuple[Array, Array]:
    """Deviations from the mean along an axis, NaN kept; and the sample's deviation, axis kept.

    The latter is 0 where the known values are alike, and NaN where there are fewer than two; deviations are
    0 in both cases.
    """
    known = ~np.isnan(values)
    count = known.sum(axis=axis, keepdims=True)
    filled = np.where(known, values, 0.0)
    mean = filled.sum(axis=axis, keepdims=True) / np.maximum(count, 1)
    deviation = np.where(known, values - mean, np.nan)
    squares = np.where(known, deviation**2, 0.0).sum(axis=axis, keepdims=True)
    spread = np.sqrt(squares / np.maximum(count - 1, 1))
    alike = spread <= _ALIKE * np.maximum(np.abs(filled).max(axis=axis, keepdims=True, initial=0.0), 1e-300)
    spread = np.where(count < 2, np.nan, np.where(alike, 0.0, spread))
    return np.where(known & ~(spread > 0), 0.0, deviation), spread
