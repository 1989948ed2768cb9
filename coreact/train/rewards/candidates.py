"""In which order a rubric puts the candidates of a point: by code alone where it can, by a judge otherwise.

A rubric whose criteria all have a check is run without asking anybody. For the rest, one of two asks:
a `Judge` decides the open criteria of each candidate by itself, all criteria of one candidate in one call,
or a `Ranker` sees all candidates and the whole rubric at once, as in Co-ReAct (arXiv 2605.23590). The order
in which criteria are shown is drawn from their content and a seed, so no place in a rubric is worth more;
asked in both orders, what is said only in one of them counts as not said. What was asked is remembered.

Written as a procedure of `coreact.judge.asking`, so that training may wait for it or not. Where an instrument
fails the cause comes back in place of an order: nothing is made up.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Sequence
from functools import partial
from random import Random
from statistics import fmean
from typing import Any, NamedTuple

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


class Order(NamedTuple):
    """What the candidates of a point are worth by a rubric."""

    scores: tuple[float | None, ...]
    """By position, higher is better; None where nothing could be judged. Empty where an instrument failed."""
    broken: Cause | None = None
    """What failed; None where nothing did."""
    calls: int = 0
    """Calls of models that it took now; what was remembered took none."""


class _Ruled(NamedTuple):
    verdicts: tuple[Verdict, ...]
    calls: int


class CandidateOrder:
    """Puts candidates in the order of a rubric. Picklable if its judge is; what it remembers stays behind.

    Args:
        judge: decides or ranks by criteria without a check; None: they stay unknown.
        both_orders: ask twice, the second time with the criteria in reverse order (a ranker: under another
            draw of labels), and keep what both say.
        seed: of the draws.
        remember: rulings and rankings kept, so that a rubric that is written again costs nothing; 0: none.
    """

    def __init__(
        self,
        judge: Judge | Ranker | None = None,
        *,
        both_orders: bool = False,
        seed: int = 0,
        remember: int = 4096,
    ) -> None:
        self._judge = judge
        self._both_orders = both_orders
        self._seed = seed
        self._remember = remember
        self._known: OrderedDict[str, Any] = OrderedDict()

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_known": OrderedDict()}

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
            known = self._recall(key)
            if known is None:
                shown = _shuffled(criteria, f"{seed}|{point.id}")
                given = (point.state, point.actions)
                request = Request(
                    partial(ranker.rank, *given, criteria=shown, seed=seed),
                    partial(ranker.arank, *given, criteria=shown, seed=seed),
                )
                try:
                    known = yield request
                except GraphBubbleUp:
                    raise
                except Exception as error:  # noqa: BLE001 - a ranker may raise anything: no ranking, no label
                    return Order((), classify(error), calls + 1)
                calls += 1
                self._keep(key, known)
            found.append(known)
        places = zip(*(one.ranks for one in found), strict=True)
        return Order(tuple(-fmean(one) for one in places), None, calls)

    def _ruling(
        self, judge: Judge, rubric: Rubric, point: BranchingPoint, opened: Sequence[tuple[Criterion, ...]]
    ) -> Asking[list[_Ruled]]:
        """Decide the open criteria of all candidates, those that are not remembered side by side."""
        keys = [
            digest(["ruled", judge.id, rubric.lock, point.state.digest, _content(action)])
            for action in point.actions
        ]
        known = [self._recall(key) for key in keys]
        asked = [at for at, one in enumerate(opened) if one and known[at] is None]
        jobs = [
            (judge, criteria, point.actions[at], point.state)
            for at in asked
            for criteria in self._shown(opened[at], keys[at])
        ]
        rulings: list[Ruling] = []
        if jobs:
            rulings = yield Request(partial(_each, jobs), partial(_aeach, jobs))
        each = 2 if self._both_orders else 1
        for at, place in zip(asked, range(0, len(rulings), each), strict=True):
            verdicts = _both(opened[at], rulings[place : place + each])
            known[at] = _Ruled(verdicts, 0)
            if not any(verdict.fault == "instrument" for verdict in verdicts):
                self._keep(keys[at], known[at])
            known[at] = _Ruled(verdicts, each)
        return [one or _Ruled((), 0) for one in known]

    def _shown(self, criteria: tuple[Criterion, ...], key: str) -> list[tuple[Criterion, ...]]:
        first = _shuffled(criteria, f"{self._seed}|{key}")
        return [first, first[::-1]] if self._both_orders else [first]

    def _recall(self, key: str) -> Any:
        value = self._known.pop(key, None)
        if value is not None:
            self._known[key] = value  # the last one to be forgotten now
        return value

    def _keep(self, key: str, value: Any) -> None:
        if self._remember:
            self._known[key] = value
            while len(self._known) > self._remember:
                self._known.popitem(last=False)


_NOBODY = "there is no judge"


def _ordered(judgements: Sequence[Judgement], *, calls: int = 0) -> Order:
    cause = outage(judgements)
    return Order(() if cause is not None else standing(judgements), cause, calls)


def _each(jobs: Sequence[tuple[Judge, tuple[Criterion, ...], Action, State]]) -> list[Ruling]:
    return [consult(*job) for job in jobs]


async def _aeach(jobs: Sequence[tuple[Judge, tuple[Criterion, ...], Action, State]]) -> list[Ruling]:
    return list(await asyncio.gather(*(aconsult(*job) for job in jobs)))


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
    Random(key).shuffle(drawn)
    return tuple(drawn)


def _content(action: Action) -> str:
    return f"answer {action.answer}" if action.call is None else f"call {action.call.key}"
