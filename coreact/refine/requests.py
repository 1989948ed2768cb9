"""What the loop asks for and what it is answered: the whole interface between it and its drivers."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, field
from typing import Any, TypeVar

from coreact.errors import CoReActError
from coreact.judge.records import Cost
from coreact.refine.diagnosis import Case
from coreact.refine.feedback import Feedback
from coreact.refine.follow_up import Finding, Inquiry
from coreact.rubric import Action, Criterion, Record, Rubric, State

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class WriteRubric:
    """Ask for the rubric of the answer. Reply: `RubricWritten` or `Failed`."""

    state: State


@dataclass(frozen=True, kw_only=True)
class RubricWritten:
    """A rubric for answers, who wrote it, what it cost."""

    rubric: Rubric
    writer: str
    cost: Cost = field(default_factory=Cost)


@dataclass(frozen=True, kw_only=True)
class JudgeCriteria:
    """Ask the judge about criteria that no check decides. Reply: a `Ruling`, always."""

    criteria: tuple[Criterion, ...]
    action: Action
    state: State


@dataclass(frozen=True, kw_only=True)
class Diagnose:
    """Ask for failure codes and questions. Reply: `Diagnosed` or `Failed`."""

    case: Case


@dataclass(frozen=True, kw_only=True)
class LookInto:
    """Ask for answers to follow-ups. Reply: a `LookedInto`."""

    inquiries: tuple[Inquiry, ...]


@dataclass(frozen=True, kw_only=True)
class LookedInto:
    """One finding for each inquiry, failed ones among them."""

    findings: tuple[Finding, ...]
    cost: Cost = field(default_factory=Cost)


class Revision(Record):
    """Ask for a revised answer. Reply: `Revised` or `Failed`."""

    question: str
    answer: str
    """The answer that was rejected last."""
    feedback: Feedback
    state: State


@dataclass(frozen=True, kw_only=True)
class Revised:
    """A revised answer and what it cost."""

    answer: str
    cost: Cost = field(default_factory=Cost)


@dataclass(frozen=True, kw_only=True)
class Failed:
    """A request could not be served."""

    error: CoReActError
    cost: Cost = field(default_factory=Cost)


Request = WriteRubric | JudgeCriteria | Diagnose | LookInto | Revision
Loop = Generator[Request, Any, T]
