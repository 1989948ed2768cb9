"""Judgement of one step: its score, and whether it passes however the unknowns turn out.

The weighted mean of explicit rubrics (RaR, arXiv 2507.17746): met weight over judged weight,
`partial` counting half. What differs: weight that nobody could judge is left out of the score
and bounds the pass instead. `passed` is True only if it would hold however the unknowns turn
out, False if it would fail however they do, else None. Without dependencies that means: with every
unknown unmet, and with every unknown met. A criterion that depends on an unknown one may turn out
not to apply, so each bound also leaves out those of them that speak for the other side; that is
cautious, so it may say None where all outcomes together would tell.
It runs at each step of an agent, so it computes no more than a step needs; the rules for training
and evaluation are beside it.
"""

from __future__ import annotations

from collections.abc import Sequence

from coreact.judge.records import Cost, Judgement, Verdict
from coreact.judge.scoring.exact import share
from coreact.judge.scoring.settling import CREDIT, settle
from coreact.rubric import Criterion, Rubric


def judgement(rubric: Rubric, verdicts: Sequence[Verdict], *, cost: Cost | None = None) -> Judgement:
    """Compute score and pass of one action.

    Args:
        rubric: the rubric that was judged.
        verdicts: exactly one verdict for each criterion of the rubric, in any order.
        cost: what judging cost.

    Returns:
        The judgement, verdicts in the rubric's order.

    Raises:
        ValueError: a criterion has no verdict, or a verdict no criterion.
    """
    ordered = settle(rubric, verdicts)
    judged = [(c, v) for c, v in ordered if v.status in CREDIT]
    unknown = [c for c, v in ordered if v.status == "unknown"]
    score = share([(criterion.weight, CREDIT[verdict.status]) for criterion, verdict in judged])
    return Judgement(
        rubric=rubric.lock,
        verdicts=tuple(verdict for _, verdict in ordered),
        score=score,
        passed=_passed(rubric, score, judged, unknown),
        judged=len(judged),
        total=len(judged) + len(unknown),
        cost=cost or Cost(),
    )


def _passed(
    rubric: Rubric,
    score: float | None,
    judged: Sequence[tuple[Criterion, Verdict]],
    unknown: Sequence[Criterion],
) -> bool | None:
    if not judged:
        return None
    if not unknown:  # nothing could change the outcome
        vetoed_by = any(criterion.veto and verdict.status == "unmet" for criterion, verdict in judged)
        return not vetoed_by and (score or 0.0) >= rubric.threshold
    loose = _hanging_on(rubric, {criterion.id for criterion in unknown})
    vetoed = [criterion for criterion, verdict in judged if criterion.veto and verdict.status == "unmet"]
    if any(criterion.id not in loose for criterion in vetoed):
        return False
    lowest = [(criterion.weight, 0.0) for criterion in unknown]
    highest = [(criterion.weight, 1.0) for criterion in unknown]
    for criterion, verdict in judged:
        credit = CREDIT[verdict.status]
        helps = credit >= rubric.threshold
        if not (helps and criterion.id in loose):
            lowest.append((criterion.weight, credit))
        if helps or criterion.id not in loose:
            highest.append((criterion.weight, credit))
    if (share(highest) or 0.0) < rubric.threshold:
        return False
    open_veto = vetoed or any(criterion.veto for criterion in unknown)
    return True if (share(lowest) or 0.0) >= rubric.threshold and not open_veto else None


def _hanging_on(rubric: Rubric, unknown: set[str]) -> set[str]:
    """Ids of the criteria that apply or not depending on an unknown one, directly or through others."""
    hanging: set[str] = set()
    for criterion in rubric:
        if (unknown | hanging) & set(criterion.depends_on):
            hanging.add(criterion.id)
    return hanging
