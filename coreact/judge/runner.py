"""Run a rubric on an action: checks first and free, a judge only for what is left.

A forbidden condition that holds is unmet. A check that cannot tell leaves its criterion open for
the judge, if there is one. This module asks nobody: it returns what is decided and what is open.
"""

from __future__ import annotations

from typing import NamedTuple, Protocol, runtime_checkable

from coreact.judge.records import Cause, Cost, Status, Verdict
from coreact.rubric import Action, Criterion, Finding, Rubric, State

_INVERTED: dict[str, Status] = {"met": "unmet", "unmet": "met"}


class Checked(NamedTuple):
    """What the checks of a rubric decided, and what they left open."""

    decided: tuple[Verdict, ...]
    open: tuple[Criterion, ...]


def run_checks(rubric: Rubric, action: Action, state: State) -> Checked:
    """Decide every criterion that code can decide. Pure; never raises on data."""
    decided: list[Verdict] = []
    still_open: list[Criterion] = []
    for criterion in rubric:
        if criterion.check is None:
            still_open.append(criterion)
            continue
        finding = criterion.check.evaluate(action, state)
        if finding.status == "unknown" and finding.fault == "none":
            still_open.append(criterion)
        else:
            decided.append(_verdict(criterion, finding))
    return Checked(tuple(decided), tuple(still_open))


def _verdict(criterion: Criterion, finding: Finding) -> Verdict:
    status: Status = finding.status
    if criterion.polarity == "forbid":
        status = _INVERTED.get(status, status)
    return Verdict(
        criterion=criterion.id, reason=finding.reason, status=status, decided_by="check", fault=finding.fault
    )


def undecided(
    criteria: tuple[Criterion, ...], *, reason: str, by: str, broken: bool, cause: Cause | None = None
) -> tuple[Verdict, ...]:
    """`unknown` verdicts for criteria that nobody decided.

    Args:
        criteria: the open criteria.
        reason: why nobody could tell.
        by: id of the judge that failed, or `nobody`.
        broken: True where an instrument failed, which masks the item in training data.
        cause: what broke, where that is known.
    """
    return tuple(
        Verdict(
            criterion=criterion.id,
            reason=reason,
            status="unknown",
            decided_by=by,
            fault="instrument" if broken else "none",
            cause=cause if broken else None,
        )
        for criterion in criteria
    )


class Ruling(NamedTuple):
    """What a judge returns: one verdict for each criterion it was asked about, and what they cost."""

    verdicts: tuple[Verdict, ...]
    cost: Cost = Cost()


@runtime_checkable
class Judge(Protocol):
    """Whoever decides criteria that no check decides.

    Where its instrument fails (no connection, an unreadable reply) a judge rules `unknown` with
    fault `instrument` and the cause. What it raises is taken as a failure of the whole call.
    """

    id: str
    """Name and version, stored with every verdict."""

    def judge(self, criteria: tuple[Criterion, ...], action: Action, state: State) -> Ruling:
        """Decide the criteria: one verdict each, `unknown` where it cannot tell."""

    async def ajudge(self, criteria: tuple[Criterion, ...], action: Action, state: State) -> Ruling:
        """The same, without blocking the event loop."""


@runtime_checkable
class Bench(Protocol):
    """A judge that is made of several: a panel, a cascade."""

    @property
    def judges(self) -> tuple[Judge, ...]:
        """Its members; the first is asked alone where the budget allows only one."""
