"""Prompt-only rows with what a reward function needs: one row a step.

Read by `trl.GRPOTrainer` and `trl.RLOOTrainer` (TRL 1.16), which hand every further column to the reward
functions, and by any trainer that samples completions anew. No verdict is in it: the rubric is.
"""

from __future__ import annotations

from collections.abc import Iterator

from coreact.trace.export.decisions import Run
from coreact.trace.export.json_text import json_text
from coreact.trace.export.rows import SOURCE, Format, Left, Row


def rows(run: Run) -> Iterator[Row | Left]:
    """The prompts of a run's steps that had a rubric."""
    for decision in run.decisions:
        rubric = decision.step.rubric
        if rubric is None:
            yield Left("no_rubric")
            continue
        yield Row(
            {
                "prompt": decision.prompt(),
                "tools": decision.tools,
                "rubric": json_text(rubric),
                "rubric_sha": rubric.lock,
                "state_digest": decision.step.state_digest,
                **run.source(decision.step.index),
            },
            decision.row_key(),
            rubric=rubric.lock,
        )


FORMAT = Format(
    name="grpo",
    about="prompts with their rubrics as columns for reward functions, for TRL's GRPOTrainer",
    rows=rows,
    columns={
        "prompt": "messages",
        "tools": "text",
        "rubric": "text",
        "rubric_sha": "text",
        "state_digest": "text",
        **SOURCE,
    },
)
