"""Runs with one reward a turn, in the shape of prime-rl's `turn_rewards`; one row a run.

prime-rl's turn credit reads `trace.info["turn_rewards"]`: a number or null for each assistant turn, null
where a turn was not scored. Around it stands what of a verifiers trace (0.4) a record has: its message
nodes, each with its parent, and which of them were sampled. It is a reconstruction from the sources of both
projects: nothing that reads it was run, and token ids, which training needs, are not in a record.
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


def rows(run: Run) -> Iterator[Row | Left]:
    """The run, if any of its turns has a score."""
    rewards: list[float | None] = []
    labels = []
    for decision in run.decisions:
        chosen = decision.chosen
        masked = "nothing_selected" if chosen is None else chosen.label.masked
        if masked is not None:
            yield Left(masked)
        if chosen is not None:
            rewards.append(chosen.label.score)
            labels.append(chosen.label)
    if not any(reward is not None for reward in rewards):
        return
    last = run.decisions[-1]
    conversation = [*last.history, *([] if last.chosen is None else [last.chosen.message])]
    sampled = [at for at, message in enumerate(conversation) if message["role"] == "assistant"][
        -len(rewards) :
    ]
    if len(sampled) != len(rewards):
        yield Left("history_was_rewritten", len(rewards))
        return
    end = run.trajectory.end
    row = {
        "id": run.id,
        "task": run.trajectory.run.question,
        "nodes": [
            {"parent": at - 1 if at else None, "message": _flat(message), "sampled": at in sampled}
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
