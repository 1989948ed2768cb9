"""Which of two answers is better, from one vote for each criterion, asked in both orders.

OpenRS (arXiv 2602.14069) compares two answers criterion by criterion and asks twice, each answer first
once, because judges lean to one place. A vote names answers and not places: whoever asks the judge
turns the second order round. Dependencies play no part: a vote says who does better, not what holds.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from coreact.judge.records import Fault, Verdict
from coreact.judge.scoring.exact import ratio
from coreact.judge.scoring.score import Score
from coreact.rubric import Record, Rubric

Preference = Literal[-1, 0, 1]
"""1: the left answer is better; -1: the right one; 0: neither."""


class Vote(Record):
    """What a judge says of two answers on one criterion, once in each order."""

    criterion: str
    """Criterion id."""
    left_first: Preference | None
    """Asked with the left answer first; None where the judge could not tell."""
    right_first: Preference | None
    """Asked with the right answer first. 1 still says that the left one is better."""
    fault: Fault = "none"
    """Whose fault it is where an order has no preference."""

    @property
    def agreed(self) -> Preference | None:
        """What both orders say, 0 where they disagree, None where one of them says nothing."""
        if self.left_first is None or self.right_first is None:
            return None
        return self.left_first if self.left_first == self.right_first else 0


def pairwise(
    rubric: Rubric, votes: Sequence[Vote], *, left: Sequence[Verdict] = (), right: Sequence[Verdict] = ()
) -> Score:
    """How much better the left answer is, in [-1, 1]; negative: the right one is.

    In this order: a veto criterion that code found unmet in one answer only decides against it (in
    both, it is a tie); else the votes on veto criteria, where one is not a tie, decide by the sign of
    their weighted sum; else the value is the weighted mean of all votes. Swapping the answers negates
    the value.

    What differs from OpenRS: votes are -1, 0 or 1 without degrees; the orders are compared for each
    criterion and not only at the end; ties stay in the mean, where the original leaves them out, so the
    sign is the same but the size says how much of the rubric tells the answers apart.

    Args:
        rubric: the criteria and their weights; OpenRS has 5, 2 and 1 for core, important, highlight.
        votes: at most one for each criterion; one without a vote is unknown and drops out.
        left: verdicts that code reached on the left answer, as `run_checks` decides them; those of a
            judge are not looked at, as it votes.
        right: the same on the right answer.

    Returns:
        A score that counts criteria: those with a vote in both orders or with a veto by code are
        judged. The value is None where nothing decides.

    Raises:
        ValueError: a vote or verdict belongs to no criterion of the rubric, or a criterion has two.
    """
    ids = {criterion.id for criterion in rubric}
    for told in (votes, left, right):
        named = [each.criterion for each in told]
        if len(set(named)) != len(named) or not set(named) <= ids:
            raise ValueError("there must be at most one vote or verdict for each criterion of the rubric")
    agreed = {vote.criterion: vote.agreed for vote in votes if vote.agreed is not None}
    vetoed_left, vetoed_right = _vetoed(rubric, left), _vetoed(rubric, right)
    vetoed = vetoed_left | vetoed_right
    fatal = [(c.weight, float(agreed[c.id])) for c in rubric if c.veto and agreed.get(c.id)]
    cast = [(c.weight, float(agreed[c.id])) for c in rubric if c.id in agreed]
    value: float | None
    if vetoed:
        value = float(bool(vetoed_right) - bool(vetoed_left))
    elif fatal:
        lean = ratio(fatal, [weight for weight, _ in fatal])
        value = float((lean > 0) - (lean < 0))
    else:
        value = round(ratio(cast, [weight for weight, _ in cast]), 12) if cast else None
    return Score(
        value=value,
        judged=len(vetoed | set(agreed)),
        total=len(rubric),
        low=-1.0,
        high=1.0,
        broken=sum(v.fault == "instrument" and v.criterion not in {*agreed, *vetoed} for v in votes),
    )


def _vetoed(rubric: Rubric, verdicts: Sequence[Verdict]) -> set[str]:
    vetoes = {criterion.id for criterion in rubric if criterion.veto}
    return {
        verdict.criterion
        for verdict in verdicts
        if verdict.criterion in vetoes and verdict.status == "unmet" and verdict.decided_by == "check"
    }
