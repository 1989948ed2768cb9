"""Means with bootstrap intervals, plain and paired.

Questions are the unit that is drawn again: several seeds of one question are averaged first, since
they are not independent. Nothing here decides what is significant; it gives the interval.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy.stats import bootstrap

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
