"""From the verdicts of several judges on one criterion to one verdict. Pure; asks nobody.

Only a verdict that decides something is a vote: a judge that could not tell, or that broke, withholds
its vote and is neither for nor against. Too few votes, or no side with more than half of them, is
`unknown`; the order of the judges decides nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from fractions import Fraction
from typing import Literal, NamedTuple

from coreact.judge.records import Evidence, Status, Verdict
from coreact.judge.scoring.settling import CREDIT

Vote = Literal["majority", "weighted", "mean"]
"""`majority`: the status with more than half of the votes. `weighted`: the same, by the judges'
weights. `mean`: the status nearest to the mean credit (met 1, partial 0.5, unmet 0), so from above 3/4
met, from above 1/4 partial, otherwise unmet: half-way goes to the worse; `not_applicable` has no credit
and must win a majority against all others together."""

_ORDER: tuple[Status, ...] = ("met", "partial", "unmet", "not_applicable")


class Ballot(NamedTuple):
    """One judge's verdict on the criterion, and what its vote weighs."""

    verdict: Verdict
    weight: Fraction = Fraction(1)


def tally(ballots: Sequence[Ballot], *, vote: Vote, min_valid: int, by: str) -> Verdict:
    """Count the votes on one criterion.

    Args:
        ballots: one a judge, all on the same criterion, at least one.
        vote: how votes become a status. Weights count under every rule.
        min_valid: least number of votes that decide anything.
        by: id of whoever decides: the panel.

    Returns:
        The verdict. Its confidence is the share of the votes (by weight) for its status; its evidence is
        that of the judges who voted so, its reason that of the best-evidenced one among them. Without a
        status it is `unknown`: with fault `instrument` where more working judges could have been enough
        votes, otherwise with whatever fault those named who could not tell.
    """
    valid = [ballot for ballot in ballots if ballot.verdict.status != "unknown"]
    if len(valid) < min_valid:
        return _too_few(ballots, len(valid), min_valid, by)
    cast: dict[Status, Fraction] = {}
    for verdict, weight in valid:
        cast[verdict.status] = cast.get(verdict.status, Fraction()) + weight
    whole = sum(cast.values(), Fraction())
    status = _mean(cast, whole) if vote == "mean" else _majority(cast, whole)
    criterion = valid[0].verdict.criterion
    counts = Counter(verdict.status for verdict, _ in valid)
    said = ", ".join(f"{counts[name]} {name}" for name in _ORDER if counts[name])
    if status is None:
        return Verdict(
            criterion=criterion, reason=f"the judges disagree: {said}", status="unknown", decided_by=by
        )
    voters = [verdict for verdict, _ in valid if verdict.status == status]
    reason = (
        max(voters, key=lambda verdict: len(verdict.evidence)).reason if voters else "the mean of the votes"
    )
    return Verdict(
        criterion=criterion,
        reason=f"{reason} ({said} of {len(ballots)})",
        status=status,
        evidence=_merged(voters),
        decided_by=by,
        confidence=float(cast.get(status, Fraction()) / whole),
    )


def _majority(cast: dict[Status, Fraction], whole: Fraction) -> Status | None:
    return next((status for status, weight in cast.items() if 2 * weight > whole), None)


def _mean(cast: dict[Status, Fraction], whole: Fraction) -> Status | None:
    aside = cast.get("not_applicable", Fraction())
    if 2 * aside >= whole:
        return "not_applicable" if 2 * aside > whole else None
    credit = sum((w * Fraction(CREDIT[status]) for status, w in cast.items() if status in CREDIT), Fraction())
    mean = credit / (whole - aside)
    if mean > Fraction(3, 4):
        return "met"
    return "partial" if mean > Fraction(1, 4) else "unmet"


def _merged(voters: Sequence[Verdict]) -> tuple[Evidence, ...]:
    return tuple(dict.fromkeys(evidence for verdict in voters for evidence in verdict.evidence))


def _too_few(ballots: Sequence[Ballot], valid: int, min_valid: int, by: str) -> Verdict:
    withheld = [verdict for verdict, _ in ballots if verdict.status == "unknown"]
    broken = [verdict for verdict in withheld if verdict.fault == "instrument"]
    why = "; ".join(dict.fromkeys(f"{verdict.decided_by}: {verdict.reason}" for verdict in withheld))
    counted = f"{valid} of {len(ballots)} judges could tell, {min_valid} must"
    found = Verdict(
        criterion=ballots[0].verdict.criterion,
        reason=f"{counted} ({why})" if why else counted,
        status="unknown",
        decided_by=by,
    )
    if broken and valid + len(broken) >= min_valid:
        causes = Counter(verdict.cause for verdict in broken if verdict.cause is not None)
        # The most frequent; of equally frequent ones always the same, whoever sits first.
        cause = max(causes, key=lambda cause: (causes[cause], cause), default=None)
        return found.model_copy(update={"fault": "instrument", "cause": cause})
    faults = {verdict.fault for verdict in withheld} - {"instrument"}
    return found.model_copy(update={"fault": faults.pop()}) if len(faults) == 1 else found
