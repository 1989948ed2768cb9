"""Means with bootstrap intervals, plain and paired, tests of paired differences, and their correction.

Questions are the unit that is drawn again: several seeds of one question are averaged first, since
they are not independent. Where questions hang together (`Sample.clusters`) their clusters are drawn instead.
Everything repeats exactly under its seed. Nothing here decides what is significant; it gives the figures.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binomtest, bootstrap

RESAMPLES = 10_000


class Interval(NamedTuple):
    """A mean and its 95 % bootstrap interval."""

    mean: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.mean:.3f} [{self.low:.3f}, {self.high:.3f}]"


def interval(values: Sequence[float], *, seed: int = 0) -> Interval:
    """Mean of `values` with a 95 % percentile bootstrap interval.

    Args:
        values: one value a question, at least one.
        seed: seed of the resampling.

    Raises:
        ValueError: there are no values.
    """
    if not values:
        raise ValueError("an interval needs at least one value")
    array = np.asarray(values, dtype=float)
    mean = float(array.mean())
    if len(array) == 1 or np.all(array == array[0]):
        return Interval(mean, mean, mean)
    found = bootstrap(
        (array,), np.mean, n_resamples=RESAMPLES, method="percentile", rng=np.random.default_rng(seed)
    ).confidence_interval
    return Interval(mean, float(found.low), float(found.high))


def paired_difference(treated: Sequence[float], control: Sequence[float], *, seed: int = 0) -> Interval:
    """Mean of `treated - control`, question by question, with its interval.

    Raises:
        ValueError: the two are not equally long.
    """
    differences = [a - b for a, b in zip(treated, control, strict=True)]
    return interval(differences, seed=seed)


# --- clusters ------------------------------------------------------------------------------------

EXACT = 12
"""Up to so many clusters every assignment of signs is counted; beyond, `FLIPS` are drawn."""

FLIPS = 9_999

_ROUNDING = 1e-9  # share of a sum that its last digits may make up
_AT_ONCE = 2_000_000  # numbers drawn in one go, to bound the memory


class Sample(NamedTuple):
    """One value a question, and which questions hang together."""

    values: Sequence[float]
    clusters: Sequence[str]
    """Name of each question's cluster, in the same order."""


def cluster_interval(sample: Sample, *, seed: int = 0) -> Interval:
    """Mean over questions with a 95 % percentile bootstrap interval over clusters.

    Whole clusters are drawn with replacement; each draw's mean is over the questions in it, so large clusters
    count for more, as they do in the mean itself.

    Raises:
        ValueError: there are no values.
    """
    sums, counts = _clustered(sample)
    mean = float(sums.sum() / counts.sum())
    if len(sums) == 1 or np.all(sums / counts == mean):
        return Interval(mean, mean, mean)
    rng = np.random.default_rng(seed)
    size = len(sums)
    means: list[NDArray[np.float64]] = []
    left = RESAMPLES
    while left:
        rows = min(left, max(1, _AT_ONCE // size))
        drawn = rng.integers(0, size, size=(rows, size))
        means.append(sums[drawn].sum(axis=1) / counts[drawn].sum(axis=1))
        left -= rows
    low, high = np.percentile(np.concatenate(means), [2.5, 97.5])
    return Interval(mean, float(low), float(high))


def sign_flip_p(differences: Sample, *, seed: int = 0) -> float:
    """Two-sided p value of the paired permutation test of differences, clusters flipped as one.

    If arm and control were alike, each cluster's difference would be as likely with the other sign. The p
    value is the share of sign assignments whose mean is at least as far from 0. All are counted up to `EXACT`
    clusters; beyond, `FLIPS` are drawn and the observed one counts among them, so p is never 0.

    Raises:
        ValueError: there are no values.
    """
    sums, _ = _clustered(differences)
    size = len(sums)
    observed = abs(float(sums.sum()))
    margin = _ROUNDING * float(np.abs(sums).sum())  # sums of equal parts differ in their last digits
    if size <= EXACT:
        flips = (np.arange(2**size)[:, None] >> np.arange(size)) & 1
        return float(np.mean(np.abs((1 - 2 * flips) @ sums) >= observed - margin))
    rng = np.random.default_rng(seed)
    extreme, left = 1, FLIPS
    while left:
        rows = min(left, max(1, _AT_ONCE // size))
        signs = 1 - 2 * rng.integers(0, 2, size=(rows, size), dtype=np.int8)
        extreme += int(np.sum(np.abs(signs @ sums) >= observed - margin))
        left -= rows
    return extreme / (FLIPS + 1)


def cluster_signs(differences: Sample) -> tuple[int, int]:
    """Clusters whose differences sum to more than 0, and to less: what `sign_p` counts.

    What is left of equal parts by rounding is 0.

    Raises:
        ValueError: there are no values.
    """
    sums, _ = _clustered(differences)
    sizes, _ = _clustered(Sample([abs(value) for value in differences.values], differences.clusters))
    margins = _ROUNDING * sizes
    return int(np.sum(sums > margins)), int(np.sum(sums < -margins))


def sign_p(better: int, worse: int) -> float:
    """Two-sided p value of the sign test: how likely so uneven a split is, ties left out; 1 where all tie."""
    return float(binomtest(better, better + worse).pvalue) if better + worse else 1.0


def holm(p_values: Mapping[str, float]) -> dict[str, float]:
    """Holm's correction: p values that hold for all comparisons together, in the order given.

    The i-th smallest of m is multiplied by m - i (from i = 0), and none may lie below a smaller one.
    """
    adjusted: dict[str, float] = {}
    highest = 0.0
    for at, name in enumerate(sorted(p_values, key=lambda one: (p_values[one], one))):
        highest = max(highest, min(1.0, (len(p_values) - at) * p_values[name]))
        adjusted[name] = highest
    return {name: adjusted[name] for name in p_values}


def _clustered(sample: Sample) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Sum and number of values of each cluster, ordered by name."""
    if not sample.values:
        raise ValueError("a figure needs at least one value")
    names = sorted(set(sample.clusters))
    place = {name: at for at, name in enumerate(names)}
    sums, counts = np.zeros(len(names)), np.zeros(len(names))
    for value, cluster in zip(sample.values, sample.clusters, strict=True):
        sums[place[cluster]] += value
        counts[place[cluster]] += 1
    return sums, counts
