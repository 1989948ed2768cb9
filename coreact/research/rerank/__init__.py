"""Rubric-scored retrieval: a corpus whose hits are graded for what they do for the task, then reordered."""

from coreact.research.rerank.relevance import LEVELS, Grade, Graded, Level, ModelScorer, Scorer
from coreact.research.rerank.reranked import Ranked, Reranked, Tally

__all__ = ["LEVELS", "Grade", "Graded", "Level", "ModelScorer", "Ranked", "Reranked", "Scorer", "Tally"]
