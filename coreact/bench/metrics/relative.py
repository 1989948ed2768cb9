"""How good a report is beside a reference report, criterion by criterion: RACE's arithmetic.

DeepResearch Bench (arXiv 2506.11763) has target and reference rated on every criterion, takes the weighted
mean in each dimension, then over dimensions, and reports target / (target + reference): 0.5 is as good as the
reference. What differs: a criterion that was not rated in both reports is left out and counted, where the
original would fail; the ratings may be on any scale from 0 up, also the credits of verdicts. Rating is not
done here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from typing import NamedTuple

from coreact.bench.metrics.share import ratio
from coreact.judge.scoring.exact import ratio as weighted
from coreact.rubric.words import fold

_ALIKE = 0.8
"""Similarity in [0, 1] from which a judge's wording of a criterion is taken for the known one (ours)."""


class Rating(NamedTuple):
    """What a judge gives both reports on one criterion."""

    criterion: str
    """Its words as the judge repeats them, or its id."""
    target: float | None
    """At least 0, higher is better; None where it could not be told."""
    reference: float | None


class Relative(NamedTuple):
    """A report beside its reference."""

    value: float | None
    """Target / (target + reference), in [0, 1]; None where nothing was rated or both have 0."""
    target: float | None
    """Weighted mean over dimensions, on the scale of the ratings."""
    reference: float | None
    dimensions: Mapping[str, float | None]
    """The same quotient within each dimension."""
    judged: int
    """Known criteria with a rating of both reports."""
    total: int
    """Known criteria."""
    unmatched: int
    """Ratings of criteria that are not known: they counted with their dimension's mean weight."""


def relative(
    ratings: Mapping[str, Sequence[Rating]],
    weights: Mapping[str, Mapping[str, float]],
    dimensions: Mapping[str, float],
) -> Relative:
    """The relative score of a report.

    Args:
        ratings: by dimension.
        weights: weight by criterion, by dimension.
        dimensions: weight by dimension; those in which nothing was rated are left out of the mean.

    Raises:
        ValueError: a rating is below 0, or the ratings have a dimension without weights.
    """
    if not set(ratings) <= set(weights) or not set(weights) <= set(dimensions):
        raise ValueError("every dimension needs a weight, and every rated one the weights of its criteria")
    parts: dict[str, tuple[float, float]] = {}
    judged = unmatched = 0
    for dimension, rated in ratings.items():
        known = weights[dimension]
        counted: list[tuple[float, float, float]] = []
        for rating, name in zip(rated, _matched(rated, known), strict=True):
            if rating.target is None or rating.reference is None:
                continue
            if min(rating.target, rating.reference) < 0:
                raise ValueError(f"a rating of {rating.criterion!r} is below 0")
            weight = known[name] if name is not None else sum(known.values()) / len(known)
            counted.append((weight, rating.target, rating.reference))
            judged, unmatched = judged + (name is not None), unmatched + (name is None)
        if counted:
            base = [weight for weight, _, _ in counted]
            parts[dimension] = (
                weighted([(weight, target) for weight, target, _ in counted], base),
                weighted([(weight, reference) for weight, _, reference in counted], base),
            )
    total = sum(map(len, weights.values()))
    if not parts:
        return Relative(None, None, None, dict.fromkeys(weights), judged, total, unmatched)
    base = [dimensions[name] for name in parts]
    target = weighted([(dimensions[name], both[0]) for name, both in parts.items()], base)
    reference = weighted([(dimensions[name], both[1]) for name, both in parts.items()], base)
    quotients = {name: ratio(parts[name][0], sum(parts[name])) if name in parts else None for name in weights}
    return Relative(ratio(target, target + reference), target, reference, quotients, judged, total, unmatched)


def _matched(rated: Sequence[Rating], known: Mapping[str, float]) -> list[str | None]:
    """The known criterion of each rating, each at most once; None where there is none."""
    left = {fold(name): name for name in known}
    names: list[str | None] = [left.pop(fold(rating.criterion), None) for rating in rated]
    for at, rating in enumerate(rated):  # exact ones first, so that a near one takes none of them
        near = get_close_matches(fold(rating.criterion), left, n=1, cutoff=_ALIKE)
        if names[at] is None and near:
            names[at] = left.pop(near[0])
    return names
