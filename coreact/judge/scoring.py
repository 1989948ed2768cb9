"""From verdicts to score and pass: pure arithmetic, one rule, three-valued.

The weighted mean of explicit rubrics (RaR, arXiv 2507.17746): met weight over judged weight,
`partial` counting half. What differs: weight that nobody could judge is left out of the score
and bounds the pass instead. `passed` is True only if it would hold with every unknown unmet,
False if it would fail with every unknown met, else None.
"""

from __future__ import annotations

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
    weight = sum(c.weight for c, _ in judged)
    credit = sum(c.weight * _CREDIT[v.status] for c, v in judged)
    # Rounding noise must not carry the share out of [0, 1] or over a threshold.
    score = min(1.0, round(credit / weight, 12)) if weight else None
    return Judgement(
        rubric=rubric.lock,
        verdicts=tuple(verdict for _, verdict in ordered),
        score=score,
        passed=_passed(rubric.threshold, credit, weight, judged, unknown),
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
        if failed and verdict.status not in ("not_applicable", "unknown"):
            verdict = verdict.model_copy(
                update={
                    "status": "not_applicable",
                    "reason": f"it applies only when {', '.join(failed)} holds",
                }
            )
        settled[criterion.id] = verdict
    return [(criterion, settled[criterion.id]) for criterion in rubric]


def _passed(
    threshold: float,
    credit: float,
    weight: float,
    judged: Sequence[tuple[Criterion, Verdict]],
    unknown: Sequence[tuple[Criterion, Verdict]],
) -> bool | None:
    if any(c.veto and v.status == "unmet" for c, v in judged):
        return False
    open_weight = sum(c.weight for c, _ in unknown)
    if not weight:
        return None
    lowest = round(credit / (weight + open_weight), 12)
    highest = round((credit + open_weight) / (weight + open_weight), 12)
    if highest < threshold:
        return False
    if lowest >= threshold and not any(c.veto for c, _ in unknown):
        return True
    return None
