"""Metrics: pure functions from what was measured to figures that say what they rest on.

Nothing here runs an agent, asks a judge or reads a file. Whatever could not be told is left out of a figure
and counted beside it (`Share`), never taken for 0. What an episode costs is counted where episodes run
(`coreact.bench.experiment`). `arena` needs scipy and is imported by its own name.
"""

from coreact.bench.metrics.answers import contains, exact, f1, holds, yes_no
from coreact.bench.metrics.axes import Axes, Graded, axes
from coreact.bench.metrics.citations import Citations, CitedPair, Fact, fact, without_repeats
from coreact.bench.metrics.criteria import (
    CONVENTIONS,
    by_tag,
    coverage,
    covers_more,
    fully_met,
    judged,
    strict,
    under_conventions,
)
from coreact.bench.metrics.guidance import (
    Balance,
    StepBalance,
    criteria_of,
    outcome_balance,
    step_balance,
)
from coreact.bench.metrics.preferences import PairAccuracy, ScoredPair, pair_accuracy
from coreact.bench.metrics.relative import Rating, Relative, relative
from coreact.bench.metrics.retrieval import all_gold, found_precision, gold_share
from coreact.bench.metrics.share import Share, share
from coreact.bench.metrics.steps import (
    FirstError,
    FirstErrorAccuracy,
    StepF1,
    first_error,
    first_error_accuracy,
    step_f1,
)

__all__ = [
    "CONVENTIONS",
    "Axes",
    "Balance",
    "Citations",
    "CitedPair",
    "Fact",
    "FirstError",
    "FirstErrorAccuracy",
    "Graded",
    "PairAccuracy",
    "Rating",
    "Relative",
    "ScoredPair",
    "Share",
    "StepBalance",
    "StepF1",
    "all_gold",
    "axes",
    "by_tag",
    "contains",
    "coverage",
    "covers_more",
    "criteria_of",
    "exact",
    "f1",
    "fact",
    "first_error",
    "first_error_accuracy",
    "found_precision",
    "fully_met",
    "gold_share",
    "holds",
    "judged",
    "outcome_balance",
    "pair_accuracy",
    "relative",
    "share",
    "step_balance",
    "step_f1",
    "strict",
    "under_conventions",
    "without_repeats",
    "yes_no",
]
