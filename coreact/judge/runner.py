"""Run a rubric on an action: checks first and free, a judge only for what is left.

A forbidden condition that holds is unmet. A check that cannot tell leaves its criterion open for
the judge, if there is one. This module asks nobody: it returns what is decided and what is open.
"""

from __future__ import annotations

from typing import NamedTuple, Protocol, runtime_checkable

from coreact.judge.records import Status, Verdict
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


def undecided(criteria: tuple[Criterion, ...], *, reason: str, by: str, broken: bool) -> tuple[Verdict, ...]:
    """`unknown` verdicts for criteria that nobody decided.

    Args:
        criteria: the open criteria.
        reason: why nobody could tell.
        by: id of the judge that failed, or `nobody`.
        broken: True where an instrument failed, which masks the item in training data.
    """
    return tuple(
        Verdict(
            criterion=criterion.id,
            reason=reason,
            status="unknown",
            decided_by=by,
            fault="instrument" if broken else "none",
        )
        for criterion in criteria
    )


@runtime_checkable
class Judge(Protocol):
    """Whoever decides criteria that no check decides. Errors raise; they never become verdicts."""

    id: str
    """Name and version, stored with every verdict."""

    def judge(self, criteria: tuple[Criterion, ...], action: Action, state: State) -> tuple[Verdict, ...]:
        """Decide the criteria: one verdict each, `unknown` where it cannot tell."""

    async def ajudge(
        self, criteria: tuple[Criterion, ...], action: Action, state: State
    ) -> tuple[Verdict, ...]:
        """The same, without blocking the event loop."""
