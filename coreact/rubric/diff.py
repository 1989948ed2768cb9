"""What changed between two rubrics, criterion by criterion, for people who review an edit.

Criteria are paired so that the account is short: the same text first, whatever its id, since a rubric
that is written as text numbers its criteria anew; then the same id; then the most similar text. Plain
comparison: whether an edit is for the better is not decided here.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from coreact.rubric.rubric import Criterion, Rubric
from coreact.rubric.state import Record
from coreact.rubric.words import fold, similarity

ALIKE = 0.5
"""Jaccard similarity of words, in [0, 1], from which on two texts are taken for versions of one."""

_MOVED = 1e-9


class CriterionChange(Record):
    """One criterion before and after an edit."""

    before: Criterion
    after: Criterion

    @property
    def fields(self) -> tuple[str, ...]:
        """Names of the fields that differ, in the order of the record."""
        return tuple(
            name for name in Criterion.model_fields if getattr(self.before, name) != getattr(self.after, name)
        )


class ShareMove(Record):
    """A criterion whose normalised weight is another one after the edit."""

    criterion: str
    """Its id after the edit."""
    before: float
    after: float
    """Shares of the rubric's weight, in [0, 1]."""


class RubricDiff(Record):
    """What an edit did to a rubric. Empty tuples and None where it did nothing."""

    added: tuple[Criterion, ...] = ()
    removed: tuple[Criterion, ...] = ()
    changed: tuple[CriterionChange, ...] = ()
    shares: tuple[ShareMove, ...] = ()
    """Of criteria that stand in both; adding one criterion moves the shares of all others."""
    threshold: tuple[float, float] | None = None
    """Before and after, where it changed."""
    scope: tuple[str, str] | None = None
    """Before and after, where it changed."""
    reordered: bool = False
    """Whether criteria that stand in both stand in another order."""

    @property
    def empty(self) -> bool:
        """Whether nothing changed."""
        return self == RubricDiff()


class _Pair(NamedTuple):
    before: int
    after: int


def diff(old: Rubric, new: Rubric) -> RubricDiff:
    """Compare two rubrics, criterion by criterion."""
    pairs = sorted(_paired(old, new), key=lambda pair: pair.after)
    kept, made = {pair.before for pair in pairs}, {pair.after for pair in pairs}
    both = [CriterionChange(before=old.criteria[b], after=new.criteria[a]) for b, a in pairs]
    shares = [
        ShareMove(criterion=one.after.id, before=old.share(one.before), after=new.share(one.after))
        for one in both
    ]
    return RubricDiff(
        added=tuple(one for at, one in enumerate(new) if at not in made),
        removed=tuple(one for at, one in enumerate(old) if at not in kept),
        changed=tuple(one for one in both if one.fields),
        shares=tuple(move for move in shares if abs(move.before - move.after) > _MOVED),
        threshold=None if old.threshold == new.threshold else (old.threshold, new.threshold),
        scope=None if old.scope == new.scope else (old.scope, new.scope),
        reordered=[pair.before for pair in pairs] != sorted(kept),
    )


def _paired(old: Rubric, new: Rubric) -> Iterator[_Pair]:
    left = dict(enumerate(old))
    right = dict(enumerate(new))

    def matches(rank: int) -> Iterator[_Pair]:
        for after, now in list(right.items()):
            for before, then in list(left.items()):
                same_id, same_text = now.id == then.id, fold(now.text) == fold(then.text)
                if (same_id and same_text, same_text, same_id)[rank]:
                    del left[before], right[after]
                    yield _Pair(before, after)
                    break

    for rank in range(3):
        yield from matches(rank)
    near = [
        (similarity(frozenset(fold(then.text).split()), frozenset(fold(now.text).split())), before, after)
        for before, then in left.items()
        for after, now in right.items()
    ]
    for alike, before, after in sorted(near, key=lambda one: (-one[0], one[1], one[2])):
        if alike >= ALIKE and before in left and after in right:
            del left[before], right[after]
            yield _Pair(before, after)
