"""What the model is told: the criteria before it proposes, the feedback after a rejection.

Short, since small models lose long instructions; positive, since negations are followed worst
(see docs/papers.md). Criteria may come from a model and proposals may echo hostile observations,
so both stand on one line each, without the tags that frame them. `judge_only` criteria never
appear here.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from coreact.judge import Judgement, Status
from coreact.rubric import Action, Criterion, Rubric

_TAG = re.compile(r"</?\s*(?:guide|feedback)\s*>", re.IGNORECASE)
_PROPOSAL_CHARS = 300


def guidance(rubric: Rubric) -> str:
    """The criteria the model may see, with their normalised weights; empty where it may see none."""
    visible = [criterion for criterion in rubric if criterion.visibility == "policy"]
    if not visible:
        return ""
    lines = [
        f"{number}. [{rubric.share(criterion):.2f}] {_line(_advice(criterion))}"
        for number, criterion in enumerate(visible, start=1)
    ]
    return "\n".join(["<guide>", "A good next step:", *lines, "</guide>"])


def feedback(rubric: Rubric, actions: Sequence[Action], judgements: Sequence[Judgement]) -> str:
    """What was wrong with a proposal, and what already holds and must be kept.

    Only visible criteria are named. Several actions in one message are named one by one.
    """
    lines = ["<feedback>", "Your proposal was not run."]
    for action, judgement in zip(actions, judgements, strict=True):
        lines.append(f"Proposal: {_line(str(action))[:_PROPOSAL_CHARS]}")
        lines += _marked("Change", rubric, judgement, ("unmet", "partial"))
        if action.stops:  # what the next step should be instead stands in criteria on calls
            lines += _marked("Then", rubric, judgement, ("not_applicable",))
        lines += _marked("Keep", rubric, judgement, ("met",))
    return "\n".join([*lines, "Propose the next step again.", "</feedback>"])


def refusal(rubric: Rubric, action: Action, judgement: Judgement) -> str:
    """What stands in the place of a tool's result when its call was not run."""
    lines = [f"Not run: {_line(str(action))[:_PROPOSAL_CHARS]}"]
    return "\n".join([*lines, *_marked("Change", rubric, judgement, ("unmet", "partial"))])


def _marked(verb: str, rubric: Rubric, judgement: Judgement, statuses: tuple[Status, ...]) -> list[str]:
    lines = []
    for verdict in judgement.verdicts:
        criterion = rubric.criterion(verdict.criterion)
        if verdict.status not in statuses or criterion.visibility != "policy":
            continue
        why = f" ({_line(verdict.reason)})" if "unmet" in statuses and verdict.reason else ""
        lines.append(f"{verb}: {_line(_demand(criterion))}{why}")
    return lines


def _advice(criterion: Criterion) -> str:
    return criterion.text if criterion.polarity == "require" else f"Avoid: {criterion.text}"


def _demand(criterion: Criterion) -> str:
    if criterion.check is None or criterion.polarity == "forbid":
        return _advice(criterion)
    return criterion.check.explain()


def _line(text: str) -> str:
    return " ".join(_TAG.sub("", text).split())
