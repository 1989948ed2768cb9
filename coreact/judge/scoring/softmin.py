"""Soft minimum: between the mean and the minimum, so that one bad criterion is not averaged away.

RVPO (arXiv 2605.05750) takes it over a group's standardised criteria, as an advantage in training.
The number alone is `soft_minimum`; standardising is the trainer's business.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence

from coreact.errors import ConfigError
from coreact.judge.records import Verdict
from coreact.judge.scoring.score import Score
from coreact.judge.scoring.settling import mark
from coreact.rubric import Rubric


def soft_min(rubric: Rubric, verdicts: Sequence[Verdict], *, k: float = 2.0) -> Score:
    """The soft minimum of the judged credits under the rubric's weights, in [0, 1].

    What differs from the paper: it is taken over credits in [0, 1] and weighted, where the paper takes
    unweighted z-scores. None where nothing was judged.

    Args:
        rubric: the rubric that was judged.
        verdicts: exactly one verdict for each criterion.
        k: 0 is the mean, infinity the minimum. The paper anneals 0.5 to 2; larger ones let a single
            noisy criterion decide.

    Raises:
        ConfigError: k is negative or not a number.
        ValueError: a criterion has no verdict, or a verdict no criterion.
    """
    _require_sharpness(k)
    sheet = mark(rubric, verdicts)
    if not sheet.marks:
        return sheet.score(None)
    weights = [each.criterion.weight for each in sheet.marks]
    return sheet.score(round(soft_minimum([each.credit for each in sheet.marks], weights=weights, k=k), 12))


def soft_minimum(values: Sequence[float], *, k: float, weights: Sequence[float] | None = None) -> float:
    """-(1/k) log of the weighted mean of exp(-k value), without overflow and exact at both ends.

    Args:
        values: finite numbers, at least one.
        k: how sharp, at least 0: 0 gives the weighted mean, infinity the minimum; it never rises with k.
        weights: greater than 0, one for each value; None: all alike.

    Raises:
        ConfigError: k is negative or not a number.
        ValueError: there is no value, or not one weight above 0 for each.
    """
    _require_sharpness(k)
    weights = [1.0] * len(values) if weights is None else weights
    if not values or len(weights) != len(values) or not min(weights) > 0:
        raise ValueError("a soft minimum needs values, and where there are weights, one above 0 for each")
    least = min(values)
    unit = max(weights)
    whole = math.fsum(weight / unit for weight in weights)
    parts = [(weight / unit / whole, value - least) for weight, value in zip(weights, values, strict=True)]
    above = math.fsum(part * over for part, over in parts)  # of the mean over the least value
    reach = k * max(over for _, over in parts)
    if math.isinf(k) or above == 0.0:
        return least
    if reach < sys.float_info.epsilon:  # nearer to the mean than a float can tell
        return least + above
    fall = math.fsum(part * math.expm1(-k * over) for part, over in parts)
    if fall > -0.5:
        softened = -math.log1p(fall) / k
    else:  # log1p near -1 would lose what a small weight says
        whole = math.fsum(part * math.exp(-k * over) for part, over in parts)
        softened = -math.log(max(whole, sys.float_info.min)) / k
    return least + min(above, max(0.0, softened))


def _require_sharpness(k: float) -> None:
    if not k >= 0:
        raise ConfigError(
            f"The sharpness k of a soft minimum is {k}.",
            remedy="Give a number from 0 (the mean) to infinity (the minimum).",
        )
