"""Which split a task belongs to: by its own hash, so that more runs move nothing.

All steps of all runs of one task lie in one split. Split by step or by run, and a test set holds prompts
whose beginnings were trained on. So do the turns of one conversation: the later prompts hold the earlier
turns, so a conversation goes by its first question.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

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
    begun = trajectory.steps[0].prompt_added if trajectory.steps else ()
    return next(users_said(begun), trajectory.run.question)


def users_said(messages: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """What the user says in stored messages, in order, without what a middleware put there.

    Raises:
        MessagesError: a message is none.
    """
    for stored in messages:
        message = chat_message(stored)
        if message["role"] != "user" or SOURCE_KEY in (stored["data"].get("additional_kwargs") or {}):
            continue
        content = message["content"]
        yield content if isinstance(content, str) else json_text(content)


def split_of(task: str, splits: Sequence[tuple[str, float]], seed: int = 0) -> str:
    """The name of the split.

    Tasks that differ in case or blanks only are one task.

    Args:
        task: the question of a run.
        splits: names and shares, which add up to 1.
        seed: another one deals the tasks anew.
    """
    drawn = hashlib.sha256(f"{seed}\n{folded(task)}".encode("utf-8", "surrogatepass")).digest()
    at = int.from_bytes(drawn[: _BITS // 8], "big") / 2**_BITS
    upper = 0.0
    for name, share in splits:
        upper += share
        if at < upper:
            return name
    return splits[-1][0]


def folded(task: str) -> str:
    """A task as it is compared with others: without case and blanks."""
    return " ".join(task.casefold().split())
