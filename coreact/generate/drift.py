"""May this edit of a rubric replace the old one: the gate against preference drift.

An edited rubric can hold its accuracy on one benchmark and yet turn preferences over in a domain nobody
looked at, up to 28 points (rubric-induced preference drift, arXiv 2602.13576). The defence is to judge
anchor pairs, of which one side is known to be better, with both rubrics, and to accept the edit only if
EVERY domain is non-inferior. The average over domains is shown and decides nothing.

Per domain the difference of accuracies gets a paired bootstrap interval; anchors of one group (the
candidates of one question) are drawn together, since they are not independent. All domains must pass at
once, so testing several does not raise the chance that a bad edit slips through. An interval cannot warn
of what no anchor shows: where no pair turned, it has no width. So a domain also needs `FEWEST_ANCHORS`
groups; if none of 20 got worse, a drop of more than 14 points is excluded at 95 % (0.86**20 = 0.05).
Where there are fewer, the edit is untested there, and what is untested is not accepted.

The gate does not write rubrics, and it does not say why a domain fell.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Sequence
from itertools import combinations
from typing import Any, NamedTuple

from coreact.errors import ConfigError, MissingExtraError
from coreact.generate.anchors import AnchorPair
from coreact.judge.asking import Asking, aserve, serve
from coreact.judge.ordering import judging, standing, total_cost
from coreact.judge.records import Cost
from coreact.judge.runner import Judge
from coreact.rubric.branching import BranchingPoint
from coreact.rubric.rubric import Rubric
from coreact.rubric.state import Action, Record, State

FEWEST_ANCHORS = 20
"""Fewest groups of anchors, judged by both rubrics, that a domain is decided on."""

RESAMPLES = 10_000
LEVEL = 0.95
"""Level of the two-sided intervals."""

_AT_ONCE = 500


class DomainDrift(Record):
    """What an edit does in one domain."""

    domain: str
    pairs: int
    groups: int
    """Groups of pairs that both rubrics could judge; the unit that is drawn again."""
    unjudged: int = 0
    """Pairs in which a side could not be judged by one of the rubrics; such a pair counts as a tie."""
    old: float
    new: float
    """Share of pairs put right, in [0, 1]; a tie counts half."""
    low: float
    high: float
    """95 % interval of `new - old`."""
    reason: str = ""
    """Why the domain does not accept the edit; empty where it does."""

    @property
    def accepted(self) -> bool:
        """Whether the edit is not inferior here."""
        return not self.reason


class DriftReport(Record):
    """What an edit does in every domain, and whether it may replace the old rubric."""

    old: str
    new: str
    """Locks of the two rubrics."""
    margin: float
    """Loss of accuracy, in [0, 1], that would be tolerated in a domain."""
    domains: tuple[DomainDrift, ...]
    """By name."""
    cost: Cost = Cost()

    @property
    def accepted(self) -> bool:
        """Whether every domain accepts the edit, and there is one."""
        return bool(self.domains) and not self.fallen

    @property
    def fallen(self) -> tuple[str, ...]:
        """The domains that do not accept the edit."""
        return tuple(one.domain for one in self.domains if not one.accepted)

    @property
    def pooled(self) -> tuple[float, float] | None:
        """Share of all pairs put right by the old and the new rubric. It decides nothing."""
        total = sum(one.pairs for one in self.domains)
        if not total:
            return None
        old = sum(one.old * one.pairs for one in self.domains) / total
        return old, sum(one.new * one.pairs for one in self.domains) / total


def compare(
    old: Rubric,
    new: Rubric,
    anchors: Sequence[AnchorPair | BranchingPoint],
    *,
    judge: Judge | None = None,
    margin: float = 0.0,
    seed: int = 0,
) -> DriftReport:
    """Judge anchors with both rubrics and decide, domain by domain, whether the new one is non-inferior.

    Args:
        old: the rubric in force.
        new: the edited one.
        anchors: pairs of known order; of a branching point, every two candidates whose gains differ, with
            its world as the domain. They must not be those that the edit was made on.
        judge: decides criteria without a check. None: they stay unknown, and a pair that rests on them
            alone counts as a tie.
        margin: loss of accuracy, in [0, 1), that is tolerated in a domain. With 0, a domain accepts only
            if nothing in its interval is a loss.
        seed: seed of the resampling.

    Raises:
        ConfigError: the margin is out of range.
        MissingExtraError: NumPy is not installed.
    """
    return serve(_comparing(old, new, anchors, judge, margin=margin, seed=seed))


async def acompare(
    old: Rubric,
    new: Rubric,
    anchors: Sequence[AnchorPair | BranchingPoint],
    *,
    judge: Judge | None = None,
    margin: float = 0.0,
    seed: int = 0,
) -> DriftReport:
    """The same as `compare`, without blocking the event loop while the judge is asked."""
    return await aserve(_comparing(old, new, anchors, judge, margin=margin, seed=seed))


# --- judging the anchors -----------------------------------------------------------------------


class _Anchor(NamedTuple):
    domain: str
    group: str
    state: State
    actions: tuple[Action, ...]
    order: tuple[tuple[int, int], ...]
    """Places of the better and the worse of each pair among the actions."""


class _Pair(NamedTuple):
    """How both rubrics ordered one pair: 1 right, 0.5 a tie, 0 wrong."""

    group: str
    old: float
    new: float
    judged: bool


def _comparing(
    old: Rubric,
    new: Rubric,
    anchors: Sequence[AnchorPair | BranchingPoint],
    judge: Judge | None,
    *,
    margin: float,
    seed: int,
) -> Asking[DriftReport]:
    if not 0 <= margin < 1:
        raise ConfigError(f"The margin must be at least 0 and below 1 (got {margin}).")
    numpy = _numpy()
    found: dict[str, list[_Pair]] = {}
    cost = Cost()
    for number, anchor in enumerate(anchors):
        one = _anchor(anchor, number)
        before = yield from judging(old, one.actions, one.state, judge)
        after = yield from judging(new, one.actions, one.state, judge)
        cost += total_cost((*before, *after))
        found.setdefault(one.domain, []).extend(_pairs(one, standing(before), standing(after)))
    return DriftReport(
        old=old.lock,
        new=new.lock,
        margin=margin,
        domains=tuple(
            _domain(name, pairs, margin=margin, rng=numpy.random.default_rng(seed))
            for name, pairs in sorted(found.items())
        ),
        cost=cost,
    )


def _anchor(anchor: AnchorPair | BranchingPoint, number: int) -> _Anchor:
    if isinstance(anchor, AnchorPair):
        # A number apart from every name that a group could have.
        group = f"group {anchor.group}" if anchor.group else f"pair {number}"
        return _Anchor(anchor.domain, group, anchor.state, (anchor.better, anchor.worse), ((0, 1),))
    gains = anchor.gains
    order = tuple(
        (a, b) if gains[a] > gains[b] else (b, a)
        for a, b in combinations(range(len(gains)), 2)
        if gains[a] != gains[b]
    )
    group = f"group {anchor.question_id}"
    return _Anchor(anchor.world, group, anchor.state, anchor.actions, order)


def _pairs(anchor: _Anchor, before: Sequence[float | None], after: Sequence[float | None]) -> Iterator[_Pair]:
    for better, worse in anchor.order:
        known = None not in (before[better], before[worse], after[better], after[worse])
        yield _Pair(
            anchor.group, _right(before[better], before[worse]), _right(after[better], after[worse]), known
        )


def _right(better: float | None, worse: float | None) -> float:
    if better is None or worse is None or better == worse:
        return 0.5
    return float(better > worse)


# --- deciding ----------------------------------------------------------------------------------


def _domain(name: str, pairs: Sequence[_Pair], *, margin: float, rng: Any) -> DomainDrift:
    n = len(pairs)
    old = sum(pair.old for pair in pairs) / n if n else 0.5
    new = sum(pair.new for pair in pairs) / n if n else 0.5
    low, high = _interval(pairs, rng)
    groups = len({pair.group for pair in pairs if pair.judged})
    unjudged = sum(not pair.judged for pair in pairs)
    return DomainDrift(
        domain=name,
        pairs=n,
        groups=groups,
        unjudged=unjudged,
        old=old,
        new=new,
        low=low,
        high=high,
        reason=_reason(groups, unjudged, low, margin),
    )


def _reason(groups: int, unjudged: int, low: float, margin: float) -> str:
    if low < -margin - 1e-12:
        return f"accuracy may fall by {-low:.3f}, more than the margin of {margin:g}"
    if groups < FEWEST_ANCHORS:
        besides = f"; {unjudged} pairs could not be judged" if unjudged else ""
        return f"too few anchors: {groups} of {FEWEST_ANCHORS} independent ones{besides}"
    return ""


def _interval(pairs: Sequence[_Pair], rng: Any) -> tuple[float, float]:
    """Percentile interval of the mean difference; whole groups are drawn."""
    if not pairs:
        return -1.0, 1.0
    numpy = _numpy()
    places = {group: at for at, group in enumerate(dict.fromkeys(pair.group for pair in pairs))}
    sums, sizes = numpy.zeros(len(places)), numpy.zeros(len(places))
    for pair in pairs:
        sums[places[pair.group]] += pair.new - pair.old
        sizes[places[pair.group]] += 1
    means = []
    for start in range(0, RESAMPLES, _AT_ONCE):
        count = min(_AT_ONCE, RESAMPLES - start)
        drawn = rng.multinomial(len(places), numpy.full(len(places), 1 / len(places)), size=count)
        means.append((drawn @ sums) / (drawn @ sizes))
    tail = (1 - LEVEL) / 2
    low, high = numpy.quantile(numpy.concatenate(means), (tail, 1 - tail))
    return float(low), float(high)


def _numpy() -> Any:
    try:
        return importlib.import_module("numpy")
    except ImportError as error:
        raise MissingExtraError("The drift gate", extra="judge") from error
