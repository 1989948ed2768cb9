"""The public keys of ours in a graph's state, how they are read, and where they must not go."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from langgraph.types import Command

STATUS_KEY = "coreact"
"""State key of the guidance of each decision."""

ANSWER_CHECK_KEY = "answer_check"
"""State key of the check of the final answer."""

_OURS = frozenset({STATUS_KEY, ANSWER_CHECK_KEY})


def value_of(state: Any, key: str) -> Any:
    """What stands under a key of a graph's state, whatever kind of object that state is, or None."""
    return state.get(key) if isinstance(state, Mapping) else getattr(state, key, None)


def without_status(result: Any) -> Any:
    """A tool's result without our keys, which an agent behind the tool hands up with its state.

    A subagent that is guided or checked as well returns its own status; it must not replace the
    caller's, and two of them at once would conflict.
    """
    if isinstance(result, list):
        return [without_status(part) for part in result]
    if (
        isinstance(result, Command)
        and result.graph is None
        and isinstance(result.update, Mapping)
        and not _OURS.isdisjoint(result.update)
    ):
        kept = {key: value for key, value in result.update.items() if key not in _OURS}
        return replace(result, update=kept)
    return result
