"""verl's RL rows: `data_source`, `prompt`, `ability`, `reward_model`, `extra_info`; one row a step.

Read by verl's `RLHFDataset` (0.9), from Parquet. Rows are prompts to sample from, not trajectories; the
rubric is the ground truth that a reward function scores by. `extra_info.index` differs for every row.
"""

from __future__ import annotations

from collections.abc import Iterator

from coreact.trace.export.decisions import Run
from coreact.trace.export.json_text import json_text
from coreact.trace.export.rows import Format, Left, Row

DATA_SOURCE = "coreact"
"""What verl's reward managers choose a reward function by."""

ABILITY = "agent"


def rows(run: Run) -> Iterator[Row | Left]:
    """The prompts of a run's steps that had a rubric. Runs and steps are numbered together: see `_index`."""
    for decision in run.decisions:
        rubric = decision.step.rubric
        if rubric is None:
            yield Left("no_rubric")
            continue
        written = json_text(rubric)
        yield Row(
            {
                "data_source": DATA_SOURCE,
                "prompt": decision.prompt(),
                "ability": ABILITY,
                "reward_model": {"style": "rule", "ground_truth": written},
                "extra_info": {
                    "split": run.split,
                    "index": _index(run, decision.step.index),
                    "rubric": written,
                    "rubric_sha": rubric.lock,
                    "tools": decision.tools,
                    "need_tools_kwargs": False,
                    **run.source(decision.step.index),
                },
            },
            decision.row_key(),
            rubric=rubric.lock,
        )


def _index(run: Run, step: int) -> int:
    """A number no other row of the export has: runs have far fewer than a million steps."""
    return run.serial * 1_000_000 + step


FORMAT = Format(
    name="verl",
    about="prompts with their rubrics as ground truth, for verl's RLHFDataset",
    rows=rows,
    columns={
        "data_source": "text",
        "prompt": "messages",
        "ability": "text",
        "reward_model": {"style": "text", "ground_truth": "text"},
        "extra_info": {
            "split": "text",
            "index": "integer",
            "rubric": "text",
            "rubric_sha": "text",
            "tools": "text",
            "need_tools_kwargs": "bool",
            "run": "text",
            "step": "integer",
            "task": "text",
        },
    },
    file="parquet",
)
