"""Anchors: pairs of actions whose order people or a world have settled, to hold rubrics against.

One pair is one JSON object of a file. A state written by hand need hold only what cannot be computed; what
a state knows besides (addresses seen, queries made, its digest) is always read off its steps again, so
that a stored anchor cannot claim to have seen what it did not.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import Field, field_validator

from coreact.rubric.state import Action, Budget, Record, State, Step, ToolContract


class AnchorPair(Record):
    """Two actions in one state of which one is known to be better."""

    domain: str = Field(min_length=1)
    """What the pair is about: every domain must hold its own."""
    state: State
    """In JSON written by hand, question, tools, steps, given text and limit are enough: what else a state
    knows is read off them."""
    better: Action
    worse: Action
    """In JSON, a text stands for a final answer."""
    group: str = ""
    """Pairs with one group, say of one question, are not independent; empty: it stands alone."""

    @field_validator("better", "worse", mode="before")
    @classmethod
    def _answer(cls, action: Any) -> Any:
        return {"answer": action} if isinstance(action, str) else action

    @field_validator("state", mode="before")
    @classmethod
    def _whole(cls, state: Any) -> Any:
        if not isinstance(state, Mapping):
            return state
        computed = set(State.model_fields) - set(_State.model_fields)
        return _State.model_validate({k: v for k, v in state.items() if k not in computed}).whole()


class _State(Record):
    """What a state is made of; the rest of a stored one is computed again."""

    question: str
    given: tuple[str, ...] = ()
    tools: tuple[ToolContract, ...] = ()
    steps: tuple[Step, ...] = ()
    limit: int | None = Field(default=None, ge=1)
    budget: Budget = Budget()

    def whole(self) -> State:
        limit = self.limit if self.limit is not None else self.budget.limit
        state = State.start(self.question, tools=self.tools, given=self.given, limit=limit)
        for step in self.steps:
            state = state.after(step)
        if "used" not in self.budget.model_fields_set:
            return state
        # Parallel calls are several steps and one decision.
        return state.model_copy(update={"budget": Budget(limit=limit, used=self.budget.used)})
