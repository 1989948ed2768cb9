"""Ask a judge and get a ruling, whatever happens: a judge that fails has ruled `unknown`.

The one boundary between judges and all that use them. A judge that raises, or that answers about
other criteria than it was asked about, gives fault `instrument` and a cause. LangGraph's control flow
passes through. Nothing here decides what a ruling means.
"""

from __future__ import annotations

import time

from langgraph.errors import GraphBubbleUp

from coreact.errors import JudgingError
from coreact.judge.failure import classify
from coreact.judge.records import CHECK, Cost, Verdict
from coreact.judge.runner import Judge, Ruling, undecided
from coreact.rubric import Action, Criterion, State


def consult(judge: Judge, criteria: tuple[Criterion, ...], action: Action, state: State) -> Ruling:
    """One verdict for each criterion; `unknown`, fault `instrument`, where the judge failed."""
    started = time.perf_counter()
    try:
        return _checked(judge.judge(criteria, action, state), judge, criteria, started)
    except GraphBubbleUp:
        raise
    except Exception as error:  # noqa: BLE001 - a judge may raise anything, and it must not end the run
        return _failed(error, judge, criteria, started)


async def aconsult(judge: Judge, criteria: tuple[Criterion, ...], action: Action, state: State) -> Ruling:
    """The same, without blocking the event loop."""
    started = time.perf_counter()
    try:
        return _checked(await judge.ajudge(criteria, action, state), judge, criteria, started)
    except GraphBubbleUp:
        raise
    except Exception as error:  # noqa: BLE001 - a judge may raise anything, and it must not end the run
        return _failed(error, judge, criteria, started)


def _checked(ruling: Ruling, judge: Judge, criteria: tuple[Criterion, ...], started: float) -> Ruling:
    if not isinstance(ruling, Ruling):
        raise JudgingError(
            f"Judge {judge.id!r} returned {type(ruling).__name__}, not a ruling.",
            judge=judge.id,
            remedy="Return coreact.judge.Ruling(verdicts, cost).",
        )
    asked = [criterion.id for criterion in criteria]
    answered = [verdict.criterion for verdict in ruling.verdicts]
    if sorted(answered) != sorted(asked):
        raise JudgingError(
            f"Judge {judge.id!r} was asked about {asked} and answered about {answered}.", judge=judge.id
        )
    if any(verdict.fault == "instrument" and verdict.status != "unknown" for verdict in ruling.verdicts):
        raise JudgingError(
            f"Judge {judge.id!r} says that its instrument failed and rules all the same.",
            judge=judge.id,
            remedy="A verdict with fault `instrument` has the status `unknown`.",
        )
    verdicts = tuple(_signed(verdict, _id(judge)) for verdict in ruling.verdicts)
    return Ruling(verdicts, ruling.cost if ruling.cost.seconds else _timed(ruling.cost, started))


def _signed(verdict: Verdict, by: str) -> Verdict:
    """A judge that does not say who decided has decided: code alone speaks as `check`."""
    return verdict.model_copy(update={"decided_by": by}) if verdict.decided_by == CHECK else verdict


def _id(judge: Judge) -> str:
    name = str(getattr(judge, "id", CHECK))
    return type(judge).__name__ if name == CHECK else name


def _failed(error: Exception, judge: Judge, criteria: tuple[Criterion, ...], started: float) -> Ruling:
    if isinstance(error, ExceptionGroup) and (flow := error.subgroup(GraphBubbleUp)) is not None:
        raise _first(flow)
    by = _id(judge)
    reason = _said(error) if isinstance(error, JudgingError) else f"Judge {by!r} raised {_named(error)}."
    verdicts = undecided(criteria, reason=reason, by=by, broken=True, cause=classify(error))
    spent = getattr(error, "cost", None)  # some errors know what was spent before them
    return Ruling(verdicts, _timed(spent if isinstance(spent, Cost) else Cost(calls=1), started))


def _first(group: BaseException) -> BaseException:
    return _first(group.exceptions[0]) if isinstance(group, BaseExceptionGroup) else group


def _named(error: Exception) -> str:
    return f"{type(error).__name__}: {_said(error)}"


def _said(error: Exception) -> str:
    try:
        return str(error)
    except Exception:  # noqa: BLE001 - an error that cannot say what it is is still only an error
        return "it cannot say why"


def _timed(cost: Cost, started: float) -> Cost:
    return cost.model_copy(update={"seconds": time.perf_counter() - started})
