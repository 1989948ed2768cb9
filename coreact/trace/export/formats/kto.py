"""TRL unpaired preference rows: `prompt`, `completion`, `label`; one row an attempt.

Read by `trl.KTOTrainer` (TRL 1.16). The label is the pass of the rubric, and only where it is decided.
"""

from __future__ import annotations

from collections.abc import Iterator

from coreact.trace.export.decisions import Run
from coreact.trace.export.rows import SOURCE, Format, Left, Row


def rows(run: Run) -> Iterator[Row | Left]:
    """Every attempt of every step of a run that passed or failed."""
    for decision in run.decisions:
        for candidate in decision.candidates:
            label = candidate.label
            if label.undecided is not None:
                yield Left(label.undecided)
                continue
            lock = None if label.rubric is None else label.rubric.lock
            yield Row(
                {
                    "prompt": decision.prompt(candidate),
                    "completion": [candidate.message],
                    "label": label.passed,
                    "tools": decision.tools,
                    "score": label.score,
                    "rubric_sha": lock,
                    **run.source(decision.step.index),
                },
                decision.row_key(candidate),
                label.evaluators,
                lock,
                label.passed,
            )


FORMAT = Format(
    name="kto",
    about="single attempts that passed or failed, for TRL's KTOTrainer",
    rows=rows,
    labelled=True,
    columns={
        "prompt": "messages",
        "completion": "messages",
        "label": "bool",
        "tools": "text",
        "score": "number",
        "rubric_sha": "text",
        **SOURCE,
    },
)
