"""The door through which every criterion that a model wrote comes in.

Nothing about a proposed criterion is trusted: its weight may be no number, its tool may not exist, its
text may try to give the agent orders that go past the step. Each is repaired, dropped or let in, and
every deed is a remark with its reason; what comes out is fit to guide and to be judged by, which is not
to say that it helps (that is the gate's question). A model may never set a veto: it is asked for advice,
and a wrong veto would stop an agent whatever else is right.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from typing import Any, Literal, NamedTuple

from pydantic import TypeAdapter, ValidationError

from coreact.rubric import Criterion, CriterionKind, Polarity, Provenance, State
from coreact.rubric.checks import ArgumentContains, Check
from coreact.rubric.checks.base import shown
from coreact.rubric.lint import MAX_CHECK_PARTS, SERIOUS, LintFinding, lint, parts_of
from coreact.rubric.remarks import Problem, Remark
from coreact.rubric.rubric import MAX_CRITERION_CHARS

MOST = 5
"""Criteria of one step that an agent can heed (Co-ReAct asks for three to five)."""

LIGHTEST, HEAVIEST = 1e-6, 1e6
"""Weights that are let in: beyond them one criterion is all of a rubric, and sums are no numbers."""

MOST_TERMS = 8
"""Terms of a check: all of them stand in what the agent is told."""

MAX_TERM_CHARS = 200
"""Longest text in a check, wherever it stands."""

_READ = 50  # proposals that are looked at; the rest is counted and left
_DROPPED: frozenset[Problem] = SERIOUS | {"duplicate"}
_CHECK: TypeAdapter[Check] = TypeAdapter(Check)


class Proposed(NamedTuple):
    """A criterion as a model wrote it."""

    text: str
    weight: float | None = None
    """None: like the others."""
    check: Mapping[str, Any] | Check | None = None
    kind: CriterionKind = "principle"
    polarity: Polarity = "require"
    stage: str | None = None
    visibility: Literal["policy", "judge_only"] = "policy"
    evidence: tuple[str, ...] = ()
    """Ids of facts or messages that it rests on."""
    parent: str | None = None
    """Id of the criterion that it was made from."""


class Admitted(NamedTuple):
    """The criteria that were let in, and what was done to the others."""

    criteria: tuple[Criterion, ...]
    remarks: tuple[Remark, ...]


def admitted(
    proposals: Sequence[Proposed],
    *,
    source: str,
    state: State | None = None,
    secrets: Sequence[str] = (),
    most: int = MOST,
) -> Admitted:
    """Let in what is fit to guide. Never raises on data.

    Args:
        proposals: criteria as written, most important first.
        source: who wrote them, for their provenance.
        state: the state they are about; without it tools and addresses are not looked up.
        secrets: texts that no criterion may hold, such as the gold answer.
        most: criteria to let in; the surplus is dropped.
    """
    remarks: list[Remark] = []
    criteria: list[Criterion] = []
    for proposal in proposals[:_READ]:
        criterion = _criterion(proposal, f"c{len(criteria) + 1}", source, remarks)
        if criterion is None:
            continue
        found = _first(lint((*criteria, criterion), state=state, secrets=secrets), criterion.id)
        if found is not None:
            remarks.append(Remark.about(criterion.text, "dropped", found.reason, found.problem))
        else:
            criteria.append(criterion)
    left = len(proposals) - _READ
    if len(criteria) > most or left > 0:
        surplus = max(0, len(criteria) - most) + max(0, left)
        remarks.append(
            Remark(
                deed="dropped",
                reason=f"{len(proposals)} criteria for one step: {surplus} after the first {most} left out",
                problem="too_many",
            )
        )
    return Admitted(tuple(criteria[:most]), tuple(remarks))


def _first(findings: Iterable[LintFinding], criterion_id: str) -> LintFinding | None:
    mine = (one for one in findings if one.criterion == criterion_id and one.problem in _DROPPED)
    return next(mine, None)


def _criterion(proposal: Proposed, criterion_id: str, source: str, remarks: list[Remark]) -> Criterion | None:
    text = " ".join(str(proposal.text).split())

    def tell(deed: Literal["dropped", "repaired"], reason: str, problem: Problem) -> None:
        remarks.append(Remark.about(text, deed, reason, problem))

    if not text:
        tell("dropped", "it has no text", "empty")
        return None
    if len(text) > MAX_CRITERION_CHARS:
        tell("dropped", f"it is longer than {MAX_CRITERION_CHARS} characters", "over_long")
        return None
    weight = 1.0 if proposal.weight is None else proposal.weight
    if not LIGHTEST <= weight <= HEAVIEST:
        # Not made positive: a negative weight may have meant that the thing is bad.
        told = f"its weight {shown(weight)} is no number from {LIGHTEST:g} to {HEAVIEST:g}"
        tell("dropped", told, "weight")
        return None
    check: Check | None = None
    if proposal.check is not None:
        try:
            check = _CHECK.validate_python(proposal.check)
        except (ValidationError, RecursionError):
            tell("repaired", "its check cannot be read, so that a judge must decide it", "broken_check")
    if check is not None and (reason := _too_much(check)):
        # Not left as prose: the text may say nothing without it.
        tell("dropped", reason, "over_long")
        return None
    try:
        return Criterion(
            id=criterion_id,
            text=text,
            weight=weight,
            kind=proposal.kind,
            polarity=proposal.polarity,
            stage=proposal.stage,
            visibility=proposal.visibility,
            check=check,
            provenance=Provenance(source=source, parent=proposal.parent, evidence=proposal.evidence),
        )
    except ValidationError as error:
        tell("dropped", f"it is no criterion: {error.errors()[0]['msg']}", "unreadable")
        return None


def _too_much(check: Check) -> str | None:
    if isinstance(check, ArgumentContains) and len(check.terms) > MOST_TERMS:
        return f"its check has {len(check.terms)} terms; {MOST_TERMS} are enough"
    parts = islice(parts_of(check), MAX_CHECK_PARTS)  # lint refuses what has more
    if any(len(part) > MAX_TERM_CHARS for part in parts):
        return f"a text in its check is longer than {MAX_TERM_CHARS} characters"
    return None
