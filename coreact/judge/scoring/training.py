"""Whether a score may be learned from: a policy apart from the one that acts at run time.

A running agent must go on when its judge breaks; a trainer need not take that step. A label made from
a broken judge cannot be told from one made from a bad answer, so such an item is masked.
"""

from __future__ import annotations

from typing import Literal

from coreact.judge.records import Judgement
from coreact.judge.scoring.lookup import look_up
from coreact.judge.scoring.score import Score

TrainingPolicy = Literal["mask", "unmet"]
"""What an item is worth where an instrument failed. `mask`: nothing, it is left out; `unmet`: the
least value, as if the answer had failed (what Co-ReAct's trainer does, arXiv 2605.23590)."""

_POLICIES = {"mask": "mask", "unmet": "unmet"}


def training_label(judged: Judgement | Score, policy: TrainingPolicy = "mask") -> float | None:
    """The score of one item as a training label, or None where the item must be left out.

    Args:
        judged: what was judged: a judgement, in [0, 1], or the score of any rule, in [low, high].
        policy: what to do where an instrument failed on any criterion that applies. `unmet` takes the
            whole item as failed; to count only the criteria that nobody could judge, score with
            `abstaining(rule, "zero")` and use the value.

    Returns:
        The value where no instrument failed; None where nothing applied or, under `mask`, nothing was
        judged.

    Raises:
        ConfigError: there is no such policy.
    """
    look_up(_POLICIES, policy, what="training policy")
    if isinstance(judged, Judgement):
        value, low = judged.score, 0.0
        broken = any(v.status == "unknown" and v.fault == "instrument" for v in judged.verdicts)
    else:
        value, low, broken = judged.value, judged.low, judged.broken > 0
    if value is not None and not broken:
        return value
    return low if policy == "unmet" and judged.total else None
