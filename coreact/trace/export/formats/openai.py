"""OpenAI fine-tuning rows: `messages` with a `weight` on each assistant message, `tools`; one row a run.

The conversation as it stands in the agent's history: guidance and rejected attempts were never part of it,
so `rubric` makes no difference here. Weight 1 has what may be shown as an example, 0 everything else that
the assistant said, earlier turns included. Where the history was rewritten during the run (a summary took
its place, a person edited a call) the row is that of the last step's prompt, and what no longer stands in it
as it was proposed is not trained.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator

from coreact.trace.export.decisions import Candidate, Run
from coreact.trace.export.demonstrations import refused
from coreact.trace.export.labels import evaluators_of
from coreact.trace.export.messages import without_thoughts
from coreact.trace.export.rows import Format, Left, Row
from coreact.trace.export.standing import standing


def rows(run: Run) -> Iterator[Row | Left]:
    """The conversation of a run."""
    if not run.decisions:
        return
    last = run.decisions[-1]
    places = standing(run)
    shown: dict[int, Candidate] = {}
    for at, candidate in places.items():
        reason = refused(candidate, undecided=run.settings.undecided)
        if reason is None:
            shown[at] = candidate
        else:
            yield Left(reason)
    rewritten = sum(one.chosen is not None for one in run.decisions) - len(places)
    if rewritten:
        yield Left("history_was_rewritten", rewritten)
    conversation = [*last.history, *([] if last.chosen is None else [last.chosen.message])]
    messages = [
        {**without_thoughts(message), "weight": int(at in shown)}
        if message["role"] == "assistant"
        else message
        for at, message in enumerate(conversation)
    ]
    if not shown:
        return
    row = {"messages": messages, "tools": json.loads(last.tools), "parallel_tool_calls": True}
    if not row["tools"]:
        del row["tools"], row["parallel_tool_calls"]
    key = hashlib.sha256(last.key + last.row_key(*([] if last.chosen is None else [last.chosen])))
    yield Row(row, key.digest()[:16], evaluators_of(one.label for one in shown.values()))


FORMAT = Format(
    name="openai",
    about="conversations with a weight on each assistant message, for OpenAI's fine-tuning",
    rows=rows,
    arguments="string",
)
