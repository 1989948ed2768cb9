"""How research ended, and what a reader must know that the report itself does not say.

All of it is computed; a model's own "all found" is never read. A run that could not answer says so and names
what is missing: that is an answer too, and no failure.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, TypedDict

from coreact.judge.grounding import CitationAudit
from coreact.research.citing import Document, numbered, resolve
from coreact.research.plan import Plan
from coreact.rubric import State


class Outcome(TypedDict):
    """How research ended, in short."""

    status: Literal["answered", "declined"]
    reason: str
    """Why it was declined; empty for an answer."""
    missing: list[str]
    """Sub-questions without a finding."""
    invented: list[str]
    """Citations that led nowhere and were taken out."""
    unconfirmed: list[str]
    """Statements that their sources do not make in full; those that nobody could judge are not here."""
    disputed: list[str]
    """Statements for which sources give different values."""
    tool_calls: int
    """Calls that ran: not those beyond the budget or rejected by a human."""


def answered(
    plan: Plan,
    state: State,
    audit: CitationAudit,
    *,
    disputed: Sequence[str],
    invented: Sequence[str],
    tool_calls: int,
) -> Outcome:
    """The outcome of a run that gave a report.

    Args:
        plan: the plan as it stands.
        state: the state read from all that was gathered.
        audit: of the report's citations.
        disputed: statements for which sources give different values.
        invented: citations that were taken out of it.
        tool_calls: made in all.
    """
    short = [one.claim.text for one in audit.claims if one.verdict.status in ("unmet", "partial")]
    return Outcome(
        status="answered",
        reason="",
        missing=missing(plan, state),
        invented=list(dict.fromkeys(invented)),
        unconfirmed=short,
        disputed=list(disputed),
        tool_calls=tool_calls,
    )


def declined(
    reason: str, plan: Plan | None = None, state: State | None = None, *, tool_calls: int = 0
) -> Outcome:
    """The outcome of a run that gives no answer; without a plan nothing was looked for."""
    return Outcome(
        status="declined",
        reason=reason,
        missing=[] if plan is None or state is None else missing(plan, state),
        invented=[],
        unconfirmed=[],
        disputed=[],
        tool_calls=tool_calls,
    )


def missing(plan: Plan, state: State) -> list[str]:
    """The sub-questions without a finding, without citations: a question states nothing.

    An address stays where the user's question has it.
    """
    asked = State.start(state.question)
    left = [sub for sub in plan.sub_questions if sub.status != "answered"]
    bare = [" ".join(resolve(sub.text, (), asked).text.split()) for sub in left]
    return [text or sub.id for text, sub in zip(bare, left, strict=True)]


def with_open_points(report: str, outcome: Outcome) -> str:
    """A report, and below it what its reader must know beside it."""
    points = [f"- Not found: {text}" for text in outcome["missing"]]
    points += [f"- Not confirmed by its source: {text}" for text in outcome["unconfirmed"]]
    points += [f"- Sources disagree: {text}" for text in outcome["disputed"]]
    return "\n".join([report, "", "## Open points", "", *points]) if points else report


def refusal(outcome: Outcome, plan: Plan, known: Sequence[Document], state: State) -> tuple[str, Outcome]:
    """What is said where nothing can be answered: why, what is missing, what was found all the same.

    Args:
        outcome: how it ended.
        plan: the plan as it stands.
        known: the documents.
        state: the state they were read from.

    Returns:
        The text, whose citations all lead somewhere, and the outcome with those that were taken out.
    """
    found = [resolve(sub.finding, known, state) for sub in plan.with_status("answered")]
    lines = [f"- Not found: {text}" for text in outcome["missing"]]
    lines += [f"- Found: {one.text}" for one in found if one.text]
    text = numbered("\n".join([outcome["reason"], "", *lines]), known, state)
    invented = dict.fromkeys(cited for one in found for cited in one.invented)
    return text, {**outcome, "invented": list(invented)}


def findings(plan: Plan, known: Sequence[Document]) -> str:
    """The findings as a report, for where the model wrote none; each cites the numbers of its documents."""
    lines = []
    for sub in plan.with_status("answered"):
        cited = [one.number for one in known if set(one.messages) & set(sub.evidence)]
        lines.append(f"{sub.finding} {''.join(f'[{number}]' for number in cited)}".rstrip())
    return "\n".join(lines) or "Nothing could be said."
