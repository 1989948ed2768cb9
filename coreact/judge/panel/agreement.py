"""How far raters agree, and how much of what they rated that figure rests on.

Each figure says how many items and raters went into it. Where a coefficient is not defined (one
rater, one item, raters that tell nothing apart) its value is None: neither 0, which would say that
they disagree, nor NaN. What nobody rated is missing, never a rating of its own.

Krippendorff's alpha and Cohen's kappa come from packages of the extra `judge`; the two coefficients
that a consensus of rankings reports need nothing beyond the standard library.
"""

from __future__ import annotations

import math
import statistics
from collections import Counter
from collections.abc import Sequence
from itertools import combinations
from typing import Literal, NamedTuple

from coreact.errors import MissingExtraError
from coreact.judge.panel.ranking import Ranks, average_ranks

Level = Literal["nominal", "ordinal", "interval"]
"""What distances between ratings mean: nothing but equal or not; an order; differences."""

Rating = str | float | None
"""One rating; None (or NaN) where the rater gave none."""


class Agreement(NamedTuple):
    """A coefficient of agreement and what it was computed from."""

    value: float | None
    """None where the coefficient is not defined."""
    items: int
    """Items that went into it."""
    raters: int
    """Raters that went into it."""


def kendall_w(rankings: Sequence[Ranks]) -> Agreement:
    """Kendall's W with the correction for ties: 1 where all rankings are the same, 0 for no accord.

    Args:
        rankings: one a rater, of the same items, ties as average ranks.

    Returns:
        W in [0, 1]; None for fewer than two raters or items, or where every rater ties all items.

    Raises:
        ValueError: the rankings differ in length.
    """
    raters, items = len(rankings), _items(rankings)
    if raters < 2 or items < 2:
        return Agreement(None, items, raters)
    totals = [math.fsum(ranks) for ranks in zip(*rankings, strict=True)]
    middle = raters * (items + 1) / 2
    spread = math.fsum((total - middle) ** 2 for total in totals)
    ties = sum(count**3 - count for ranks in rankings for count in Counter(ranks).values())
    most = raters**2 * (items**3 - items) - raters * ties
    return Agreement(min(1.0, 12 * spread / most) if most else None, items, raters)


def spearman(first: Sequence[float], second: Sequence[float]) -> float | None:
    """Spearman's rho of two ratings of the same items, ties as average ranks.

    Returns:
        rho in [-1, 1]; None for fewer than two items or where one side rates all items alike.

    Raises:
        ValueError: the two differ in length, or a rating is NaN.
    """
    if len(first) != len(second):
        raise ValueError("both must rate the same items")
    try:
        return statistics.correlation(average_ranks(first), average_ranks(second))
    except statistics.StatisticsError:
        return None


def mean_spearman(rankings: Sequence[Ranks]) -> Agreement:
    """The mean of Spearman's rho over all pairs of raters.

    A rater that ties all items has no rho with anybody and is left out of the mean and the count.

    Returns:
        The mean in [-1, 1]; None where fewer than two raters are left.

    Raises:
        ValueError: the rankings differ in length.
    """
    items = _items(rankings)
    telling = [ranks for ranks in rankings if len(set(ranks)) > 1]
    found = [spearman(first, second) for first, second in combinations(telling, 2)]
    defined = [rho for rho in found if rho is not None]
    return Agreement(statistics.fmean(defined) if defined else None, items, len(telling))


def krippendorff_alpha(ratings: Sequence[Sequence[Rating]], *, level: Level) -> Agreement:
    """Krippendorff's alpha: 1 for perfect agreement, 0 for chance, below 0 for worse than chance.

    Args:
        ratings: one row a rater, one column an item, None where a rater gave no rating. Texts are
            possible at level `nominal` only.
        level: what distances between ratings mean.

    Returns:
        alpha at most 1, over the items that at least two raters rated; None where there are none, or
        where all their ratings are the same.

    Raises:
        MissingExtraError: the extra `judge` is not installed.
        ValueError: the rows differ in length, or a text is rated at a level above `nominal`.
    """
    items = _items(ratings)
    pairable = [
        column
        for column in (tuple(row[item] for row in ratings) for item in range(items))
        if sum(map(_given, column)) >= 2
    ]
    raters = sum(any(_given(column[row]) for column in pairable) for row in range(len(ratings)))
    values = {rating for column in pairable for rating in column if rating is not None and _given(rating)}
    if level != "nominal" and any(isinstance(value, str) for value in values):
        raise ValueError(f"texts have no place on a scale of level {level!r}")
    if len(values) < 2:
        return Agreement(None, len(pairable), raters)
    try:
        import krippendorff
    except ImportError as missing:
        raise MissingExtraError("Krippendorff's alpha", extra="judge") from missing
    code = {value: float(at) for at, value in enumerate(values)}
    scale = code if level == "nominal" else {value: float(value) for value in values}
    table = [
        [math.nan if (rating := column[row]) is None else scale.get(rating, math.nan) for column in pairable]
        for row in range(len(ratings))
    ]
    return Agreement(float(krippendorff.alpha(table, level_of_measurement=level)), len(pairable), raters)


def cohen_kappa(first: Sequence[Rating], second: Sequence[Rating]) -> Agreement:
    """Cohen's kappa of two raters over categories: 1 for perfect agreement, 0 for chance.

    Args:
        first: ratings of one rater, None where it gave none.
        second: the other's, of the same items.

    Returns:
        kappa in [-1, 1], over the items that both rated; None where there are none, or where both gave
        all of them the same rating, so that chance alone explains everything.

    Raises:
        MissingExtraError: the extra `judge` is not installed.
        ValueError: the two differ in length.
    """
    _items((first, second))
    both = [(a, b) for a, b in zip(first, second, strict=True) if _given(a) and _given(b)]
    code = {value: at for at, value in enumerate({rating for pair in both for rating in pair})}
    if len(code) < 2:
        return Agreement(None, len(both), 2)
    try:
        from sklearn.metrics import cohen_kappa_score
    except ImportError as missing:
        raise MissingExtraError("Cohen's kappa", extra="judge") from missing
    found = cohen_kappa_score([code[a] for a, _ in both], [code[b] for _, b in both])
    return Agreement(float(found), len(both), 2)


def _given(rating: Rating) -> bool:
    return rating is not None and not (isinstance(rating, float) and math.isnan(rating))


def _items(rows: Sequence[Sequence[object]]) -> int:
    lengths = {len(row) for row in rows}
    if len(lengths) > 1:
        raise ValueError("all raters must rate the same items, missing ratings as None")
    return lengths.pop() if lengths else 0
