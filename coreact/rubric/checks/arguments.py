"""What the arguments of a call say: terms, values, patterns, bounds."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import Any, Literal

import re2
from pydantic import Field, field_validator

from coreact.rubric.canonical import canonical_json
from coreact.rubric.checks.base import (
    ExecutableCheck,
    Finding,
    met,
    not_applicable,
    quoted,
    shown,
    text_of,
    unmet,
)
from coreact.rubric.checks.patterns import compiled, stands_somewhere
from coreact.rubric.state import Action, State
from coreact.rubric.words import stands_in

_TOLD = 3  # terms that a message names at most


class ArgumentCheck(ExecutableCheck):
    """Base of the checks on one argument. Not applicable where the action has no such argument."""

    argument: str = ""
    """Name of the argument, dots for nesting (`filter.year`); empty: all texts together."""

    def _value(self, action: Action) -> tuple[bool, Any]:
        if action.call is None:
            return False, None
        if not self.argument:
            texts = action.call.texts
            return bool(texts), " ".join(texts)
        value: Any = action.call.arguments
        for part in self.argument.split("."):
            if not isinstance(value, Mapping) or part not in value:
                return False, None
            value = value[part]
        return True, value

    @property
    def _name(self) -> str:
        return f"`{self.argument}`" if self.argument else "the arguments"

    def evaluate(self, action: Action, state: State) -> Finding:
        present, value = self._value(action)
        if not present:
            return not_applicable(f"the action has no {self._name if self.argument else 'text argument'}")
        return self._decide(value, action, state)

    @abstractmethod
    def _decide(self, value: Any, action: Action, state: State) -> Finding: ...


class ArgumentContains(ArgumentCheck):
    """The argument contains at least `at_least` of the terms, as whole folded words."""

    kind: Literal["argument_contains"] = "argument_contains"
    terms: tuple[str, ...] = Field(min_length=1)
    at_least: int = Field(default=1, ge=1)

    def _decide(self, value: Any, action: Action, state: State) -> Finding:
        text = text_of(value)
        found = [term for term in self.terms if stands_in(term, text)]
        wanted = min(self.at_least, len(self.terms))
        if len(found) >= wanted:
            return met(f"{self._name} contains {', '.join(map(shown, found))}")
        missing = [shown(term) for term in self.terms if term not in found]
        more = f" and {len(missing) - _TOLD} more" if len(missing) > _TOLD else ""
        return unmet(f"{self._name} is {quoted(value)} and lacks {' and '.join(missing[:_TOLD])}{more}")

    def explain(self) -> str:
        terms = [shown(term) for term in self.terms]
        if len(terms) == 1:
            return f"Put {terms[0]} into {self._name}."
        if self.at_least >= len(terms):
            return f"Put {', '.join(terms[:-1])} and {terms[-1]} into {self._name}."
        if self.at_least == 1:  # the first term is the one its writer would take
            return f"Put {terms[0]} into {self._name}, or else {' or '.join(terms[1:_TOLD])}."
        return f"Put at least {self.at_least} of {', '.join(terms)} into {self._name}."


class ArgumentEquals(ArgumentCheck):
    """The argument equals a JSON value exactly."""

    kind: Literal["argument_equals"] = "argument_equals"
    value: Any

    def _decide(self, value: Any, action: Action, state: State) -> Finding:
        if canonical_json(value) == canonical_json(self.value):
            return met(f"{self._name} is {quoted(value)}")
        return unmet(f"{self._name} is {quoted(value)}, not {shown(self.value)}")

    def explain(self) -> str:
        return f"Set {self._name} to {shown(self.value)}."


class ArgumentMatches(ArgumentCheck):
    """The argument, as text, contains a match of an RE2 pattern."""

    kind: Literal["argument_matches"] = "argument_matches"
    pattern: str = Field(max_length=1000)

    @field_validator("pattern")
    @classmethod
    def _compiles(cls, pattern: str) -> str:
        try:
            compiled(pattern)
        except re2.error as error:
            raise ValueError(f"not an RE2 pattern: {error}") from error
        return pattern

    def _decide(self, value: Any, action: Action, state: State) -> Finding:
        if stands_somewhere(self.pattern, text_of(value)):
            return met(f"{self._name} matches {shown(self.pattern)}")
        return unmet(f"{self._name} is {quoted(value)} and does not match {shown(self.pattern)}")

    def explain(self) -> str:
        return f"Make {self._name} match {shown(self.pattern)}."


class ArgumentInRange(ArgumentCheck):
    """The argument is a number between two bounds, both included."""

    kind: Literal["argument_in_range"] = "argument_in_range"
    minimum: float | None = None
    maximum: float | None = None

    def _decide(self, value: Any, action: Action, state: State) -> Finding:
        if isinstance(value, bool) or not isinstance(value, int | float):
            return unmet(f"{self._name} is {quoted(value)}, not a number")
        low = self.minimum is None or value >= self.minimum
        high = self.maximum is None or value <= self.maximum
        return (met if low and high else unmet)(f"{self._name} is {quoted(value)}")

    def explain(self) -> str:
        if self.minimum is None and self.maximum is None:
            return f"Make {self._name} a number."
        if self.minimum is None:
            return f"Keep {self._name} at most {self.maximum}."
        if self.maximum is None:
            return f"Keep {self._name} at least {self.minimum}."
        return f"Keep {self._name} between {self.minimum} and {self.maximum}."
