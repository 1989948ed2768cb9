"""What is wrong with findings before a report is written, and what a report must keep.

Both are code over what was observed. `issues` looks at a plan's findings: what is still open, where sources
give different numbers, which numbers stand nowhere. `REPORT_RUBRIC` is the rubric of the report itself, for
`coreact.refine`. What only a judge can tell (whether a text states a claim that is worded otherwise) is left
to one; nothing here counts what nobody could tell as good or bad.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, get_args

from coreact.judge.grounding import CitationAudit, audit
from coreact.judge.grounding.claims import split
from coreact.judge.grounding.conflicts import conflicts
from coreact.judge.grounding.sources import Sources
from coreact.judge.grounding.support import Support
from coreact.research.plan import Plan
from coreact.rubric import (
    Action,
    Criterion,
    Finding,
    PredicateHolds,
    Provenance,
    Record,
    Rubric,
    State,
    Stops,
    register_predicate,
)

_NAMED = 3  # claims that a reason names
_SOURCE = Provenance(source="research")


IssueKind = Literal["open", "conflict", "unsupported"]
"""`open`: a sub-question without a finding; `conflict`: sources differ about a number of a finding;
`unsupported`: a number of a finding stands in nothing that was observed for it."""


class Issue(Record):
    """One thing that is wrong with what was found so far."""

    kind: IssueKind
    sub_question: str
    """Its id."""
    text: str
    """What exactly; untrusted words."""


def issues(plan: Plan, state: State) -> tuple[Issue, ...]:
    """What is wrong with a plan's findings, in the order of the plan.

    Args:
        plan: the plan.
        state: the state read from all that was gathered.

    Raises:
        MissingExtraError: `sentencex` is not installed.
    """
    sources, support = Sources(state), Support(state)
    found: list[Issue] = []
    for sub in plan.sub_questions:
        if sub.status != "answered":
            found.append(Issue(kind="open", sub_question=sub.id, text=sub.text))
            continue
        report = split(sub.finding, labels=sources.labels)
        behind = tuple(passage for name in sub.evidence for passage in sources.find(name).passages)
        for claim in report.claims:
            verdict = support.weigh(claim.text, behind, claim.id)
            if verdict is not None and verdict.status == "unmet":
                text = f"{claim.text} ({verdict.reason})"
                found.append(Issue(kind="unsupported", sub_question=sub.id, text=text))
        for conflict in conflicts(report.claims, report.body, state, sources):
            text = " | ".join(side.evidence.quote for side in conflict.sides)
            found.append(Issue(kind="conflict", sub_question=sub.id, text=text))
    return tuple(found)


def issue_counts(found: Sequence[Issue]) -> dict[str, int]:
    """How many issues there are of each kind."""
    return {kind: sum(one.kind == kind for one in found) for kind in get_args(IssueKind)}


# --- the report ---------------------------------------------------------------------------------


def _audited(action: Action, state: State) -> CitationAudit | None:
    return None if action.answer is None else audit(action.answer, state)


def _told(texts: list[str], what: str) -> Finding:
    rest = f" and {len(texts) - _NAMED} more" if len(texts) > _NAMED else ""
    return Finding(status="unmet", reason=f"{what}: {'; '.join(texts[:_NAMED])}{rest}")


@register_predicate("research.observed", says="Cite only what was observed.")
def _observed(action: Action, state: State) -> Finding | None:
    found = _audited(action, state)
    if found is None or not found.references:
        return None
    strange = [*found.standing("invented"), *found.standing("dead")]
    if strange:
        return _told(strange, "these citations lead to nothing that was observed")
    return Finding(status="met", reason=f"all {len(found.references)} sources were observed")


@register_predicate("research.grounded", says="Every statement cites a source.")
def _grounded(action: Action, state: State) -> Finding | None:
    found = _audited(action, state)
    if found is None or not found.claims:
        return None
    bare = [one.claim.text for one in found.claims if not one.citations]
    if bare:
        return _told(bare, "these statements cite nothing")
    return Finding(status="met", reason=f"all {len(found.claims)} statements cite a source")


@register_predicate("research.unrefuted", says="No number of a statement is missing in the sources it cites.")
def _unrefuted(action: Action, state: State) -> Finding | None:
    found = _audited(action, state)
    if found is None or not found.cited:
        return None
    refuted = [one for one in found.claims if one.citations and one.verdict.status == "unmet"]
    if refuted:
        told = [f"{one.claim.text} ({one.verdict.reason})" for one in refuted]
        return _told(told, "these statements are not what their sources say")
    return Finding(status="met", reason="no number of a statement is missing in its sources")


def _criterion(criterion_id: str, text: str, predicate: str, weight: float) -> Criterion:
    return Criterion(
        id=criterion_id,
        text=text,
        weight=weight,
        kind="fact",
        check=PredicateHolds(name=predicate),
        stage="synthesise",
        provenance=_SOURCE,
    )


_CHECKED = (
    Criterion(
        id="says_something",
        text="The report is not empty.",
        weight=0.1,
        kind="hard",
        check=Stops(),
        stage="synthesise",
        veto=True,
        provenance=_SOURCE,
    ),
    _criterion("observed", "Every citation leads to something that was observed.", "research.observed", 0.3),
    _criterion("grounded", "Every statement cites a source.", "research.grounded", 0.3),
    _criterion("unrefuted", "Sources state the numbers of what cites them.", "research.unrefuted", 0.3),
)
_ANSWERS = Criterion(
    id="answers",
    text="The report answers every part of the question, or says what could not be found.",
    weight=0.3,
    kind="principle",
    stage="synthesise",
    provenance=_SOURCE,
)

REPORT_RUBRIC = Rubric(criteria=_CHECKED, scope="answer", threshold=0.9)
"""What code can check of a report."""

JUDGED_REPORT_RUBRIC = Rubric(criteria=(*_CHECKED, _ANSWERS), scope="answer", threshold=0.9)
"""The same, and whether it answers the question, which takes a judge."""
