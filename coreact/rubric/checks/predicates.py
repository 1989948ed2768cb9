"""The user's own conditions: Python functions under names that stored rubrics can refer to."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar, Literal

from coreact.errors import ConfigError
from coreact.rubric.checks.base import ExecutableCheck, Finding, met, not_applicable, unmet
from coreact.rubric.state import Action, State

Predicate = Callable[[Action, State], bool | Finding | None]
"""A user's own condition. True: met, False: unmet, None: not applicable. Must be pure and quick."""

_PREDICATES: dict[str, tuple[Predicate, str]] = {}


def register_predicate(name: str, *, says: str) -> Callable[[Predicate], Predicate]:
    """Register a Python predicate under a name that stored rubrics can refer to.

    Args:
        name: unique name, e.g. `"orders.amount_is_positive"`.
        says: the condition as one sentence for the agent.

    Raises:
        ConfigError: the name is taken by another function.
    """

    def add(function: Predicate) -> Predicate:
        known = _PREDICATES.get(name)
        if known is not None and known[0] is not function:
            raise ConfigError(
                f"A predicate named {name!r} is registered already.", remedy="Choose another name."
            )
        _PREDICATES[name] = (function, says)
        return function

    return add


class PredicateHolds(ExecutableCheck):
    """A predicate registered with `register_predicate` holds."""

    specific: ClassVar[bool] = False
    quotes: ClassVar[bool] = False
    kind: Literal["predicate"] = "predicate"
    name: str

    def evaluate(self, action: Action, state: State) -> Finding:
        known = _PREDICATES.get(self.name)
        if known is None:
            return Finding(
                reason=f"no predicate named {self.name!r} is registered", status="unknown", fault="instrument"
            )
        try:
            result = known[0](action, state)
            if isinstance(result, Finding):
                return result
            holds = None if result is None else bool(result)
        except Exception as error:  # noqa: BLE001 - a check is total; the user's code may raise anything
            return Finding(
                reason=f"predicate {self.name!r} raised {type(error).__name__}: {error}",
                status="unknown",
                fault="instrument",
            )
        if holds is None:
            return not_applicable(f"predicate {self.name!r} does not apply")
        return (met if holds else unmet)(known[1])

    def explain(self) -> str:
        known = _PREDICATES.get(self.name)
        return known[1] if known else f"Satisfy {self.name!r}."
