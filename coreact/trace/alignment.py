"""Which elements of two sequences belong together: a longest common subsequence.

`difflib` looks for blocks that please readers and may miss the longest common subsequence; here the length
is the point, since it says how much two runs have in common. By Hunt and Szymanski (CACM 20(5), 1977): time
grows with the number of matching pairs, which is small for tool calls, since an agent seldom repeats one.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Hashable, Sequence
from typing import NamedTuple


class Match(NamedTuple):
    """A position in each sequence; the elements there are equal."""

    first: int
    second: int


def longest_common(first: Sequence[Hashable], second: Sequence[Hashable]) -> tuple[Match, ...]:
    """A longest common subsequence, as increasing pairs of positions.

    Equal beginnings are always matched with each other. Where several subsequences are longest, equal
    input gives the same one.

    Args:
        first: elements that are equal exactly where they belong together.
        second: elements of the same kind.
    """
    start, shorter = 0, min(len(first), len(second))
    while start < shorter and first[start] == second[start]:
        start += 1
    end = 0
    while end < shorter - start and first[-1 - end] == second[-1 - end]:
        end += 1
    places: dict[Hashable, list[int]] = defaultdict(list)
    for at in range(len(second) - end - 1, start - 1, -1):  # backwards, so that one element is used once
        places[second[at]].append(at)
    ends: list[int] = []  # ends[k]: where in `second` the nearest common subsequence of k + 1 elements ends
    chains: list[_Chain] = []
    for at in range(start, len(first) - end):
        for place in places.get(first[at], ()):
            length = bisect_left(ends, place)
            chain = _Chain(Match(at, place), chains[length - 1] if length else None)
            if length == len(ends):
                ends.append(place)
                chains.append(chain)
            else:
                ends[length], chains[length] = place, chain
    middle: list[Match] = []
    link = chains[-1] if chains else None
    while link is not None:
        middle.append(link.match)
        link = link.before
    head = [Match(at, at) for at in range(start)]
    tail = [Match(len(first) - left, len(second) - left) for left in range(end, 0, -1)]
    return (*head, *reversed(middle), *tail)


class _Chain(NamedTuple):
    match: Match
    before: _Chain | None
