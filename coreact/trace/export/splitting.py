"""Which split a task belongs to: by its own hash, so that more runs move nothing.

All steps of all runs of one task lie in one split. Split by step or by run, and a test set holds prompts
whose beginnings were trained on. So do the turns of one conversation: the later prompts hold the earlier
turns, so a conversation goes by its first question.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from coreact.host.messages import SOURCE_KEY
from coreact.trace.export.json_text import json_text
from coreact.trace.export.messages import chat_message
from coreact.trace.records import Trajectory

_BITS = 64


def dealt_by(trajectory: Trajectory) -> str:
    """The text that says where a run belongs: what the user first asked in its conversation.

    That is the user's first message in the prompt of the first step, or else the run's question.

    Raises:
        MessagesError: a message is none.
    """
    for stored in trajectory.steps[0].prompt_added if trajectory.steps else ():
        message = chat_message(stored)
        if message["role"] != "user":
            continue
        marked = stored["data"].get("additional_kwargs") or {}
        if SOURCE_KEY not in marked:  # else a middleware put it there
            return (
                message["content"] if isinstance(message["content"], str) else json_text(message["content"])
            )
    return trajectory.run.question


def split_of(task: str, splits: Sequence[tuple[str, float]], seed: int = 0) -> str:
    """The name of the split.

    Tasks that differ in case or blanks only are one task.

    Args:
        task: the question of a run.
        splits: names and shares, which add up to 1.
        seed: another one deals the tasks anew.
    """
    folded = " ".join(task.casefold().split())
    drawn = hashlib.sha256(f"{seed}\n{folded}".encode("utf-8", "surrogatepass")).digest()
    at = int.from_bytes(drawn[: _BITS // 8], "big") / 2**_BITS
    upper = 0.0
    for name, share in splits:
        upper += share
        if at < upper:
            return name
    return splits[-1][0]
