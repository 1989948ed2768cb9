"""Attributes with dots and numbers in their names, made lists and objects again.

OpenTelemetry's attributes are flat, so several conventions write `llm.input_messages.0.message.role`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

_MOST_DEPTH = 32


def flattened(attributes: Mapping[str, Any]) -> dict[str, Any]:
    """Every value under its whole name with dots; lists of plain values stay lists."""
    return dict(_leaves(attributes, "", 0))


def numbered(attributes: Mapping[str, Any], name: str) -> list[Any]:
    """The list that stands under a name.

    Args:
        attributes: of a span, flat.
        name: with dots, such as `llm.input_messages`. What stands under it deeper than 32 parts stays flat.
    """
    found: dict[str, Any] = {}
    front = f"{name}."
    for key, value in attributes.items():
        if key.startswith(front):
            at, rest = found, key[len(front) :].split(".", _MOST_DEPTH)
            for part in rest[:-1]:
                inner = at.setdefault(part, {})
                if not isinstance(inner, dict):
                    break
                at = inner
            else:
                at[rest[-1]] = value
    made = _lists(found)
    return made if isinstance(made, list) else []


def _leaves(value: Any, path: str, depth: int) -> Iterator[tuple[str, Any]]:
    if depth < _MOST_DEPTH and isinstance(value, dict) and value:
        for key, inner in value.items():
            yield from _leaves(inner, f"{path}.{key}" if path else str(key), depth + 1)
    elif depth < _MOST_DEPTH and isinstance(value, list) and value and isinstance(value[0], dict):
        for number, inner in enumerate(value):
            yield from _leaves(inner, f"{path}.{number}", depth + 1)
    else:
        yield path, value


def _lists(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    inside = {key: _lists(inner) for key, inner in value.items()}
    if inside and all(key.isdecimal() and len(key) < 9 for key in inside):
        return [inside[key] for key in sorted(inside, key=int)]
    return inside
