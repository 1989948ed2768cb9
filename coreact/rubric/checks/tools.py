"""Which tool an action calls."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from coreact.rubric.checks.base import ExecutableCheck, Finding, met, named, one_of, unmet
from coreact.rubric.state import Action, State


class ToolIs(ExecutableCheck):
    """The action calls one of these tools. Unmet for a final answer."""

    kind: Literal["tool_is"] = "tool_is"
    tools: tuple[str, ...] = Field(min_length=1)

    def evaluate(self, action: Action, state: State) -> Finding:
        if action.call is None:
            return unmet(f"the action is an answer, not a call of {one_of(self.tools)}")
        if action.call.name in self.tools:
            return met(f"the action calls {named(action.call.name)}")
        return unmet(f"the action calls {named(action.call.name)}, not {one_of(self.tools)}")

    def explain(self) -> str:
        return f"Call {one_of(self.tools)}."


class ToolIsNot(ExecutableCheck):
    """The action calls none of these tools. Met for a final answer."""

    kind: Literal["tool_is_not"] = "tool_is_not"
    tools: tuple[str, ...] = Field(min_length=1)

    def evaluate(self, action: Action, state: State) -> Finding:
        if action.call is not None and action.call.name in self.tools:
            return unmet(f"the action calls {named(action.call.name)}")
        return met(f"the action does not call {one_of(self.tools)}")

    def explain(self) -> str:
        return f"Do not call {one_of(self.tools)}."
