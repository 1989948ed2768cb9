"""What weighted lines would do at a point, thousands of choices at once.

The same as running each choice's checks and judging by them, in arrays: an agreement here is
`coreact.judge.ordering.agreement`, a gain `coreact.train.rewards.taken`. Nothing is chosen here.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache
from itertools import combinations, permutations
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from coreact.rubric import Action, Rubric, State
from coreact.rubric.branching import BranchingPoint
from coreact.train.rewards.taken import MAY_PASS
from coreact.train.rewards.taken import shares as chances_of
from coreact.train.teaching.language import MOST_LINES, WEIGHTS, Line, at_odds

TRIED = 8
"""Lines that are combined: all orders of up to 4 of 8 are 2,080 rubrics, milliseconds at a usual point."""

KNOWN = 1e-9
"""Two values so far apart are equal: they are sums of floats in another order."""

_ABOVE = 2.0  # a step that passes stands so much above one that fails, see `coreact.judge.ordering`
_PASSES: float = Rubric.model_fields["threshold"].default


class Trial:
    """All weighted choices of 1 to `most` among lines at a point, short ones first, preferred lines first.

    Lines that are at odds stand in no choice together.

    Args:
        lines: in order of preference.
        point: candidates with gains.
        most: most lines of a choice, 1 to `MOST_LINES`.
    """

    def __init__(self, lines: Sequence[Line], point: BranchingPoint, *, most: int) -> None:
        self._point = point
        credit = _credits(lines, point)
        order = _ranked(point.gains)
        alone = _agreements(credit[:, None, :], np.ones((1, 1)), order)[:, 0]
        tried = _worth_trying(credit, alone)
        self._lines = [lines[at] for at in tried]
        self._credit = credit[tried]
        rubrics = _rubrics(len(tried))
        wanted = rubrics.sizes <= most
        for one, other in combinations(range(len(tried)), 2):
            if at_odds(self._lines[one], self._lines[other], point.state):
                wanted &= ~(rubrics.shares[:, [one, other]] > 0).all(axis=1)
        self._shares = rubrics.shares[wanted]
        self._members = [rubrics.members[at] for at in np.flatnonzero(wanted)]

    def __bool__(self) -> bool:
        """Whether there is a line that tells candidates apart."""
        return bool(self._lines)

    def agreements(self) -> NDArray[Any]:
        """(choices,): Spearman of each choice's order with the gains, in [-1, 1]."""
        found: NDArray[Any] = _agreements(self._credit[None], self._shares, _ranked(self._point.gains))[0]
        return found

    def taken(self) -> Taken:
        """What a loop that verifies by each choice takes."""
        return _taken(self._credit, self._shares, self._point)

    def first_best(self, *values: NDArray[Any]) -> int:
        """The first choice of highest value, by the first of the values, of equal ones by the next."""
        left = np.ones(len(self._members), dtype=bool)
        for one in values:
            left &= one >= one[left].max() - KNOWN
        return int(np.argmax(left))

    def chosen(self, at: int) -> list[Line]:
        """The lines of a choice, heaviest first."""
        return [self._lines[member] for member in self._members[at]]


class Taken(NamedTuple):
    """What a loop takes that verifies by each of many rubrics, see `coreact.train.rewards.taken`."""

    gains: NDArray[Any]
    """(rubrics,), expected gain of the action taken."""
    attempts: NDArray[Any]
    """(rubrics,), expected number of proposals until it is taken."""


def agreement(lines: Sequence[Line], point: BranchingPoint) -> float:
    """Spearman of one choice's order with the gains, in [-1, 1]; 0 where it has none."""
    credit, share = _credits(lines, point), np.array([WEIGHTS[len(lines) - 1]])
    return float(np.clip(_agreements(credit[None], share, _ranked(point.gains))[0, 0], -1.0, 1.0))


def gain(lines: Sequence[Line], point: BranchingPoint) -> float:
    """Expected gain of the action that a loop takes which verifies by one choice."""
    return float(_taken(_credits(lines, point), np.array([WEIGHTS[len(lines) - 1]]), point).gains[0])


class _Rubrics(NamedTuple):
    """All weighted choices among a number of lines, short ones first, preferred lines first."""

    shares: NDArray[Any]
    """(rubrics, lines)."""
    sizes: NDArray[Any]
    members: tuple[tuple[int, ...], ...]


@lru_cache(maxsize=TRIED + MOST_LINES)
def _rubrics(lines: int) -> _Rubrics:
    members = tuple(
        chosen for size in range(1, MOST_LINES + 1) for chosen in permutations(range(lines), size)
    )
    shares = np.zeros((len(members), lines))
    for row, chosen in enumerate(members):
        shares[row, list(chosen)] = WEIGHTS[len(chosen) - 1]
    return _Rubrics(shares, np.array([len(chosen) for chosen in members]), members)


def _credits(lines: Sequence[Line], point: BranchingPoint) -> NDArray[Any]:
    """(lines, candidates): 1 met, 0 unmet, NaN where the check does not apply."""
    return np.array([[_credit(line, action, point.state) for action in point.actions] for line in lines])


def _credit(line: Line, action: Action, state: State) -> float:
    status = line.check.evaluate(action, state).status
    return {"met": 1.0, "unmet": 0.0}.get(status, math.nan)


def _ranked(values: Sequence[float]) -> NDArray[Any]:
    """(1, values), their average ranks about 0: the order that agreements are with."""
    return _centred(_ranks(np.array([values])))


def _worth_trying(credit: NDArray[Any], alone: NDArray[Any]) -> list[int]:
    """Lines worth combining, in order of preference: one of those that say the same of all candidates.

    Args:
        credit: (lines, candidates).
        alone: (lines,), what each line is worth by itself; where there are too many, the best are kept.
    """
    first: dict[tuple[float, ...], int] = {}
    for at, row in enumerate(credit):
        key = tuple(-1.0 if math.isnan(one) else float(one) for one in row)
        if len(set(key)) > 1:
            first.setdefault(key, at)
    found = list(first.values())
    if len(found) > TRIED:
        found = sorted(sorted(found, key=lambda at: -round(float(alone[at]), 9))[:TRIED])
    return found


def _agreements(credit: NDArray[Any], shares: NDArray[Any], order: NDArray[Any]) -> NDArray[Any]:
    """Spearman of each rubric with the gains.

    Args:
        credit: (sets, lines, candidates), NaN where a line does not apply.
        shares: (rubrics, lines).
        order: (1, candidates), see `_ranked`.

    Returns:
        (sets, rubrics), in [-1, 1]; 0 where a rubric tells no candidate from another.
    """
    scores, known = _scores(credit, shares)
    number = known.sum(axis=-1, keepdims=True)
    mean = (scores * known).sum(axis=-1, keepdims=True) / np.maximum(number, 1)
    ranks = _centred(_ranks(np.where(known, scores, mean)))
    spread = np.sqrt((ranks**2).sum(axis=-1) * (order**2).sum())
    agreed: NDArray[Any] = (ranks * order).sum(axis=-1) / np.where(spread > 0, spread, 1.0)
    return agreed  # where nothing is spread, the ranks are all 0


def _taken(credit: NDArray[Any], shares: NDArray[Any], point: BranchingPoint) -> Taken:
    """What the loop takes, as `coreact.train.rewards.taken` has it, for its two retries.

    In closed form, since proposals are drawn alike: three failures that differ come in each order equally
    often, so sums over pairs of candidates are enough, and no sequence is enumerated.

    Args:
        credit: (lines, candidates).
        shares: (rubrics, lines).
        point: where the candidates and their gains are from.
    """
    scores, known = _scores(credit, shares)
    places = np.where(known, scores, MAY_PASS)
    chances, gains = np.array(chances_of([one.proposed for one in point.candidates])), np.array(point.gains)
    fails = places < MAY_PASS
    failing = np.where(fails, chances, 0.0)
    passing = np.where(fails, 0.0, chances * gains).sum(axis=1)  # earned by asking once
    # After one failure, and after two that differ, the loop asks again: that passes, or ends it.
    once = failing.sum(axis=1)
    twice = once**2 - (failing**2).sum(axis=1)
    # What it ends with where nothing passes: failures in any order, of equal ones the first.
    below, beside = places[:, :, None] > places[:, None, :], places[:, :, None] == places[:, None, :]
    beside &= ~np.eye(len(chances), dtype=bool)
    lower, lower_twice = _sums(below, failing)
    equal, equal_twice = _sums(beside, failing)
    alone = failing  # then the same again
    of_two = 2 * (failing * lower + lower_twice) + failing * equal + equal_twice  # then one of them again
    of_three = 3 * (lower**2 - lower_twice) + 3 * lower * equal + equal**2 - equal_twice
    ends = failing * (alone + of_two + of_three)
    return Taken(passing * (1 + once + twice) + ends @ gains, 1 + once + twice)


def _sums(others: NDArray[Any], chances: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    """For each candidate the chances of its others, and their squares, summed: (rubrics, candidates)."""
    of = chances[:, :, None]
    return (others @ of)[..., 0], (others @ of**2)[..., 0]


def _scores(credit: NDArray[Any], shares: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    """Standings, and where there is one."""
    applies = ~np.isnan(credit)
    weight = shares @ applies
    known = weight > 0
    scores = np.round(shares @ np.where(applies, credit, 0.0) / np.where(known, weight, 1.0), 12)
    return scores + _ABOVE * (scores >= _PASSES), known


def _ranks(values: NDArray[Any]) -> NDArray[Any]:
    """Average ranks along the last axis, the lowest value first."""
    higher = values[..., :, None] > values[..., None, :]
    equal = values[..., :, None] == values[..., None, :]
    ranks: NDArray[Any] = higher.sum(axis=-1) + (equal.sum(axis=-1) + 1) / 2
    return ranks


def _centred(ranks: NDArray[Any]) -> NDArray[Any]:
    centred: NDArray[Any] = ranks - ranks.mean(axis=-1, keepdims=True)
    return centred
