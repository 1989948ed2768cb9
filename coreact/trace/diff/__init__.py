"""Runs side by side: aligned by what they did, held against the first, criterion by criterion."""

from coreact.trace.diff.comparing import diff
from coreact.trace.diff.result import (
    Column,
    Counts,
    CriterionRow,
    CriterionVerdicts,
    Difference,
    Divergence,
    Later,
    Move,
    Pair,
    Row,
    TrajectoryDiff,
)

__all__ = [
    "Column",
    "Counts",
    "CriterionRow",
    "CriterionVerdicts",
    "Difference",
    "Divergence",
    "Later",
    "Move",
    "Pair",
    "Row",
    "TrajectoryDiff",
    "diff",
]
