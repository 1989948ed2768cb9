"""Several independent reviewers as one judge: all must agree, and each point is made once.

Where a panel votes, reviewers add up: an answer holds only where every reviewer finds that it does,
and what any of them objects to is fed back. Their reasons are merged and repeats left out (ARISE's
review loop; that the strictest decides instead of a mean is ours, because a mean hides an objection).
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from coreact.errors import ConfigError
from coreact.judge.consult import aconsult, consult
from coreact.judge.panel.family import model_names
from coreact.judge.records import Cost, Evidence, Status, Verdict
from coreact.judge.runner import Judge, Ruling
from coreact.refine.feedback import merged_text
from coreact.rubric import Action, Criterion, State

_STRICTEST: tuple[Status, ...] = ("unmet", "partial", "unknown", "met", "not_applicable")
"""Which verdict decides, first to last. An `unknown` stands before `met`: who could not tell might
have objected."""


class Reviewers:
    """A judge made of several. A reviewer that fails rules `unknown`; an objection counts all the same.

    Args:
        reviewers: two or more judges; each is asked about every criterion, on its own.

    Raises:
        ConfigError: there are fewer than two.
    """

    def __init__(self, reviewers: Sequence[Judge]) -> None:
        if len(reviewers) < 2:
            raise ConfigError(
                f"Reviewers are two or more, and {len(reviewers)} were given.", remedy="Use the judge itself."
            )
        self._reviewers = tuple(reviewers)
        self.id = f"reviewers({', '.join(one.id for one in reviewers)})"

    @property
    def model_names(self) -> tuple[str, ...]:
        """Names of the models behind the reviewers, for the look at families."""
        return model_names(*self._reviewers)

    def judge(self, criteria: tuple[Criterion, ...], action: Action, state: State) -> Ruling:
        """Ask one after the other and merge."""
        return self._merged(criteria, [consult(one, criteria, action, state) for one in self._reviewers])

    async def ajudge(self, criteria: tuple[Criterion, ...], action: Action, state: State) -> Ruling:
        """Ask all at once and merge."""
        rulings = await asyncio.gather(*(aconsult(one, criteria, action, state) for one in self._reviewers))
        return self._merged(criteria, rulings)

    def _merged(self, criteria: Sequence[Criterion], rulings: Sequence[Ruling]) -> Ruling:
        given = [{verdict.criterion: verdict for verdict in ruling.verdicts} for ruling in rulings]
        verdicts = tuple(_strictest([found[criterion.id] for found in given]) for criterion in criteria)
        return Ruling(verdicts, sum((ruling.cost for ruling in rulings), Cost()))


def _strictest(verdicts: Sequence[Verdict]) -> Verdict:
    status = min((verdict.status for verdict in verdicts), key=_STRICTEST.index)
    deciding = [verdict for verdict in verdicts if verdict.status == status]
    evidence: dict[Evidence, None] = {}
    for verdict in deciding:
        evidence.update(dict.fromkeys(verdict.evidence))
    first = deciding[0]
    broken = next((verdict for verdict in deciding if verdict.fault == "instrument"), None)
    return Verdict(
        criterion=first.criterion,
        reason=merged_text(verdict.reason for verdict in deciding),
        status=status,
        evidence=tuple(evidence),
        decided_by=", ".join(verdict.decided_by for verdict in deciding),
        fault=broken.fault if broken is not None else first.fault,
        cause=broken.cause if broken is not None else None,
        confidence=len(deciding) / len(verdicts),
    )
