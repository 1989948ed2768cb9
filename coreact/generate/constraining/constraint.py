"""Which calls a decoder may be held to: the hard executable criteria of a rubric, as tool schemas.

A soft criterion is advice and never constrains; a criterion whose text the agent must not see does not
either, since a schema shows what it asks for. Contradictory criteria give no constraint but a reason: a
request that nothing can satisfy would end the run.

The promise: of a call that fits the constraint, no enforced criterion is unmet. Arguments that a tool's
schema does not name are no part of a call that fits. An answer is not constrained beyond being one.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any, NamedTuple

from pydantic import Field

from coreact.generate.constraining.narrowing import narrowed
from coreact.rubric import (
    Action,
    ArgumentEquals,
    Criterion,
    DoesNotStop,
    NotRepeat,
    Rubric,
    State,
    Stops,
    ToolCall,
    ToolIs,
    ToolIsNot,
    UrlSeenUnvisited,
)
from coreact.rubric.checks.arguments import ArgumentCheck
from coreact.rubric.state import Record

_MANIFOLD = frozenset({"anyOf", "oneOf", "allOf", "$ref", "patternProperties"})


class Constraint(Record):
    """What the next action may be."""

    tool_choice: str | None = None
    """A tool's name: this tool; `required`: some tool; `none`: the answer; None: either."""
    tools: dict[str, dict[str, Any]] = Field(default_factory=dict)
    """The tools that may be called, and the JSON schema of the arguments of each."""
    criteria: tuple[str, ...]
    """Ids of the criteria that are enforced; at least one."""
    excluded: dict[str, str] = Field(default_factory=dict)
    """Ids of the hard criteria that are not, and why: their checks decide afterwards, as ever."""


class Constrained(NamedTuple):
    """A constraint, or why there is none."""

    constraint: Constraint | None
    reason: str = ""


def constraint(rubric: Rubric, state: State) -> Constrained:
    """What the hard executable criteria of a rubric leave of the next action. Pure.

    Args:
        rubric: criteria of kind `hard` or with a veto, with a check, constrain; others do not.
        state: the state of the decision: its tools, the addresses and calls so far.
    """
    hard = [one for one in rubric if (one.kind == "hard" or one.veto) and one.check is not None]
    compiling = _Compiling(state)
    for criterion in sorted(hard, key=_order):
        compiling.add(criterion)
    return compiling.result()


def _order(criterion: Criterion) -> int:
    """Which tool first, then values that can be listed, then patterns."""
    if isinstance(criterion.check, ToolIs | ToolIsNot | Stops | DoesNotStop):
        return 0
    if isinstance(criterion.check, ArgumentEquals | UrlSeenUnvisited):
        return 1
    return 3 if isinstance(criterion.check, NotRepeat) else 2


class _Compiling:
    """What is left while one criterion after the other is applied."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._tools = {tool.name: tool for tool in state.tools}
        self._parameters = {tool.name: _closed(tool.parameters) for tool in state.tools}
        self._may_answer, self._may_call = True, True
        self._enforced: list[str] = []
        self._excluded: dict[str, str] = {}

    def add(self, criterion: Criterion) -> None:
        """Apply a criterion, or note why not."""
        reason = self._unfit(criterion) or self._apply(criterion)
        if reason:
            self._excluded[criterion.id] = reason
        else:
            self._enforced.append(criterion.id)

    def result(self) -> Constrained:
        """The constraint, where it leaves something."""
        if not self._enforced:
            told = "; ".join(f"{name}: {why}" for name, why in self._excluded.items())
            return Constrained(None, f"no hard criterion can be enforced{f' ({told})' if told else ''}")
        if not self._may_call and not self._may_answer:
            return Constrained(
                None, "the hard criteria contradict each other: neither call nor answer is left"
            )
        if self._may_call and not self._parameters:
            return Constrained(None, "the hard criteria leave no tool that could be called")
        choice = None if self._may_answer else "required"
        if not self._may_call:
            choice = "none"
        elif choice is not None and len(self._parameters) == 1:
            choice = next(iter(self._parameters))
        return Constrained(
            Constraint(
                tool_choice=choice,
                tools=self._parameters if self._may_call else {},
                criteria=tuple(self._enforced),
                excluded=self._excluded,
            )
        )

    def _unfit(self, criterion: Criterion) -> str:
        if criterion.depends_on:
            return "it applies only where another criterion is met"
        if criterion.visibility == "judge_only":
            return "the agent must not see what it asks for"
        return ""

    def _apply(self, criterion: Criterion) -> str:
        forbidden = criterion.polarity == "forbid"
        match criterion.check:
            case ToolIs(tools=names) | ToolIsNot(tools=names):
                called = isinstance(criterion.check, ToolIs) != forbidden
                self._leave({name for name in self._parameters if (name in names) == called})
                self._may_answer &= not called
            case Stops() | DoesNotStop():
                answers = isinstance(criterion.check, Stops) != forbidden
                self._may_call &= answers is False
                self._may_answer &= answers is True
            case ArgumentCheck() as check if check.argument:
                return self._narrow(criterion, check)
            case NotRepeat():
                return (
                    "forbidden, it would ask for a repetition"
                    if forbidden
                    else self._without_repeats(criterion)
                )
            case check:
                return f"a decoder cannot be held to {getattr(check, 'kind', 'it')}"
        return ""

    def _leave(self, names: set[str]) -> None:
        self._parameters = {name: schema for name, schema in self._parameters.items() if name in names}

    def _narrow(self, criterion: Criterion, check: ArgumentCheck) -> str:
        after: dict[str, dict[str, Any] | None] = {}
        for name, parameters in self._parameters.items():
            holder, last = _holder(parameters, check.argument), check.argument.split(".")[-1]
            if holder is None:
                return f"the schema of `{name}` does not say what `{check.argument}` is"
            if not holder:
                continue
            found = narrowed(criterion, check, holder["properties"][last], self._tools[name], self._state)
            if found.reason:
                return found.reason
            if found.schema is None and "." in check.argument:
                return f"`{check.argument}` has no value that is let through"
            after[name] = _replaced(parameters, check.argument, found.schema)
        if not after:
            return f"no tool that may be called has an argument `{check.argument}`"
        self._parameters = {
            name: schema
            for name in self._parameters
            if (schema := after.get(name, self._parameters[name])) is not None
        }
        return ""

    def _without_repeats(self, criterion: Criterion) -> str:
        """Leave out values that repeat a call, where every tool has at most one argument and it is listed."""
        after: dict[str, dict[str, Any] | None] = {}
        for name, parameters in self._parameters.items():
            properties = parameters.get("properties", {})
            if len(properties) > 1:
                return f"`{name}` has several arguments, of which some may change"
            required = list(parameters.get("required", ()))
            kept = copy.deepcopy(parameters)
            for argument, schema in properties.items():
                values = schema.get("enum") if isinstance(schema, Mapping) else None
                if not isinstance(values, list):
                    return f"`{argument}` of `{name}` is free: which values are new cannot be listed"
                new = [value for value in values if self._is_new(criterion, name, {argument: value})]
                kept["properties"][argument] = {**schema, "enum": new}
                if not new:
                    del kept["properties"][argument]
                    kept = kept if argument not in required else {}
            bare = not required and self._is_new(criterion, name, {})
            if not bare and kept.get("properties"):
                kept["required"] = list(kept["properties"])
            after[name] = kept if kept and (bare or kept.get("properties")) else None
        self._parameters = {name: schema for name, schema in after.items() if schema is not None}
        return ""

    def _is_new(self, criterion: Criterion, name: str, arguments: dict[str, Any]) -> bool:
        check = criterion.check
        call = Action(call=ToolCall(name=name, arguments=arguments))
        return check is not None and check.evaluate(call, self._state).status != "unmet"


# --- schemas of arguments -------------------------------------------------------------------------


def _closed(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """A tool's schema without arguments that it does not name."""
    closed = {"type": "object", "properties": {}, **copy.deepcopy(dict(parameters))}
    closed["additionalProperties"] = False
    return closed


def _holder(parameters: Mapping[str, Any], path: str) -> Mapping[str, Any] | None:
    """The object schema that names an argument; empty where none can come, None where nobody can tell."""
    holder: Any = parameters
    names = path.split(".")
    for depth, name in enumerate(names):
        if not isinstance(holder, Mapping) or _MANIFOLD & set(holder):
            return None
        inside = holder.get("properties", {})
        if name not in inside:  # where an object is not closed, it may come all the same
            return {} if holder.get("additionalProperties") is False else None
        if depth == len(names) - 1:
            break
        holder = inside[name]
    return holder  # type: ignore[no-any-return]


def _replaced(
    parameters: Mapping[str, Any], path: str, schema: dict[str, Any] | None
) -> dict[str, Any] | None:
    """The parameters with another schema for an argument; None where they cannot do without it."""
    replaced: dict[str, Any] = copy.deepcopy(dict(parameters))
    holder = replaced
    *outer, last = path.split(".")
    for name in outer:
        holder = holder["properties"][name]
    if schema is not None:
        holder["properties"][last] = schema
        return replaced
    if last in holder.get("required", ()):
        return None
    del holder["properties"][last]
    return replaced
