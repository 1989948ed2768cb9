"""Halving: a criterion made of several checks loses half of what is left with each that fails.

Checks belong together by `Provenance.parent`, the criterion they were made from. `depends_on` would be
the wrong tie: it says when a criterion applies, so a failed one takes its dependents out of the score,
whereas here every failed check must count.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence

from coreact.judge.records import Verdict
from coreact.judge.scoring.exact import share
from coreact.judge.scoring.score import Score
from coreact.judge.scoring.settling import mark
from coreact.rubric import Criterion, Rubric


def halving(rubric: Rubric, verdicts: Sequence[Verdict]) -> Score:
    """The weighted mean over groups of 0.5 to the number of failed checks (ProImage-Bench).

    arXiv 2512.12220. A criterion without a parent is its own group, and a parent that is judged itself
    is one of its own group's checks; there is one level. In [mean of 0.5 to the number of judged
    checks, 1]: not 0 at the least. None where nothing was judged. What is ours: a `partial` check is
    half a failure; a group weighs what the checks of it that apply weigh on average, judged or not (the
    paper has no weights), and a group with no judged check is left out.
    """
    sheet = mark(rubric, verdicts)
    lost: dict[str, list[float]] = defaultdict(list)
    weights: dict[str, list[float]] = defaultdict(list)
    for each in sheet.marks:
        lost[_group(each.criterion)].append(1.0 - each.credit)
        weights[_group(each.criterion)].append(each.criterion.weight)
    for criterion in sheet.unknown:
        weights[_group(criterion)].append(criterion.weight)
    mean = {group: math.fsum(w / len(weights[group]) for w in weights[group]) for group in lost}
    return sheet.score(
        share([(mean[group], 0.5 ** math.fsum(failed)) for group, failed in lost.items()]),
        low=share([(mean[group], 0.5 ** len(failed)) for group, failed in lost.items()]) or 0.0,
    )


def _group(criterion: Criterion) -> str:
    parent = criterion.provenance.parent if criterion.provenance else None
    return criterion.id if parent is None else parent
