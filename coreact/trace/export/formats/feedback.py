"""Feedback rows as openevals writes its results: `key`, `score`, `comment`; one row a verdict.

LangSmith and LangChain's evaluators read this shape (`EvaluatorResult` of openevals 0.2). The key is the
criterion; what cannot be told from it stands in `metadata`. Every row says who decided, so judges may be
mixed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

from coreact.judge import Status, Verdict
from coreact.trace.export.decisions import Candidate, Run
from coreact.trace.export.json_text import json_text
from coreact.trace.export.rows import Format, Left, Row

_SCORES: dict[Status, float] = {"met": 1.0, "partial": 0.5, "unmet": 0.0}


def rows(run: Run) -> Iterator[Row | Left]:
    """The verdicts on every attempt of a run that say something."""
    for decision in run.decisions:
        for candidate in decision.candidates:
            if not candidate.label.verdicts:
                yield Left("not_judged")
            for place, verdict in enumerate(candidate.label.verdicts):
                if verdict.status in _SCORES:
                    yield _row(run, decision.step.index, candidate, place, verdict)
                else:
                    yield Left("instrument" if verdict.fault == "instrument" else verdict.status)


def _row(run: Run, step: int, candidate: Candidate, place: int, verdict: Verdict) -> Row:
    rubric = candidate.label.rubric
    texts = {} if rubric is None else {criterion.id: criterion.text for criterion in rubric}
    data = {
        "key": verdict.criterion,
        "score": _SCORES[verdict.status],
        "comment": verdict.reason,
        "metadata": {
            "criterion": texts.get(verdict.criterion),
            "status": verdict.status,
            "decided_by": verdict.decided_by,
            "evidence": [one.quote for one in verdict.evidence],
            "rubric_sha": None if rubric is None else rubric.lock,
            "step": step,
            "attempt": candidate.at,
            "selected": candidate.attempt.selected,
            "task": run.trajectory.run.question,
        },
        "source_run_id": run.id,
    }
    key = hashlib.sha256(json_text([run.id, step, candidate.at, place]).encode()).digest()[:16]
    return Row(data, key, candidate.label.evaluators, None if rubric is None else rubric.lock)


FORMAT = Format(
    name="feedback",
    about="one verdict a row as key, score and comment, in the shape of openevals",
    rows=rows,
    compares=False,
)
