"""Weighted means and ratios that neither the order nor the size of weights moves.

Weights come from files and models, so they may be 1e308 or 5e-324: sums are taken in units of the
largest weight, by `fsum`, which loses nothing in any order. No rule of scoring lives here.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence

Part = tuple[float, float]
"""A weight, greater than 0, and what it is multiplied with."""


def share(parts: Sequence[Part]) -> float | None:
    """The weighted mean of numbers in [0, 1], rounded to 12 digits; None without any."""
    if not parts:
        return None
    unit = max(weight for weight, _ in parts)
    whole = math.fsum(weight / unit for weight, _ in parts)
    credit = math.fsum(weight / unit * part for weight, part in parts)
    # Weights are binary fractions of what was written: 0.3 + 0.3 must reach a threshold of 0.6.
    return min(1.0, round(credit / whole, 12))


def ratio(parts: Sequence[Part], base: Sequence[float]) -> float:
    """The sum of weighted numbers of either sign over the sum of `base`, which has one weight at least.

    Finite whatever the weights are; not rounded.
    """
    unit = max(*base, *(weight for weight, _ in parts), 0.0)
    above = math.fsum(weight / unit * factor for weight, factor in parts)
    below = max(math.fsum(weight / unit for weight in base), sys.float_info.min)
    largest = sys.float_info.max
    return min(largest, max(-largest, above / below))


def total(weights: Sequence[float]) -> float:
    """The sum, at most the largest float; 0 without any."""
    unit = 2.0 ** (math.frexp(max(weights))[1] - 1) if weights else 1.0  # a power of two divides exactly
    return min(sys.float_info.max, math.fsum(weight / unit for weight in weights) * unit)
