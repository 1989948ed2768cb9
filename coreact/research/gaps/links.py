"""Pairs of names that nobody has put together yet: queries from the graph of what was observed.

Names that stand in one line are neighbours. Two that have much to do with others and nothing with each other,
but share a neighbour, are worth a query of their own. Spacer finds unexplored sets of keywords in a graph of
papers and validates them before use; here the sets are pairs, the graph is the run's own evidence, and what
validates a pair is the neighbour it shares: a pair without one is no more than two names.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from itertools import combinations
from typing import NamedTuple

from coreact.generate.entities import entities
from coreact.judge.sufficiency.evidence import Evidence
from coreact.rubric import State
from coreact.rubric.words import fold

_MOST_NAMES = 60  # best connected ones that are paired: pairs grow with the square


class Link(NamedTuple):
    """A pair of names that share neighbours and no line."""

    first: str
    second: str
    shared: tuple[str, ...]
    """Names that stand beside both, sorted."""

    @property
    def query(self) -> str:
        """The search that would put them together."""
        return f"{self.first} {self.second}"


def links(state: State, *, limit: int = 5) -> tuple[Link, ...]:
    """Unexplored pairs, the best connected first.

    Args:
        state: the trajectory so far.
        limit: most pairs wanted.
    """
    return unexplored([entities(line.text) for line in Evidence(state).lines], limit=limit)


def unexplored(together: Sequence[Sequence[str]], *, limit: int = 5) -> tuple[Link, ...]:
    """Unexplored pairs among groups of names that were seen together.

    Args:
        together: names that stand in one line, for each line; compared folded.
        limit: most pairs wanted.

    Returns:
        Pairs without a common line and with a common neighbour, by the product of their degrees, then by
        the number of neighbours they share, then by name.
    """
    spelled: dict[str, str] = {}
    beside: defaultdict[str, set[str]] = defaultdict(set)
    for group in together:
        folded = {fold(name): name for name in group if fold(name)}
        for key, name in folded.items():
            spelled.setdefault(key, name)
            beside[key] |= folded.keys() - {key}
    ranked = sorted(beside, key=lambda key: (-len(beside[key]), key))[:_MOST_NAMES]
    found = [
        (len(beside[one]) * len(beside[other]), len(shared), one, other, shared)
        for one, other in combinations(ranked, 2)
        if other not in beside[one] and (shared := beside[one] & beside[other])
    ]
    found.sort(key=lambda pair: (-pair[0], -pair[1], pair[2], pair[3]))
    return tuple(
        Link(spelled[one], spelled[other], tuple(sorted(spelled[key] for key in shared)))
        for _, _, one, other, shared in found[:limit]
    )
