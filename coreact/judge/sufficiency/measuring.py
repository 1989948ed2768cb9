"""How good a critic is: AUROC, calibration error and Brier score, with intervals that respect questions.

Prefixes of one run, and runs of one question, are not independent. So questions are drawn again, with all
their examples, not single examples. Nothing here fits or decides.
"""

from __future__ import annotations

import importlib
from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from coreact.errors import MissingExtraError
from coreact.judge.calibration import reliability
from coreact.rubric import Record

RESAMPLES = 500
"""Bootstrap samples of an interval."""


class Estimate(Record):
    """A figure with its 95 % percentile bootstrap interval over questions."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.3f} [{self.low:.3f}, {self.high:.3f}]"


class Foretold(NamedTuple):
    """A probability that a critic gave, and what came true."""

    question: str
    """Id of the question."""
    probability: float
    """That answering is right, in [0, 1]."""
    right: bool


class Quality(Record):
    """How well probabilities foretell what is right."""

    n: int
    """Examples."""
    questions: int
    right: float
    """Share of the examples that are right, in [0, 1]."""
    auroc: Estimate
    """Chance that a right one gets more than a wrong one, in [0, 1], higher is better; 0.5: no better than
    a coin."""
    ece: Estimate
    """Expected calibration error over ten bins of equal width, in [0, 1], lower is better."""
    brier: Estimate
    """Mean squared distance of probability and truth, in [0, 1], lower is better."""
    brier_of_share: float
    """Brier score of always saying the share that is right: what any critic must beat."""


def quality(foretold: Sequence[Foretold], *, seed: int = 0) -> Quality:
    """Measure probabilities against what came true.

    Resamples that hold one class only have no AUROC and are drawn again.

    Args:
        foretold: the probabilities, with right and wrong ones among them.
        seed: of the bootstrap.

    Raises:
        ValueError: there is only one class, so AUROC is undefined.
        MissingExtraError: the extra `judge` is not installed.
    """
    if len({one.right for one in foretold}) < 2:
        raise ValueError("right and wrong examples are needed to measure a critic")
    np = _library("numpy")
    given = np.asarray([one.probability for one in foretold], dtype=float)
    right = np.asarray([one.right for one in foretold], dtype=float)
    places: defaultdict[str, list[int]] = defaultdict(list)
    for at, one in enumerate(foretold):
        places[one.question].append(at)
    drawn = _resampled([np.asarray(rows) for rows in places.values()], right, seed)
    share = float(right.mean())

    def estimate(figure: Callable[[Any, Any], float]) -> Estimate:
        value = figure(given, right)
        values = [figure(given[rows], right[rows]) for rows in drawn] or [value]
        low, high = np.quantile(values, [0.025, 0.975])
        return Estimate(value=value, low=float(low), high=float(high))

    return Quality(
        n=len(foretold),
        questions=len(places),
        right=share,
        auroc=estimate(_auroc),
        ece=estimate(lambda given, right: reliability(given, right).ece),
        brier=estimate(lambda given, right: float(((given - right) ** 2).mean())),
        brier_of_share=share * (1 - share),
    )


def _auroc(given: Any, right: Any) -> float:
    """Area under the ROC curve by ranks, ties counted half."""
    ranks = _library("scipy.stats").rankdata(given)
    n = float(right.sum())
    return float(((ranks * right).sum() - n * (n + 1) / 2) / (n * (len(right) - n)))


def _resampled(groups: list[Any], right: Any, seed: int) -> list[Any]:
    np = _library("numpy")
    rng = np.random.default_rng(seed)
    found: list[Any] = []
    for _ in range(10 * RESAMPLES):
        rows = np.concatenate([groups[at] for at in rng.integers(len(groups), size=len(groups))])
        if 0 < right[rows].sum() < len(rows):
            found.append(rows)
        if len(found) == RESAMPLES:
            break
    return found


def _library(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise MissingExtraError("Fitting and measuring a critic", extra="judge") from error
