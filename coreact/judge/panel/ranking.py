"""From several rankings to one: average ranks for ties, then Borda or, for few items, Kemeny.

Pure arithmetic on ranks by position. It knows no judge, no label and no candidate, so nothing here
can depend on what an item is called or in which order it was given: exact ties stay ties, and they
are never broken by position. Who ranked, and whether enough did, is the business of `consensus`.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import NamedTuple

from coreact.errors import ConfigError

Ranks = tuple[float, ...]
"""The rank of each item, by the item's position: 1 is best, ties share the mean of their places."""

MOST_FOR_KEMENY = 10
"""Items up to which `kemeny` is computed: its work doubles with each further one."""


def average_ranks(scores: Sequence[float]) -> Ranks:
    """Ranks from scores, the highest score ranked 1; equal scores share the mean of their places.

    Raises:
        ValueError: a score is NaN, which has no place in any order.
    """
    if any(math.isnan(score) for score in scores):
        raise ValueError("NaN cannot be ranked")
    best_first = sorted(range(len(scores)), key=lambda item: scores[item], reverse=True)
    return ranks_of_groups([tuple(tied) for _, tied in groupby(best_first, key=lambda item: scores[item])])


def ranks_of_groups(groups: Iterable[Sequence[int]]) -> Ranks:
    """Ranks from groups of tied items, best group first.

    Args:
        groups: positions of items; together every position from 0 on exactly once.

    Raises:
        ValueError: a position is missing or stands there twice.
    """
    found: dict[int, float] = {}
    placed = 0
    for group in groups:
        shared = placed + (len(group) + 1) / 2
        found.update(dict.fromkeys(group, shared))
        placed += len(group)
    if sorted(found) != list(range(placed)):
        raise ValueError("groups of tied items must hold every position from 0 on exactly once")
    return tuple(found[item] for item in range(placed))


def borda(rankings: Sequence[Ranks]) -> Ranks:
    """The consensus by sums of ranks, lowest sum first; equal sums tie.

    Co-ReAct's rule (arXiv 2605.23590). Ranks are halves of whole numbers, so the sums are exact.

    Raises:
        ValueError: there is no ranking, or the rankings differ in length.
    """
    _same_items(rankings)
    return average_ranks([-sum(ranks) for ranks in zip(*rankings, strict=True)])


def kemeny(rankings: Sequence[Ranks]) -> Ranks:
    """The consensus that contradicts the fewest pairwise preferences of the rankings (Kemeny 1959).

    A ranking that ties two items speaks for neither order. Often several orders are equally good:
    items are ranked by their mean place over all of them, so two judges of opposite opinion, or a
    cycle of three, give ties. Exact, by dynamic programming over sets of items.

    Raises:
        ConfigError: there are more than `MOST_FOR_KEMENY` items.
        ValueError: there is no ranking, or the rankings differ in length.
    """
    size = _same_items(rankings)
    if size > MOST_FOR_KEMENY:
        raise ConfigError(
            f"A Kemeny ranking of {size} items takes too long: its work doubles with each item.",
            remedy=f"Rank at most {MOST_FOR_KEMENY} items, or use Borda.",
        )
    against = [[sum(ranks[b] < ranks[a] for ranks in rankings) for b in range(size)] for a in range(size)]
    every = 1 << size  # sets of items are bit masks

    def price(item: int, placed: int) -> int:
        """Preferences that are contradicted by placing the item next, ahead of all not yet placed."""
        return sum(against[item][other] for other in range(size) if not placed >> other & 1)

    # For each set: the least price of the orders that begin (or go on) with it, and how many have it.
    until = [_Orders(0, 1)]
    for chosen in range(1, every):
        ends = [(item, chosen ^ 1 << item) for item in range(size) if chosen >> item & 1]
        until.append(_cheapest(until[rest].plus(price(item, rest)) for item, rest in ends))
    after = [_Orders(0, 1)] * every
    for placed in reversed(range(every - 1)):
        nexts = [(item, placed | 1 << item) for item in range(size) if not placed >> item & 1]
        after[placed] = _cheapest(after[more].plus(price(item, placed)) for item, more in nexts)
    places = [0] * size  # of each item, added up over all orders of the least price
    for placed in range(every - 1):
        for item in range(size):
            more = placed | 1 << item
            if more == placed:
                continue
            if until[placed].price + price(item, placed) + after[more].price == after[0].price:
                places[item] += more.bit_count() * until[placed].number * after[more].number
    return average_ranks([-place for place in places])


class _Orders(NamedTuple):
    """Orders of equal price."""

    price: int
    number: int

    def plus(self, price: int) -> _Orders:
        """The same orders, each dearer by this much."""
        return _Orders(self.price + price, self.number)


def _cheapest(ways: Iterable[_Orders]) -> _Orders:
    found = list(ways)
    least = min(orders.price for orders in found)
    return _Orders(least, sum(orders.number for orders in found if orders.price == least))


def _same_items(rankings: Sequence[Ranks]) -> int:
    if not rankings or len({len(ranks) for ranks in rankings}) != 1:
        raise ValueError("a consensus needs at least one ranking, and all of the same items")
    return len(rankings[0])
