"""Stepwise-supervision rows: `prompt`, `completions`, `labels`; one row a run.

The shape of Math-Shepherd and PRM800K readers, and of TRL up to 1.13: TRL 1.16 has no trainer for it any
more. A completion is what the agent did in a step, after what it had observed before; its label is whether
the step passed. A row ends before the first step without a label, because such readers know none.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator

from coreact.rubric import Action
from coreact.trace.export.decisions import Run
from coreact.trace.export.labels import evaluators_of
from coreact.trace.export.rows import Format, Left, Row
from coreact.trace.records import ObservationRecord


def rows(run: Run) -> Iterator[Row | Left]:
    """The labelled beginning of a run."""
    completions: list[str] = []
    labels, used, reason = [], [], None
    seen: tuple[ObservationRecord, ...] = ()
    for decision in run.decisions:
        chosen = decision.chosen
        reason = "nothing_selected" if chosen is None else chosen.label.undecided
        if chosen is None or reason is not None:
            break
        told = [f"Observation: {observation.text}" for observation in seen]
        completions.append("\n".join([*told, *map(_act, chosen.attempt.actions)]))
        labels.append(chosen.label.passed)
        used.append(chosen.label)
        seen = run.trajectory.observed(decision.step.index)
    if reason is not None:
        yield Left(reason)
        behind = len(run.decisions) - len(completions) - 1
        if behind:
            yield Left("after_a_step_without_label", behind)
    if completions:
        row = {
            "prompt": run.trajectory.run.question,
            "completions": completions,
            "labels": labels,
            "run": run.id,
            "task": run.trajectory.run.question,
        }
        text = json.dumps([row["prompt"], completions], ensure_ascii=True)
        yield Row(row, hashlib.sha256(text.encode()).digest()[:16], evaluators_of(used), label=labels)


def _act(action: Action) -> str:
    if action.call is None:
        return f"Answer: {action.answer}"
    return f"{action.call.name} {json.dumps(action.call.arguments, ensure_ascii=False)}"


FORMAT = Format(
    name="prm",
    about="runs with a label for each step, for readers of Math-Shepherd and PRM800K",
    rows=rows,
    labelled=True,
    columns={"prompt": "text", "completions": "texts", "labels": "bools", "run": "text", "task": "text"},
)
