"""Stored runs judged anew by another judge or another rubric: appended, compared, never written over."""

from coreact.trace.rejudge.evaluators import evaluator_of
from coreact.trace.rejudge.judging import (
    LeftOut,
    Outcome,
    Rejudged,
    RejudgeTask,
    RubricWriter,
    WrittenRubric,
    arejudge,
    rejudge,
)
from coreact.trace.rejudge.report import (
    Comparison,
    Flip,
    PassChange,
    RejudgeReport,
    ScoreChange,
    StatusAgreement,
)
from coreact.trace.rejudge.store import arejudge_store, rejudge_store

__all__ = [
    "Comparison",
    "Flip",
    "LeftOut",
    "Outcome",
    "PassChange",
    "RejudgeReport",
    "RejudgeTask",
    "Rejudged",
    "RubricWriter",
    "ScoreChange",
    "StatusAgreement",
    "WrittenRubric",
    "arejudge",
    "arejudge_store",
    "evaluator_of",
    "rejudge",
    "rejudge_store",
]
