"""TRL prompt-completion rows: what the agent did in a step that passed; one row a step.

Read by `trl.SFTTrainer` (TRL 1.16), which computes the loss on the completion only. With the rubric kept a
model learns to act by rubrics; stripped, it learns to act as if it had been told.
"""

from __future__ import annotations

from collections.abc import Iterator

from coreact.trace.export.decisions import Run
from coreact.trace.export.demonstrations import demonstrations
from coreact.trace.export.rows import SOURCE, Columns, Format, Left, Row

COLUMNS: Columns = {
    "prompt": "messages",
    "completion": "messages",
    "tools": "text",
    "score": "number",
    "rubric_sha": "text",
    **SOURCE,
}


def rows(run: Run) -> Iterator[Row | Left]:
    """The selected attempts of a run that may be shown as an example."""
    for found in demonstrations(run):
        if isinstance(found, Left):
            yield found
            continue
        decision, chosen = found
        lock = None if chosen.label.rubric is None else chosen.label.rubric.lock
        yield Row(
            {
                "prompt": decision.prompt(chosen),
                "completion": [chosen.message],
                "tools": decision.tools,
                "score": chosen.label.score,
                "rubric_sha": lock,
                **run.source(decision.step.index),
            },
            decision.row_key(chosen),
            chosen.label.evaluators,
            lock,
        )


FORMAT = Format(name="sft", about="steps that passed, for TRL's SFTTrainer", rows=rows, columns=COLUMNS)
