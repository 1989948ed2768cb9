"""Stages of research as a rubric sees them, and a rubric for each.

An agent of several stages says in the first line of its system prompt which one a decision belongs to; that
prompt is part of the state a rubric is written in, so the stage needs no other channel, and a stored trace
shows it. Rubrics of plan, review and report are executable; those of gathering come from any generator.
Whether a report holds is not decided by the rubric of its writing but by `reports.REPORT_RUBRIC`.

Source: RubricEM (arXiv 2605.10899): plan, research, review, answer, with a rubric and a score each.
Different: criteria are checked by code, and the agent's own rubric is not among them.
"""

from __future__ import annotations

import re

from langchain_core.messages import AIMessage

from coreact.generate import HeuristicGenerator, RubricGenerator
from coreact.generate.fixed import FixedGenerator
from coreact.generate.stages import STAGES, Stage, StagedGenerator, stage_of
from coreact.judge.grounding.marks import marks
from coreact.judge.replies import UnreadableError, read
from coreact.research.plan import PlanReplyError, ReviewDraft, read_plan
from coreact.rubric import (
    Action,
    Criterion,
    Finding,
    PredicateHolds,
    Provenance,
    Rubric,
    State,
    register_predicate,
)

_LINE = re.compile(r"\AStage: (?P<stage>\w+)\n")
_SOURCE = Provenance(source="research")


def staged_prompt(stage: Stage, prompt: str) -> str:
    """A system prompt that says which stage its decisions belong to."""
    return f"Stage: {stage}\n{prompt}"


def told_stage(state: State) -> str:
    """The stage that the system prompt names; where it names none, what `stage_of` reads off the state.

    Only the first line of the first given text counts: pages and users cannot set it.
    """
    found = _LINE.match(state.given[0]) if state.given else None
    return found["stage"] if found is not None and found["stage"] in STAGES else stage_of(state)


@register_predicate("research.plan", says="Reply with one JSON object that is a plan.")
def _is_plan(action: Action, _: State) -> Finding | None:
    if action.answer is None:
        return None
    try:
        read_plan(AIMessage(action.answer))
    except PlanReplyError as error:
        return Finding(status="unmet", reason=error.remark.reason)
    return Finding(status="met", reason="it is a plan")


@register_predicate("research.review", says="Reply with one JSON object that says what to add and drop.")
def _is_review(action: Action, _: State) -> Finding | None:
    if action.answer is None:
        return None
    try:
        read(AIMessage(action.answer), ReviewDraft)
    except UnreadableError as error:
        return Finding(status="unmet", reason=str(error))
    return Finding(status="met", reason="it is a review")


@register_predicate("research.cites", says="Cite the number of a source, in brackets, behind each statement.")
def _cites(action: Action, _: State) -> bool | None:
    return None if action.answer is None else any(mark.cites for mark in marks(action.answer))


def _rubric(criterion_id: str, text: str, predicate: str) -> Rubric:
    check = PredicateHolds(name=predicate)
    criterion = Criterion(id=criterion_id, text=text, kind="hard", check=check, provenance=_SOURCE)
    return Rubric(criteria=(criterion,))


PLAN_RUBRIC = _rubric("plan", "Reply with one JSON object that is a plan.", "research.plan")
"""Of the plan: it can be read, and nothing in it contradicts itself."""

REVIEW_RUBRIC = _rubric(
    "review", "Reply with one JSON object that says what to add and to drop.", "research.review"
)
"""Of a review: it can be read."""

WRITING_RUBRIC = _rubric(
    "cites", "Cite the number of a source, in brackets, behind each statement.", "research.cites"
)
"""Of writing the report: it cites at all; what its citations are worth is audited afterwards."""


def research_generator(gather: RubricGenerator | None = None) -> StagedGenerator:
    """A generator with a rubric for each stage of research.

    Args:
        gather: who writes the rubrics of gathering; the heuristic generator if None.
    """
    return StagedGenerator(
        {
            "plan": FixedGenerator(PLAN_RUBRIC),
            "review": FixedGenerator(REVIEW_RUBRIC),
            "synthesise": FixedGenerator(WRITING_RUBRIC),
        },
        stage_of=told_stage,
        default=gather or HeuristicGenerator(),
    )
