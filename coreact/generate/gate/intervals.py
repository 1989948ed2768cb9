"""Means and shares with 95 % intervals that know which values belong together.

Values of one question are averaged before anything is drawn, since they are not independent. Nothing here
decides what is significant.
"""

from __future__ import annotations

import importlib
from collections import defaultdict
from collections.abc import Iterable, Mapping
from math import sqrt
from statistics import NormalDist, fmean
from typing import Any

from pydantic import Field

from coreact.errors import MissingExtraError
from coreact.rubric import Record

RESAMPLES = 2_000
"""Bootstrap resamples of an interval, unless told otherwise."""


class Interval(Record):
    """An estimate and its 95 % interval."""

    value: float
    low: float
    high: float
    n: int = Field(ge=1)
    """Independent units it rests on."""

    def __str__(self) -> str:
        return f"{self.value:.3f} [{self.low:.3f}, {self.high:.3f}]"


def by_question(values: Iterable[tuple[str, float]]) -> dict[str, float]:
    """The mean of each question's values, from pairs of question id and value."""
    found: dict[str, list[float]] = defaultdict(list)
    for question, value in values:
        found[question].append(value)
    return {question: fmean(own) for question, own in sorted(found.items())}


def mean(values: Mapping[str, float], *, seed: int = 0, resamples: int = RESAMPLES) -> Interval | None:
    """Mean over questions with its percentile bootstrap interval; None where there are no values.

    Args:
        values: one value a question.
        seed: draws the resamples.
        resamples: how many.

    Raises:
        MissingExtraError: the extra `judge` is not installed.
    """
    if not values:
        return None
    np, stats = _library("numpy"), _library("scipy.stats")
    array = np.asarray(list(values.values()), dtype=float)
    value = float(array.mean())
    if bool((array == array[0]).all()):
        return Interval(value=value, low=value, high=value, n=len(array))
    found = stats.bootstrap(
        (array,), np.mean, n_resamples=resamples, method="percentile", rng=np.random.default_rng(seed)
    ).confidence_interval
    return Interval(value=value, low=float(found.low), high=float(found.high), n=len(array))


def share(hits: int, n: int) -> Interval | None:
    """A share with Wilson's interval; None of nothing.

    Written out here and not SciPy's, since an agent that mutes criteria computes it while it runs: that must
    not need an extra, nor the seconds that importing SciPy takes.
    """
    if not n:
        return None
    value, widened = hits / n, _Z**2 / n
    middle = (value + widened / 2) / (1 + widened)
    reach = _Z * sqrt(value * (1 - value) / n + widened / (4 * n)) / (1 + widened)
    low, high = min(value, max(0.0, middle - reach)), max(value, min(1.0, middle + reach))
    return Interval(value=value, low=low, high=high, n=n)


_Z = NormalDist().inv_cdf(0.975)


def _library(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise MissingExtraError("Measuring generators", extra="judge") from error
