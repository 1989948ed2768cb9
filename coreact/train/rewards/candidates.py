"""In which order a rubric puts the candidates of a point: by code alone where it can, by a judge otherwise.

A rubric whose criteria all have a check is run without asking anybody. For the rest, one of two asks:
a `Judge` decides the open criteria of each candidate by itself, all criteria of one candidate in one call,
or a `Ranker` sees all candidates and the whole rubric at once, as in Co-ReAct (arXiv 2605.23590). The order
in which criteria are shown is drawn from their content and a seed, so no place in a rubric is worth more;
asked in both orders, what is said only in one of them counts as not said. What was asked is remembered, and
asked once where several rollouts want it at the same time (`once`).

Written as a procedure of `coreact.judge.asking`, so that training may wait for it or not. Where an instrument
fails the cause comes back in place of an order: nothing is made up.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Sequence
from functools import partial
from random import Random
from statistics import fmean
from typing import NamedTuple, TypeVar

from langgraph.errors import GraphBubbleUp

from coreact.errors import Cause
from coreact.judge.asking import Asking, Request
from coreact.judge.consult import aconsult, consult
from coreact.judge.failure import classify
from coreact.judge.ordering import outage, standing
from coreact.judge.panel import Ranker
from coreact.judge.panel.listwise import Ranking
from coreact.judge.records import Judgement, Verdict
from coreact.judge.runner import Judge, Ruling, run_checks, undecided
from coreact.judge.scoring import judgement
from coreact.rubric import Action, Criterion, Rubric, State
from coreact.rubric.branching import BranchingPoint
from coreact.rubric.canonical import digest
from coreact.train.rewards.once import Once, Told

T = TypeVar("T")


class Order(NamedTuple):
    """What the candidates of a point are worth by a rubric."""

    scores: tuple[float | None, ...]
    """By position, higher is better; None where nothing could be judged. Empty where an instrument failed."""
    broken: Cause | None = None
    """What failed; None where nothing did."""
    calls: int = 0
    """Calls of models that it took now; what was remembered took none."""


class _Ruled(NamedTuple):
    verdicts: tuple[Verdict, ...] = ()
    calls: int = 0


def _whole(ruled: _Ruled) -> bool:
    """Whether no instrument failed, so that it may be remembered."""
    return not any(verdict.fault == "instrument" for verdict in ruled.verdicts)


class CandidateOrder:
    """Puts candidates in the order of a rubric. Picklable if its judge is; what it remembers stays behind.

    Args:
        judge: decides or ranks by criteria without a check; None: they stay unknown.
        both_orders: ask twice, the second time with the criteria in reverse order (a ranker: under another
            draw of labels), and keep what both say.
        seed: of the draws.
    """

    def __init__(
        self, judge: Judge | Ranker | None = None, *, both_orders: bool = False, seed: int = 0
    ) -> None:
        self._judge = judge
        self._both_orders = both_orders
        self._seed = seed
        self._ruled: Once[_Ruled] = Once(keep=_whole)
        self._ranked: Once[Ranking] = Once()

    def ordering(self, rubric: Rubric, point: BranchingPoint) -> Asking[Order]:
        """Put the candidates of a point in order, as a procedure of `coreact.judge.asking`."""
        checked = [run_checks(rubric, action, point.state) for action in point.actions]
        if self._judge is None or not any(one.open for one in checked):
            return _ordered(
                [
                    judgement(
                        rubric,
                        (*one.decided, *undecided(one.open, reason=_NOBODY, by="nobody", broken=False)),
                    )
                    for one in checked
                ]
            )
        if isinstance(self._judge, Judge):
            ruled: Sequence[_Ruled] = yield from self._ruling(
                self._judge, rubric, point, [one.open for one in checked]
            )
            judgements = [
                judgement(rubric, (*one.decided, *more.verdicts))
                for one, more in zip(checked, ruled, strict=True)
            ]
            return _ordered(judgements, calls=sum(one.calls for one in ruled))
        return (yield from self.ranking(self._judge, point, tuple(rubric)))

    def ranking(
        self, ranker: Ranker, point: BranchingPoint, criteria: Sequence[Criterion] = ()
    ) -> Asking[Order]:
        """Have all candidates ranked at once, by criteria or, without any, by what the ranker goes by."""
        seeds = (self._seed, self._seed + 1) if self._both_orders else (self._seed,)
        found: list[Ranking] = []
        calls = 0
        for seed in seeds:
            key = digest(
                ["ranked", ranker.id, seed, point.id, point.state.digest]
                + [_content(action) for action in point.actions]
                + [one.model_dump(exclude_defaults=True) for one in criteria]
            )
            shown = _shuffled(criteria, f"{seed}|{point.id}")
            given = (point.state, point.actions)
            request = Request(
                partial(self._ranked.get, key, partial(ranker.rank, *given, criteria=shown, seed=seed)),
                partial(self._ranked.aget, key, partial(ranker.arank, *given, criteria=shown, seed=seed)),
            )
            try:
                told: Told[Ranking] = yield request
            except GraphBubbleUp:
                raise
            except Exception as error:  # noqa: BLE001 - a ranker may raise anything: no ranking, no label
                return Order((), classify(error), calls + 1)
            calls += told.fresh
            found.append(told.value)
        places = zip(*(one.ranks for one in found), strict=True)
        return Order(tuple(-fmean(one) for one in places), None, calls)

    def _ruling(
        self, judge: Judge, rubric: Rubric, point: BranchingPoint, opened: Sequence[tuple[Criterion, ...]]
    ) -> Asking[list[_Ruled]]:
        """Decide the open criteria of all candidates, those that are not remembered side by side."""
        asked = [at for at, one in enumerate(opened) if one]
        jobs = [
            _Job(
                digest(["ruled", judge.id, rubric.lock, point.state.digest, _content(point.actions[at])]),
                judge,
                self._shown(opened[at], point.state, point.actions[at]),
                point.actions[at],
                point.state,
            )
            for at in asked
        ]
        told: Sequence[Told[_Ruled]] = yield Request(
            lambda: [self._ruled.get(job.key, job.ask) for job in jobs],
            lambda: _together([self._ruled.aget(job.key, job.aask) for job in jobs]),
        )
        found = [_Ruled()] * len(opened)
        for at, one in zip(asked, told, strict=True):
            found[at] = one.value if one.fresh else one.value._replace(calls=0)
        return found

    def _shown(
        self, criteria: tuple[Criterion, ...], state: State, action: Action
    ) -> tuple[tuple[Criterion, ...], ...]:
        first = _shuffled(criteria, f"{self._seed}|{state.digest}|{_content(action)}")
        return (first, first[::-1]) if self._both_orders else (first,)


_NOBODY = "there is no judge"


def _ordered(judgements: Sequence[Judgement], *, calls: int = 0) -> Order:
    cause = outage(judgements)
    return Order(() if cause is not None else standing(judgements), cause, calls)


class _Job(NamedTuple):
    """The open criteria of one candidate, in each order in which they are shown."""

    key: str
    judge: Judge
    shown: tuple[tuple[Criterion, ...], ...]
    action: Action
    state: State

    def ask(self) -> _Ruled:
        return self._ruled([consult(self.judge, one, self.action, self.state) for one in self.shown])

    async def aask(self) -> _Ruled:
        asked = [aconsult(self.judge, one, self.action, self.state) for one in self.shown]
        return self._ruled(await _together(asked))

    def _ruled(self, rulings: Sequence[Ruling]) -> _Ruled:
        return _Ruled(_both(self.shown[0], rulings), len(rulings))


async def _together(asked: Sequence[Awaitable[T]]) -> list[T]:
    return list(await asyncio.gather(*asked))


def _both(criteria: tuple[Criterion, ...], rulings: Sequence[Ruling]) -> tuple[Verdict, ...]:
    """What all rulings agree on; the others are unknown, and a fault in one of them stays one."""
    by_id = [{verdict.criterion: verdict for verdict in one.verdicts} for one in rulings]
    found = []
    for criterion in criteria:
        said = [one[criterion.id] for one in by_id]
        broken = next((one for one in said if one.fault == "instrument"), None)
        if broken is None and len({one.status for one in said}) > 1:
            update = {"status": "unknown", "reason": "said in one order of the criteria only"}
            found.append(said[0].model_copy(update=update))
        else:
            found.append(broken or said[0])
    return tuple(found)


def _shuffled(criteria: Sequence[Criterion], key: str) -> tuple[Criterion, ...]:
    # Sorted first: in which order a rubric lists its criteria must not matter.
    drawn = sorted(criteria, key=lambda one: (one.text, one.id))
    Random(digest([key, *(one.text for one in drawn)])).shuffle(drawn)
    return tuple(drawn)


def _content(action: Action) -> str:
    return f"answer {action.answer}" if action.call is None else f"call {action.call.key}"
