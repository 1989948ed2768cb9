"""Executable conditions on a proposed action: the part of a rubric that code decides.

Each check is a small record with `evaluate(action, state)` and `explain()`. Evaluation is pure,
total and cheap: same input, same finding, no model, no network, no clock, no exception. Where
code cannot tell, the finding is `unknown` or `not_applicable`, never a guess. Patterns come from
models and files, so they run on RE2, which cannot backtrack. What is deliberately absent:
judging prose (that is a judge's work) and negation (that is a criterion's polarity).
"""

from coreact.rubric.checks.answers import (
    AnswerCitesObserved,
    AnswerObserved,
    DoesNotStop,
    QuoteInObservation,
    Stops,
)
from coreact.rubric.checks.arguments import (
    ArgumentContains,
    ArgumentEquals,
    ArgumentInRange,
    ArgumentMatches,
)
from coreact.rubric.checks.base import Finding, FindingStatus
from coreact.rubric.checks.kinds import CHECK_KINDS, Check, UnknownCheck
from coreact.rubric.checks.predicates import Predicate, PredicateHolds, register_predicate
from coreact.rubric.checks.provenance import ArgumentsHaveProvenance, HasProvenance, UrlSeenUnvisited
from coreact.rubric.checks.repetition import NotRepeat
from coreact.rubric.checks.schema import AnswerFitsSchema, ArgumentsFitSchema, schema_problem
from coreact.rubric.checks.tools import ToolIs, ToolIsNot

__all__ = [
    "CHECK_KINDS",
    "AnswerCitesObserved",
    "AnswerFitsSchema",
    "AnswerObserved",
    "ArgumentContains",
    "ArgumentEquals",
    "ArgumentInRange",
    "ArgumentMatches",
    "ArgumentsFitSchema",
    "ArgumentsHaveProvenance",
    "Check",
    "DoesNotStop",
    "Finding",
    "FindingStatus",
    "HasProvenance",
    "NotRepeat",
    "Predicate",
    "PredicateHolds",
    "QuoteInObservation",
    "Stops",
    "ToolIs",
    "ToolIsNot",
    "UnknownCheck",
    "UrlSeenUnvisited",
    "register_predicate",
    "schema_problem",
]
