"""TRL preference rows: `prompt`, `chosen`, `rejected`, `tools`; one row a pair of attempts.

Read by `trl.DPOTrainer` and `trl.RewardTrainer` (TRL 1.16).
"""

from __future__ import annotations

from collections.abc import Iterator

from coreact.trace.export.decisions import Run
from coreact.trace.export.labels import evaluators_of
from coreact.trace.export.pairs import pairs
from coreact.trace.export.rows import SOURCE, Format, Left, Row


def rows(run: Run) -> Iterator[Row | Left]:
    """The pairs of every step of a run."""
    for decision in run.decisions:
        for found in pairs(decision, margin=run.settings.margin):
            if isinstance(found, Left):
                yield found
                continue
            chosen, rejected, margin = found
            lock = None if chosen.label.rubric is None else chosen.label.rubric.lock
            yield Row(
                {
                    "prompt": decision.prompt(chosen),
                    "chosen": [chosen.message],
                    "rejected": [rejected.message],
                    "tools": decision.tools,
                    "score_chosen": chosen.label.score,
                    "score_rejected": rejected.label.score,
                    "margin": margin,
                    "rubric_sha": lock,
                    "same_prompt": chosen.attempt.feedback == rejected.attempt.feedback,
                    "rejected_by": rejected.attempt.rejected_by,
                    "reason": rejected.attempt.reason,
                    **run.source(decision.step.index),
                },
                decision.row_key(chosen, rejected),
                evaluators_of((chosen.label, rejected.label)),
                lock,
            )


FORMAT = Format(
    name="dpo",
    about="preference pairs of the same step, for TRL's DPOTrainer and RewardTrainer",
    rows=rows,
    columns={
        "prompt": "messages",
        "chosen": "messages",
        "rejected": "messages",
        "tools": "text",
        "score_chosen": "number",
        "score_rejected": "number",
        "margin": "number",
        "rubric_sha": "text",
        "same_prompt": "bool",
        "rejected_by": "text",
        "reason": "text",
        **SOURCE,
    },
)
