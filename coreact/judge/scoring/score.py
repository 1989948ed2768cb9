"""Score: what every scoring rule returns, and what a scoring rule is.

A number alone hides its scale and how much of the rubric it rests on, so both always come with it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from coreact.judge.records import Verdict
from coreact.rubric import Rubric


class Score(NamedTuple):
    """The result of one rule: higher is better, and `value` of `judged` of `total` criteria."""

    value: float | None
    """In [low, high]; None where nothing could be judged."""
    judged: int
    """Criteria decided as met, partial or unmet, whatever a policy makes of the others."""
    total: int
    """Criteria that applied: judged plus unknown."""
    low: float
    """The least value the rule can give here; for most rules 0, see each."""
    high: float
    """The greatest value the rule can give here; for most rules 1."""
    broken: int = 0
    """How many of the unknown criteria are unknown because an instrument failed."""


ScoringRule = Callable[[Rubric, Sequence[Verdict]], Score]
"""Takes a rubric and exactly one verdict for each of its criteria, in any order. Pure.

Raises ValueError where a criterion has no verdict, or a verdict no criterion.
"""
