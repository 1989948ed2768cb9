"""Rank statistics of many rubrics at once: how far the order each one induces is the order of the reference.

A batch is an array of shape [n, k]: n decisions with k candidates each, NaN where a candidate could not be
scored (or where a decision has fewer than k). Ties share the mean of their places. Three things are settled
here for all users, and as in `coreact.judge.ordering`, which computes one decision without numpy:

- scores without contrast say nothing, and their correlation is 0: neither right nor wrong;
- a reference without contrast leaves nothing to agree with, and the correlation is NaN;
- a candidate without a score takes the mean of the others, so that a gap neither lifts nor sinks it.

Nothing is asked and nothing is masked here; what a NaN means for a sample is the business of `reward`.
"""

from __future__ import annotations

from statistics import fmean

import numpy as np
from numpy.typing import ArrayLike

from coreact.rubric import Rubric
from coreact.train.rewards.arrays import Array
from coreact.train.rewards.few import FULL

THRESHOLD: float = Rubric.model_fields["threshold"].default
"""Share of its weight that a rubric asks for if it says nothing else."""

_DIGITS = 12  # of a score: sums of the same weights in another order must tie
_PAIRED = 16  # candidates up to which counting pairs is quicker than sorting


def standings(
    verdicts: ArrayLike,
    weights: ArrayLike,
    *,
    threshold: ArrayLike = THRESHOLD,
    veto: ArrayLike | None = None,
) -> Array:
    """What candidates are worth by the verdicts on them, as `judgement` and `standing` have it for one.

    The weighted mean of what could be judged, in [0, 1]; plus 2 where the candidate passes however the
    unknown verdicts turn out, plus 1 where that depends on them. One thing is not settled here: that a
    criterion applies only if another one is met. Where it does not apply its weight is 0, and none may hang
    on an unknown one.

    Args:
        verdicts: [n, k, c], 1 met, 0.5 partly met, 0 unmet, NaN unknown.
        weights: [n, c], or [n, k, c], the criteria's weights; 0 where a rubric has fewer than c, or where a
            criterion does not apply.
        threshold: share of the weight from which on a candidate passes, of all rubrics or [n].
        veto: [n, c], true for criteria that fail a candidate when unmet; None: there are none.

    Returns:
        [n, k], in [0, 3], higher is better; NaN where nothing was judged.
    """
    given, heavy = np.asarray(verdicts, np.float64), np.asarray(weights, np.float64)
    if heavy.ndim == 2:
        heavy = heavy[:, None, :]
    most = heavy.max(axis=2, keepdims=True, initial=0.0)
    heavy = heavy / np.where(most > 0, most, 1.0)  # so that no sum of large weights is infinite
    passing = np.asarray(threshold, np.float64)
    passing = passing[:, None] if passing.ndim else passing
    known = ~np.isnan(given)
    whole = (heavy * known).sum(axis=2)
    unknown = (heavy * ~known).sum(axis=2)
    earned = (heavy * np.where(known, given, 0.0)).sum(axis=2)
    with np.errstate(invalid="ignore", divide="ignore"):
        scores: Array = np.round(earned / whole, _DIGITS)
        least = np.round(earned / (whole + unknown), _DIGITS)
        best = np.round((earned + unknown) / (whole + unknown), _DIGITS)
    passes, fails = least >= passing, best < passing
    if veto is not None:
        barred = np.asarray(veto, bool)[:, None, :] & (heavy > 0)
        passes &= ~(barred & ~known).any(axis=2)
        fails |= (barred & (given == 0)).any(axis=2)
    return np.where(fails, 0.0, np.where(passes, 2.0, 1.0)) + scores


def average_ranks(scores: ArrayLike) -> Array:
    """The rank of each candidate in its row, the highest score ranked 1; ties share the mean of their places.

    Args:
        scores: [n, k]; NaN has no rank and takes none away.

    Returns:
        [n, k], in [1, k], NaN where the score is.
    """
    given = np.asarray(scores, np.float64)
    if given.shape[1] > _PAIRED:
        from scipy.stats import rankdata

        sorted_in: Array = np.asarray(rankdata(-given, axis=1, nan_policy="omit"), np.float64)
        return sorted_in
    ranks: Array = np.full(given.shape, 0.5)
    for other in range(given.shape[1]):  # over columns: no array has three dimensions
        beside = given[:, other, None]
        ranks += (beside > given) + 0.5 * (beside == given)
    ranks[np.isnan(given)] = np.nan
    return ranks


def spearman(scores: ArrayLike, reference: ArrayLike) -> Array:
    """Spearman's rank correlation of each row of scores with its row of the reference.

    The Pearson correlation of average ranks, as scipy has it; the short form 1 - 6Σd²/(n(n²-1)), which
    Co-ReAct's trainer uses (arXiv 2605.23590), is wrong where there are ties. Constant scores give 0, where
    scipy gives NaN.

    Args:
        scores: [n, k], higher is better; NaN takes the mean of its row.
        reference: [n, k], higher is better; a candidate that is NaN here is left out.

    Returns:
        [n], in [-1, 1], higher is better; NaN where the reference has no contrast.

    Raises:
        ValueError: the two have not the same shape.
    """
    mine, theirs = np.asarray(scores, np.float64), np.asarray(reference, np.float64)
    if mine.shape != theirs.shape or mine.ndim != 2:
        raise ValueError(f"scores {mine.shape} and reference {theirs.shape} must have one shape [n, k]")
    absent = np.isnan(theirs)
    mine = np.where(absent, np.nan, mine)
    missing = np.isnan(mine) & ~absent
    for row in np.flatnonzero(missing.any(axis=1)):
        known = mine[row, ~np.isnan(mine[row])]
        if known.size:  # the exact mean, which ties with what it should
            mine[row, missing[row]] = fmean(known.tolist())
    left, right = _centred(average_ranks(mine)), _centred(average_ranks(theirs))
    spread = np.einsum("nk,nk->n", left, left)
    room = np.einsum("nk,nk->n", right, right)
    with np.errstate(invalid="ignore", divide="ignore"):
        found = np.einsum("nk,nk->n", left, right) / np.sqrt(spread * room)
    found = np.where(spread == 0, 0.0, np.clip(found, -1.0, 1.0))
    rho: Array = np.where(room == 0, np.nan, found)
    return rho


def _centred(ranks: Array) -> Array:
    """Ranks less the mean of their row; 0 where there is none."""
    known = ~np.isnan(ranks)
    centred: Array = ranks - (known.sum(axis=1)[:, None] + 1) / 2
    return centred if known.all() else np.where(known, centred, 0.0)


def shrunk(rho: ArrayLike, sizes: ArrayLike, *, full: int = FULL) -> Array:
    """Correlations drawn towards 0 where they rest on few candidates, see `few`.

    Args:
        rho: [n] correlations in [-1, 1].
        sizes: [n] numbers of candidates, 2 or more.
        full: candidates from which on a correlation counts in full; 2 leaves all as they are.
    """
    kept = np.sqrt(np.minimum(1.0, (np.asarray(sizes, np.float64) - 1) / max(1, full - 1)))
    drawn: Array = np.asarray(rho, np.float64) * kept
    return drawn


def mapped(rho: ArrayLike) -> Array:
    """From [-1, 1] to [0, 1], 0 to 0.5."""
    rewards: Array = (np.asarray(rho, np.float64) + 1) / 2
    return rewards


def rank_rewards(
    verdicts: ArrayLike,
    weights: ArrayLike,
    reference: ArrayLike,
    *,
    threshold: ArrayLike = THRESHOLD,
    veto: ArrayLike | None = None,
    full: int = FULL,
) -> Array:
    """From verdicts to the rank part of the reward, for many rubrics at once.

    Args:
        verdicts: [n, k, c], see `standings`.
        weights: [n, c], or [n, k, c].
        reference: [n, k] gains, or minus consensus ranks; NaN where unknown.
        threshold: see `standings`.
        veto: see `standings`.
        full: see `shrunk`.

    Returns:
        [n], in [0, 1], higher is better, 0.5 where the rubric tells no candidate from another; NaN where the
        reference has no contrast.
    """
    theirs = np.asarray(reference, np.float64)
    rho = spearman(standings(verdicts, weights, threshold=threshold, veto=veto), theirs)
    return mapped(shrunk(rho, (~np.isnan(theirs)).sum(axis=1), full=full))
