"""Rules of benchmarks that take points away where something bad happened.

Their published form gives a criterion points of either sign, and "met" on a negative one means that
the bad thing happened. Here weights are positive, polarity is stored, and `met` is always good, so
`_points` converts, at this edge and nowhere else.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from coreact.judge.records import Verdict
from coreact.judge.scoring.exact import Part, ratio, total
from coreact.judge.scoring.score import Score
from coreact.judge.scoring.settling import Mark, Sheet, mark
from coreact.rubric import Rubric


def points(rubric: Rubric, verdicts: Sequence[Verdict]) -> Score:
    """Points for what is there minus deductions for what should not be, clipped at 0 (SedarEval).

    arXiv 2501.15595: a `require` criterion gives its weight in points, a `forbid` criterion takes its
    weight away where the bad thing happened. The value is in [0, all points on offer], in points.
    What differs: the paper's judge adds up, here code does; points on offer that nobody could judge
    count in proportion to the others, so they neither help nor hurt. None where none of the points
    on offer was judged.
    """
    sheet = mark(rubric, verdicts)
    maximum = total([*_on_offer(sheet), *(c.weight for c in sheet.unknown if c.polarity == "require")])
    if not _on_offer(sheet):
        return sheet.score(None, high=maximum)
    kept = min(1.0, max(0.0, _net(sheet)))
    # Twelve digits that count, not twelve places: points may be as small or large as anyone likes.
    return sheet.score(min(maximum, float(f"{kept * maximum:.12g}")), high=maximum)


def healthbench(rubric: Rubric, verdicts: Sequence[Verdict]) -> Score:
    """Net points over the positive points, in [-deductions / positive points, 1] (HealthBench).

    arXiv 2505.08775, which is binary. The value of a single answer is not clipped, so it may be
    negative; only the mean over a benchmark is, see `clipped_mean`. None where no `require` criterion
    was judged, as there is no scale then. Criteria that nobody could judge are left out above and
    below the line (ours), so more positive points that nobody could judge make a deduction heavier.
    """
    sheet = mark(rubric, verdicts)
    if not _on_offer(sheet):
        return sheet.score(None)
    return sheet.score(round(_net(sheet), 12), low=_lowest(sheet))


def researchrubrics(rubric: Rubric, verdicts: Sequence[Verdict]) -> Score:
    """HealthBench's net points over the positive points, and 0 for a rubric without positive ones.

    arXiv 2511.07685. Its code has both a ternary scale, where `partial` counts half for either sign,
    which is what this rule does, and a binary one: `binary(researchrubrics, partial="absent")`.
    None where the rubric has `require` criteria but none could be judged, or nothing was judged.
    """
    sheet = mark(rubric, verdicts)
    if _on_offer(sheet):
        return sheet.score(round(_net(sheet), 12), low=_lowest(sheet))
    open_points = any(criterion.polarity == "require" for criterion in sheet.unknown)
    return sheet.score(0.0 if sheet.marks and not open_points else None)


def clipped_mean(scores: Sequence[Score]) -> Score:
    """The mean over the answers of a benchmark, clipped to [0, 1] once and at the end.

    HealthBench's convention: clipping each answer first would hide how bad bad answers are.

    Args:
        scores: one for each answer, on one scale.

    Returns:
        The mean of those that have a value, None without any; `judged` of `total` counts answers,
        and `broken` those where an instrument failed on some criterion.
    """
    values = [score.value for score in scores if score.value is not None]
    return Score(
        value=min(1.0, max(0.0, math.fsum(values) / len(values))) if values else None,
        judged=len(values),
        total=len(scores),
        low=0.0,
        high=1.0,
        broken=sum(score.broken > 0 for score in scores),
    )


def _points(each: Mark) -> Part:
    """What the published conventions award: credit for what is there, and minus for what should not be."""
    if each.criterion.polarity == "require":
        return each.criterion.weight, each.credit
    return each.criterion.weight, each.credit - 1.0  # no credit: it happened, all points are taken away


def _net(sheet: Sheet) -> float:
    return ratio([_points(each) for each in sheet.marks], _on_offer(sheet))


def _lowest(sheet: Sheet) -> float:
    forbidden = [(_weight(each), -1.0) for each in sheet.marks if each.criterion.polarity == "forbid"]
    return round(ratio(forbidden, _on_offer(sheet)), 12)


def _on_offer(sheet: Sheet) -> list[float]:
    return [_weight(each) for each in sheet.marks if each.criterion.polarity == "require"]


def _weight(each: Mark) -> float:
    return each.criterion.weight
