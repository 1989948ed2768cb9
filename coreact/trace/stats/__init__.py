"""What many stored runs have in common: figures by status, agent, criterion, generator, tool and judge."""

from coreact.trace.stats.counting import MOST_CRITERIA, QUANTILES, stats
from coreact.trace.stats.result import CriterionStats, Distribution, EvaluatorStats, ToolStats, TraceStats

__all__ = [
    "MOST_CRITERIA",
    "QUANTILES",
    "CriterionStats",
    "Distribution",
    "EvaluatorStats",
    "ToolStats",
    "TraceStats",
    "stats",
]
