"""In which order a rubric puts several candidate actions, and how far that order is right.

The agreement is Spearman's rank correlation with average ranks for ties. Two cases are settled here once
for all users. Where the reference has no contrast there is nothing to agree with, and the answer is None.
Where the rubric tells no candidate from another it has said nothing, and the answer is 0: an all-tied
rubric is neither right nor wrong. A candidate that could not be scored takes the mean of the others, so
that a broken judge neither lifts nor sinks what it failed on.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial
from statistics import correlation, fmean

from coreact.errors import Cause
from coreact.judge.asking import Asking, Request, aserve, serve
from coreact.judge.consult import aconsult, consult
from coreact.judge.panel.ranking import average_ranks
from coreact.judge.records import Cost, Judgement
from coreact.judge.runner import Judge, Ruling, run_checks, undecided
from coreact.judge.scoring import judgement
from coreact.rubric import Action, Rubric, State

_PLACE: dict[bool | None, float] = {True: 2.0, None: 1.0, False: 0.0}


def judging(
    rubric: Rubric, actions: Sequence[Action], state: State, judge: Judge | None
) -> Asking[tuple[Judgement, ...]]:
    """Judge each candidate by itself, checks first, as a procedure of `coreact.judge.asking`."""
    found: list[Judgement] = []
    for action in actions:
        checked = run_checks(rubric, action, state)
        if checked.open and judge is not None:
            asked = (judge, checked.open, action, state)
            ruling: Ruling = yield Request(partial(consult, *asked), partial(aconsult, *asked))
            found.append(judgement(rubric, (*checked.decided, *ruling.verdicts), cost=ruling.cost))
        else:
            verdicts = undecided(checked.open, reason="there is no judge", by="nobody", broken=False)
            found.append(judgement(rubric, (*checked.decided, *verdicts)))
    return tuple(found)


def judged(
    rubric: Rubric, actions: Sequence[Action], state: State, *, judge: Judge | None = None
) -> tuple[Judgement, ...]:
    """Judge each candidate by itself, checks first.

    Args:
        rubric: what to judge by.
        actions: the candidates.
        state: the state they are all proposed in.
        judge: decides criteria without a check; they stay unknown if None.
    """
    return serve(judging(rubric, actions, state, judge))


async def ajudged(
    rubric: Rubric, actions: Sequence[Action], state: State, *, judge: Judge | None = None
) -> tuple[Judgement, ...]:
    """The same, without blocking the event loop."""
    return await aserve(judging(rubric, actions, state, judge))


def outage(judgements: Sequence[Judgement]) -> Cause | None:
    """What broke, where a judge failed on a candidate; None where none did.

    A broken check is no outage: it is a fault of the rubric, and a lint finds it.
    """
    faults = (v for one in judgements for v in one.verdicts if v.fault == "instrument")
    return next((v.cause or "bug" for v in faults if v.decided_by != "check"), None)


def standing(judgements: Sequence[Judgement]) -> tuple[float | None, ...]:
    """What each candidate is worth by its judgement, higher is better; None where nothing was judged.

    A step that passes stands above one that may, and that above one that fails, whatever the scores: that
    is the order in which the loop chooses between attempts.
    """
    return tuple(None if one.score is None else _PLACE[one.passed] + one.score for one in judgements)


def agreement(scores: Sequence[float | None], reference: Sequence[float]) -> float | None:
    """Spearman's rank correlation in [-1, 1] of scores with a reference, higher is better.

    Returns:
        None where the reference has no contrast; 0.0 where the scores have none.

    Raises:
        ValueError: the two are not equally long, or the reference is not finite.
    """
    if len(scores) != len(reference):
        raise ValueError(f"{len(scores)} scores for {len(reference)} candidates")
    if not all(map(math.isfinite, reference)):
        raise ValueError("the reference holds a value that is not finite")
    if len(set(reference)) < 2:
        return None
    known = [score for score in scores if score is not None]
    if len(set(known)) < 2:
        return 0.0
    filled = [fmean(known) if score is None else score for score in scores]
    return correlation(average_ranks(filled), average_ranks(reference))


def total_cost(judgements: Sequence[Judgement]) -> Cost:
    """What judging all of them cost."""
    return sum((one.cost for one in judgements), Cost())
