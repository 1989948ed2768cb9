"""OpenAI preference rows: `input`, `preferred_output`, `non_preferred_output`; one row a pair of attempts."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from coreact.trace.export.decisions import Run
from coreact.trace.export.labels import evaluators_of
from coreact.trace.export.messages import without_thoughts
from coreact.trace.export.pairs import pairs
from coreact.trace.export.rows import Format, Left, Row


def rows(run: Run) -> Iterator[Row | Left]:
    """The pairs of every step of a run."""
    for decision in run.decisions:
        for found in pairs(decision, margin=run.settings.margin):
            if isinstance(found, Left):
                yield found
                continue
            chosen, rejected, _ = found
            asked: dict[str, Any] = {"messages": [without_thoughts(one) for one in decision.prompt(chosen)]}
            if tools := json.loads(decision.tools):
                asked |= {"tools": tools, "parallel_tool_calls": True}
            yield Row(
                {
                    "input": asked,
                    "preferred_output": [without_thoughts(chosen.message)],
                    "non_preferred_output": [without_thoughts(rejected.message)],
                },
                decision.row_key(chosen, rejected),
                evaluators_of((chosen.label, rejected.label)),
                None if chosen.label.rubric is None else chosen.label.rubric.lock,
            )


FORMAT = Format(
    name="openai-preference",
    about="preference pairs of the same step, for OpenAI's preference fine-tuning",
    rows=rows,
    arguments="string",
)
