"""Scores that another tool gave, made judgements where they say the same thing.

A foreign score is one criterion with one verdict. It maps where it is a truth value, or a number from 0 to 1
(higher is better, as the platforms take it), and where it is about a decision with one action or about a
whole run. Every other one (free scales, labels without a number, aggregates) is counted and left out, for
turning it into a verdict would be a guess.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from coreact.judge import Judgement, Status, Verdict
from coreact.rubric import Criterion, Provenance, Rubric
from coreact.rubric.rubric import MAX_CRITERION_CHARS
from coreact.trace.importing.reading import LeftOut
from coreact.trace.importing.turns import stable_id
from coreact.trace.records import Evaluator, EvaluatorKind, JudgementRecord

_KINDS: Mapping[str, EvaluatorKind] = {
    "human": "human",
    "annotation": "human",
    "app": "human",
    "llm": "model",
    "llm_judge": "model",
    "model": "model",
    "code": "code",
    "deterministic": "code",
    "api": "code",
    "auto_eval": "model",
}
_LABELS: Mapping[str, float] = {"pass": 1.0, "passed": 1.0, "fail": 0.0, "failed": 0.0}


@dataclass(frozen=True, kw_only=True)
class Score:
    """One score of another tool."""

    id: str = ""
    """The other tool's own id; empty where it has none."""
    target: str
    """Id of the span or run that it is about."""
    name: str
    value: Any = None
    """A number or a truth value."""
    label: str = ""
    why: str = ""
    kind: str = ""
    """Who judged, in the other tool's word."""
    by: str = ""
    """Its name, where there is one."""
    version: str = ""
    at_ns: int = 0
    where: str = ""


@dataclass(frozen=True, kw_only=True)
class Place:
    """What a foreign id stands for in the imported runs."""

    run: str
    step: int | None = None
    actions: int = 0


def judgements_of(
    scores: Iterable[Score], places: Mapping[str, Place], origin: str, left_out: list[LeftOut]
) -> dict[str, list[JudgementRecord]]:
    """The judgements of each run.

    Args:
        scores: as they were read.
        places: what the ids stand for.
        origin: the format, for the criteria's provenance.
        left_out: takes the scores that do not map.
    """
    found: dict[str, list[JudgementRecord]] = {}
    told: Counter[tuple[str, ...]] = Counter()
    for score in sorted(scores, key=lambda one: one.at_ns):
        place = places.get(score.target)
        value = _unit(score)
        kind = _KINDS.get(score.kind.lower())
        if place is None:
            why = f"it is about {score.target or 'nothing'}, which is no imported decision or run"
        elif value is None:
            why = "its value is neither a truth value nor a number from 0 to 1"
        elif kind is None:
            why = f"it does not say whether a human, a model or code judged ({score.kind or 'nothing'})"
        elif place.step is not None and place.actions != 1:
            why = f"it is about a decision with {place.actions} actions"
        else:
            said: tuple[str, ...] = (
                place.run,
                score.id,
                score.target,
                score.name,
                kind,
                score.by,
                repr(value),
            )
            said = (*said, score.version, score.label, score.why)
            told[said] += 1
            if told[said] == 1 or not score.id:
                ident = stable_id(origin, "score", *said, str(told[said]))
                found.setdefault(place.run, []).append(_judgement(ident, score, place, value, kind, origin))
                continue
            why = f"the same score, {score.id}, stands in the file before"
        left_out.append(LeftOut(score.where, f"score {score.name!r}: {why}"))
    return found


def _unit(score: Score) -> float | None:
    value = score.value
    if isinstance(value, bool):
        return float(value)
    if isinstance(value, int | float):
        return float(value) if math.isfinite(value) and 0 <= value <= 1 else None
    return _LABELS.get(score.label.lower()) if value is None else None


def _judgement(
    ident: str, score: Score, place: Place, value: float, kind: EvaluatorKind, origin: str
) -> JudgementRecord:
    status: Status = "met" if value == 1 else "unmet" if value == 0 else "partial"
    by = score.by or score.name
    criterion = Criterion(
        id=score.name,
        text=score.name.strip()[:MAX_CRITERION_CHARS] or "score",
        visibility="judge_only",
        provenance=Provenance(source=origin),
    )
    rubric = Rubric(criteria=(criterion,), scope="trajectory" if place.step is None else "step")
    verdict = Verdict(criterion=criterion.id, reason=score.why, status=status, decided_by=by)
    return JudgementRecord(
        id=ident,
        run=place.run,
        step=place.step,
        attempt=None if place.step is None else 0,
        action=None if place.step is None else 0,
        rubric=rubric,
        judgement=Judgement(
            rubric=rubric.lock,
            verdicts=(verdict,),
            score=value,
            # A foreign score says nothing of where passing begins.
            passed={"met": True, "unmet": False}.get(status),
            judged=1,
            total=1,
        ),
        evaluator=Evaluator(name=by, version=score.version, kind=kind),
        note=score.label,
        at_ns=score.at_ns,
    )
