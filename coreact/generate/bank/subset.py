"""Taking some criteria of a rubric, without leaving one that hangs on a criterion that was not taken.

A criterion applies only where those it depends on are met. Alone it would apply always, which is another
criterion; so it goes with them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple

from coreact.rubric import Criterion


class Subset(NamedTuple):
    """Criteria that were taken, and those that were not for what they depend on."""

    criteria: tuple[Criterion, ...]
    orphans: tuple[Criterion, ...]


def subset(criteria: Iterable[Criterion], wanted: Callable[[Criterion], bool]) -> Subset:
    """The wanted criteria, in order; `wanted` is asked only of those whose dependencies were taken."""
    taken: dict[str, Criterion] = {}
    orphans: list[Criterion] = []
    for criterion in criteria:
        if not taken.keys() >= set(criterion.depends_on):
            orphans.append(criterion)
        elif wanted(criterion):
            taken[criterion.id] = criterion
    return Subset(tuple(taken.values()), tuple(orphans))
