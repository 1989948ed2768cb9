"""From verdicts to score and pass: pure arithmetic, one rule, three-valued.

The weighted mean of explicit rubrics (RaR, arXiv 2507.17746): met weight over judged weight,
`partial` counting half. What differs: weight that nobody could judge is left out of the score
and bounds the pass instead. `passed` is True only if it would hold however the unknowns turn
out, False if it would fail however they do, else None. Without dependencies that means: with every
unknown unmet, and with every unknown met. A criterion that depends on an unknown one may turn out
not to apply, so each bound also leaves out those of them that speak for the other side; that is
cautious, so it may say None where all outcomes together would tell.
Sums are exact, so neither the order nor the size of weights moves a score.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from coreact.judge.records import Cost, Judgement, Status, Verdict
from coreact.rubric import Criterion, Rubric

_CREDIT: dict[Status, float] = {"met": 1.0, "partial": 0.5, "unmet": 0.0}


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
    by_id = {verdict.criterion: verdict for verdict in verdicts}
    if len(by_id) != len(verdicts) or set(by_id) != {criterion.id for criterion in rubric}:
        raise ValueError("there must be exactly one verdict for each criterion of the rubric")
    ordered = _with_dependencies(rubric, by_id)
    judged = [(c, v) for c, v in ordered if v.status in _CREDIT]
    unknown = [(c, v) for c, v in ordered if v.status == "unknown"]
    score = _share([(criterion, _CREDIT[verdict.status]) for criterion, verdict in judged])
    return Judgement(
        rubric=rubric.lock,
        verdicts=tuple(verdict for _, verdict in ordered),
        score=score,
        passed=_passed(rubric, score, judged, [criterion for criterion, _ in unknown]),
        judged=len(judged),
        total=len(judged) + len(unknown),
        cost=cost or Cost(),
    )


def _with_dependencies(rubric: Rubric, by_id: dict[str, Verdict]) -> list[tuple[Criterion, Verdict]]:
    settled: dict[str, Verdict] = {}
    for criterion in rubric:
        verdict = by_id[criterion.id]
        failed = [
            name
            for name in criterion.depends_on
            if settled[name].status in ("unmet", "partial", "not_applicable")
        ]
        if failed and verdict.status != "not_applicable":
            verdict = verdict.model_copy(
                update={
                    "status": "not_applicable",
                    "fault": "none",
                    "reason": f"it applies only when {', '.join(failed)} holds",
                }
            )
        settled[criterion.id] = verdict
    return [(criterion, settled[criterion.id]) for criterion in rubric]


def _share(parts: Sequence[tuple[Criterion, float]]) -> float | None:
    if not parts:
        return None
    # In units of the largest weight, so that no sum overflows; `fsum` loses nothing in any order.
    unit = max(criterion.weight for criterion, _ in parts)
    weight = math.fsum(criterion.weight / unit for criterion, _ in parts)
    credit = math.fsum(criterion.weight / unit * part for criterion, part in parts)
    # Weights are binary fractions of what was written: 0.3 + 0.3 must reach a threshold of 0.6.
    return min(1.0, round(credit / weight, 12))


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
    lowest = [(criterion, 0.0) for criterion in unknown]
    highest = [(criterion, 1.0) for criterion in unknown]
    for criterion, verdict in judged:
        credit = _CREDIT[verdict.status]
        helps = credit >= rubric.threshold
        if not (helps and criterion.id in loose):
            lowest.append((criterion, credit))
        if helps or criterion.id not in loose:
            highest.append((criterion, credit))
    if (_share(highest) or 0.0) < rubric.threshold:
        return False
    open_veto = vetoed or any(criterion.veto for criterion in unknown)
    return True if (_share(lowest) or 0.0) >= rubric.threshold and not open_veto else None


def _hanging_on(rubric: Rubric, unknown: set[str]) -> set[str]:
    """Ids of the criteria that apply or not depending on an unknown one, directly or through others."""
    hanging: set[str] = set()
    for criterion in rubric:
        if (unknown | hanging) & set(criterion.depends_on):
            hanging.add(criterion.id)
    return hanging
