"""Runs with one reward a turn, in the shape of prime-rl's `turn_rewards`; one row a run.

prime-rl's turn credit reads `trace.info["turn_rewards"]`: a number or null for each assistant turn, null
where a turn was not scored. Around it stands what of a verifiers trace (0.4) a record has: its message
nodes, each with its parent, and which of them were sampled: the turns of this run that still stand in its
last conversation as they were proposed. Each of them, and no other, has a place among the rewards. It is a
reconstruction from the sources of both projects: nothing that reads it was run, and token ids, which
training needs, are not in a record.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any

from coreact.trace.export.decisions import Run
from coreact.trace.export.json_text import json_text
from coreact.trace.export.labels import evaluators_of
from coreact.trace.export.messages import Message
from coreact.trace.export.rows import Format, Left, Row
from coreact.trace.export.standing import standing


def rows(run: Run) -> Iterator[Row | Left]:
    """The run, if any of its turns has a score."""
    places = standing(run)
    labels = [places[at].label for at in sorted(places)]
    yield from (Left("nothing_selected") for decision in run.decisions if decision.chosen is None)
    yield from (Left(label.masked) for label in labels if label.masked is not None)
    rewritten = sum(decision.chosen is not None for decision in run.decisions) - len(places)
    if rewritten:
        yield Left("history_was_rewritten", rewritten)
    rewards = [label.score for label in labels]
    if not any(reward is not None for reward in rewards):
        return
    last = run.decisions[-1]
    conversation = [*last.history, *([] if last.chosen is None else [last.chosen.message])]
    end = run.trajectory.end
    row = {
        "id": run.id,
        "task": run.trajectory.run.question,
        "nodes": [
            {"parent": at - 1 if at else None, "message": _flat(message), "sampled": at in places}
            for at, message in enumerate(conversation)
        ],
        "reward": None if end is None else end.score,
        "info": {"turn_rewards": rewards},
    }
    key = hashlib.sha256(json_text([row["nodes"], rewards]).encode()).digest()[:16]
    yield Row(row, key, evaluators_of(labels))


def _flat(message: Message) -> dict[str, Any]:
    """The message with tool calls as verifiers writes them: name and arguments beside the id."""
    if "tool_calls" not in message:
        return message
    calls = [{"id": call["id"], **call["function"]} for call in message["tool_calls"]]
    return {**message, "tool_calls": calls}


FORMAT = Format(
    name="turn-rewards",
    about="runs with one reward a turn, in the shape of prime-rl's turn_rewards",
    rows=rows,
    arguments="string",
)
