"""How the prompts of one run grow, so that each message is written down and hashed once.

Prompts of later steps begin with those of earlier ones. Only what is new becomes JSON and part of the key by
which calls are found again; storage and work stay linear in the run.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from langchain_core.messages import BaseMessage

from coreact.host.messages import message_json, starts_with
from coreact.trace.calls import prompt_keys


@dataclass(frozen=True, kw_only=True)
class Growth:
    """A prompt beside that of the step before."""

    step: int
    kept: int
    """How many leading messages the two share."""
    new: Sequence[BaseMessage]
    added: tuple[dict[str, Any], ...]
    """The new messages as plain JSON."""
    keys: Sequence[str]
    """Key of the prompt up to each of them."""
    key: str
    """Key of the whole prompt."""


@dataclass
class Prompts:
    """The prompt of the last recorded step."""

    _messages: list[BaseMessage] = field(default_factory=list)
    _keys: list[str] = field(default_factory=list)
    _next: int = 0

    def follows(self, step: int) -> bool:
        """Whether this is the step after the last recorded one.

        Otherwise it was decided again, or what went before happened elsewhere and is not in memory.
        """
        return step == self._next

    def grow(self, prompt: Sequence[BaseMessage], *, step: int) -> Growth:
        """The prompt of a step beside what is kept; keeps nothing."""
        kept = _common(self._messages, prompt) if self.follows(step) else 0
        before = self._keys[kept - 1] if kept else ""
        added = tuple(message_json(message) for message in prompt[kept:])
        keys = prompt_keys(added, after=before)
        return Growth(
            step=step,
            kept=kept,
            new=prompt[kept:],
            added=added,
            keys=keys,
            key=keys[-1] if keys else before,
        )

    def keep(self, growth: Growth) -> None:
        """Keep a prompt as that of the last recorded step."""
        self._messages[growth.kept :] = growth.new
        self._keys[growth.kept :] = growth.keys
        self._next = growth.step + 1


def _common(known: list[BaseMessage], messages: Sequence[BaseMessage]) -> int:
    if starts_with(messages, known):
        return len(known)
    pairs = enumerate(zip(known, messages, strict=False))
    return next((at for at, (old, new) in pairs if old != new), min(len(known), len(messages)))
