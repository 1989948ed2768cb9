"""One argument's schema, narrowed to what a check lets pass.

The direction is always the same: whatever a narrowed schema lets through, the check does not refuse. The
other way it may be stricter than the check, which folds case and accents and looks for words anywhere: a
pattern asks for a term as the criterion writes it, within a text of bounded length. Where even the one
direction cannot be had (free text that must be new, a pattern that means different things to RE2 and to a
decoder) there is no narrowing, but a reason.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from itertools import permutations
from typing import Any, NamedTuple

from coreact.errors import ToolSchemaError
from coreact.generate.constraining.portable import portable
from coreact.rubric import (
    Action,
    ArgumentContains,
    ArgumentEquals,
    ArgumentInRange,
    ArgumentMatches,
    Criterion,
    State,
    ToolCall,
    ToolContract,
    UrlSeenUnvisited,
)
from coreact.rubric.checks import schema_problem
from coreact.rubric.checks.arguments import ArgumentCheck
from coreact.rubric.words import fold

MAX_VALUES = 100
"""Most values of an enumeration that a schema is narrowed to."""

_AROUND = 40  # most characters before and after what a pattern asks for
_ORDERED = 3  # most terms that are asked for together: each order is a branch
# What every decoder can write inside of a JSON string as it stands.
_CHAR = r'[^"\\\x00-\x1F]'
_SPECIAL = frozenset(r"\.^$*+?{}[]|()")
_KEPT = ("title", "description")
_KINDS = {str: "string", bool: "boolean", int: "integer", float: "number"}


class Narrowed(NamedTuple):
    """What becomes of an argument."""

    schema: dict[str, Any] | None = None
    """Its schema from now on; None: it has no value that the check lets pass."""
    reason: str = ""
    """Why it cannot be narrowed; empty: it was."""


def narrowed(
    criterion: Criterion, check: ArgumentCheck, schema: Any, tool: ToolContract, state: State
) -> Narrowed:
    """Narrow one argument's schema to what the criterion's check does not refuse.

    Args:
        criterion: whose polarity counts.
        check: its check, on this argument.
        schema: the argument's schema so far.
        tool: the tool, whose schema holds this one.
        state: the state of the decision.
    """
    if not isinstance(schema, Mapping):
        return Narrowed(reason="the schema says nothing about the argument")
    values = _values(schema)
    if values is None and criterion.polarity == "require":
        values = _demanded(check, state)
    if values is not None:
        fitting = [value for value in values if _fits(value, schema, tool)]
        passing = [value for value in fitting if _passes(criterion, check, value, tool, state)]
        if len(passing) > MAX_VALUES:
            return Narrowed(reason=f"more than {MAX_VALUES} values pass")
        return Narrowed(_listing(passing, schema) if passing else None)
    if criterion.polarity == "forbid":
        return Narrowed(reason="decoders cannot be held to what a free value is not")
    match check:
        case ArgumentInRange():
            return _in_range(check, schema)
        case ArgumentContains():
            return _matching(_containing(check), schema)
        case ArgumentMatches():
            return _matching(portable(check.pattern, char=_CHAR, around=_AROUND), schema)
        case _:
            return Narrowed(reason=f"a free value cannot be held to {check.stored_kind()}")


# --- values that can be listed --------------------------------------------------------------------


def _values(schema: Mapping[str, Any]) -> list[Any] | None:
    """All values of an argument, where its schema lists them."""
    if "const" in schema:
        return [schema["const"]]
    if isinstance(schema.get("enum"), list):
        return list(schema["enum"])
    if schema.get("type") == "boolean":
        return [True, False]
    if schema.get("type") == "null":
        return [None]
    branches = [_values(branch) for branch in _branches(schema)] if len(_branches(schema)) > 1 else [None]
    return None if None in branches else [value for branch in branches for value in branch or ()]


def _listing(values: Sequence[Any], schema: Mapping[str, Any]) -> dict[str, Any]:
    kinds = {_KINDS.get(type(value)) for value in values}
    kind = {} if len(kinds) > 1 or None in kinds else {"type": kinds.pop()}
    return {**_annotations(schema), **kind, "enum": list(values)}


def _demanded(check: ArgumentCheck, state: State) -> list[Any] | None:
    match check:
        case ArgumentEquals(value=value):
            return [value]
        case UrlSeenUnvisited():
            return sorted(state.urls_seen - state.urls_visited)
        case _:
            return None


def _fits(value: Any, schema: Mapping[str, Any], tool: ToolContract) -> bool:
    root = {key: part for key, part in tool.parameters.items() if key in ("$defs", "definitions", "$schema")}
    alone = {**root, "type": "object", "properties": {"value": dict(schema)}}
    try:
        return schema_problem(ToolContract(name=tool.name, parameters=alone), {"value": value}) is None
    except ToolSchemaError:
        return False


def _passes(criterion: Criterion, check: ArgumentCheck, value: Any, tool: ToolContract, state: State) -> bool:
    for part in reversed(check.argument.split(".")):
        value = {part: value}
    found = check.evaluate(Action(call=ToolCall(name=tool.name, arguments=value)), state).status
    return found != ("unmet" if criterion.polarity == "require" else "met")


# --- numbers and texts ----------------------------------------------------------------------------


def _in_range(check: ArgumentInRange, schema: Mapping[str, Any]) -> Narrowed:
    branches = _branches(schema)
    numbers = [branch for branch in branches if branch.get("type") in ("integer", "number")]
    if not numbers or any("type" not in branch or "$ref" in branch for branch in branches):
        return Narrowed(reason="the argument is not said to be a number")
    if len(numbers) > 1 or set(numbers[0]) - {"type", "minimum", "maximum", "default", *_KEPT}:
        return Narrowed(reason="the argument's schema is more than a range of numbers")
    number = dict(numbers[0])
    whole = number["type"] == "integer"
    low = max((bound for bound in (check.minimum, number.get("minimum")) if bound is not None), default=None)
    high = min((bound for bound in (check.maximum, number.get("maximum")) if bound is not None), default=None)
    if low is not None:
        number["minimum"] = math.ceil(low) if whole else low
    if high is not None:
        number["maximum"] = math.floor(high) if whole else high
    number.pop("default", None)
    if low is not None and high is not None and number["minimum"] > number["maximum"]:
        return Narrowed(None)
    return Narrowed(_annotations(schema) | number)


def _matching(pattern: str | None, schema: Mapping[str, Any]) -> Narrowed:
    if pattern is None:
        return Narrowed(reason="the condition has no pattern that means the same to every decoder")
    branches = _branches(schema)
    texts = [branch for branch in branches if branch.get("type") == "string"]
    plain = [branch for branch in branches if branch.get("type") in ("integer", "number", "boolean", "null")]
    if len(texts) != 1 or len(texts) + len(plain) < len(branches):
        return Narrowed(reason="the argument is not said to be a text")
    if set(texts[0]) - {"type", "default", *_KEPT}:
        return Narrowed(reason="the argument's schema asks for more than a text")
    return Narrowed({**_annotations(schema), "type": "string", "pattern": pattern})


def _containing(check: ArgumentContains) -> str | None:
    terms = [" ".join(term.split()) for term in check.terms]
    wanted = min(check.at_least, len(terms))
    if any(not fold(term) or set('"\\') & set(term) or not term.isprintable() for term in terms):
        return None
    if wanted > 1 and len(terms) > _ORDERED:
        return None
    gap = f" (?:{_CHAR}{{0,{_AROUND}}} )?"
    orders = permutations(map(_literal, terms), wanted)
    branches = "|".join(gap.join(order) for order in orders)
    return f"^(?:{_CHAR}{{0,{_AROUND}}} )?(?:{branches})(?: {_CHAR}{{0,{_AROUND}}})?$"


def _literal(text: str) -> str:
    return "".join(f"\\{char}" if char in _SPECIAL else char for char in text)


def _branches(schema: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    """The alternatives of a schema: those it lists, or one for each type."""
    for key in ("anyOf", "oneOf"):
        if isinstance(schema.get(key), list):
            return [branch if isinstance(branch, Mapping) else {} for branch in schema[key]]
    kinds = schema.get("type")
    if isinstance(kinds, list):
        return [{**schema, "type": kind} for kind in kinds]
    return [schema]


def _annotations(schema: Mapping[str, Any]) -> dict[str, Any]:
    return {key: json.loads(json.dumps(schema[key])) for key in _KEPT if key in schema}
