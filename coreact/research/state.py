"""What the research agent's graph keeps: messages and plain JSON, so that every checkpointer can store it.

What is public (`Answered`) is what the agent gives; the rest is between its nodes.
"""

from __future__ import annotations

from typing import Annotated, Any, NotRequired, TypedDict

from langchain_core.messages import AnyMessage
from langgraph.graph.message import add_messages

from coreact.judge.sufficiency.deciding import Kind
from coreact.research.outcome import Outcome


class Task(TypedDict):
    """One branch of gathering."""

    sub_question: str
    text: str
    allowance: int


class Branch(TypedDict):
    """What a branch gave."""

    sub_question: str
    finding: str
    evidence: list[str]
    used: int


def add_branches(known: list[Branch] | None, new: list[Branch] | None) -> list[Branch]:
    """Branches of a round add up; None begins anew."""
    return [] if new is None else [*(known or []), *new]


class Question(TypedDict):
    """What the agent takes: a conversation that ends in the question."""

    messages: Annotated[list[AnyMessage], add_messages]


class Answered(Question):
    """What the agent gives: the report ends `messages`."""

    plan: NotRequired[dict[str, Any] | None]
    """`Plan` as plain JSON."""
    evidence: NotRequired[dict[str, Any] | None]
    """`EvidenceGraph` as plain JSON."""
    outcome: NotRequired[Outcome | None]
    answer_check: NotRequired[Any]
    """Verify-and-refine's status of the report."""
    coreact: NotRequired[Any]
    """Guidance's status of the last decision on the whole question, where the agent is guided."""


class ResearchState(Answered):
    """The agent's own state, plain JSON but for the messages."""

    question: NotRequired[str]
    answer: NotRequired[str]
    """The report in the form that code checks: citations are keys."""
    complaint: NotRequired[str]
    branches: NotRequired[Annotated[list[Branch], add_branches]]
    round: NotRequired[int]
    used: NotRequired[int]
    reviews: NotRequired[int]
    decision: NotRequired[Kind]
    reasons: NotRequired[list[str]]
    """Of the decision, where somebody else made it."""
    invented: NotRequired[list[str]]
