"""What is compared: two actions of one state, one of them known to be better.

A comparison is shown neutrally. Which action stands as `x` and which as `y` follows from their content, so
the prompt is the same byte for byte in whichever order the two were given, and neither the place nor the
name of a side says anything about its worth. Only the writer of a contrastive rubric is told the label,
outside of the fences; whoever reads or judges by that rubric never is.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Literal, NamedTuple, Self

from pydantic import model_validator

from coreact.judge.transcript import Section, excerpt
from coreact.rubric import Action, State
from coreact.rubric.branching import BranchingPoint
from coreact.rubric.canonical import digest
from coreact.rubric.state import Record
from coreact.rubric.words import words

SIDE_CHARS = 4_000
"""Most characters of one action in a prompt; of a longer one, what the others do not say is kept."""

LABELS = tuple("x y z u v w m n".split())
"""Names of the sides, in the order of their content hashes."""

MAX_SIDES = len(LABELS)
"""Most actions that are compared at once."""


class Side(NamedTuple):
    """One of the actions compared, under a name that says nothing."""

    label: str
    action: Action

    @property
    def text(self) -> str:
        """The answer as it stands, or the call in one line."""
        return self.action.answer if self.action.answer is not None else str(self.action)


def sides(actions: Sequence[Action]) -> tuple[Side, ...]:
    """The actions under neutral names, in an order that depends on their content alone.

    Raises:
        ValueError: two of them are the same action, or there are fewer than two or more than `MAX_SIDES`.
    """
    if not 2 <= len(actions) <= MAX_SIDES:
        raise ValueError(f"{len(actions)} actions cannot be compared; 2 to {MAX_SIDES} can")
    by_key = {action_key(action): action for action in actions}
    if len(by_key) != len(actions):
        raise ValueError("two of the actions are the same")
    ordered = [by_key[key] for key in sorted(by_key)]
    return tuple(Side(label, action) for label, action in zip(LABELS, ordered, strict=False))


def shown(compared: Sequence[Side]) -> tuple[Section, ...]:
    """The sides as sections for a prompt, long ones cut to where they differ."""
    said = [frozenset(words(side.text)) for side in compared]
    found = []
    for at, side in enumerate(compared):
        others = frozenset().union(*(said[other] for other in range(len(said)) if other != at))
        text = excerpt(side.text, SIDE_CHARS, said[at] - others)
        kind = "an answer" if side.action.stops else "a call"
        found.append(Section(side.label, f"candidate {side.label}: {kind}", text, f"candidate-{side.label}"))
    return tuple(found)


def action_key(action: Action) -> str:
    """Identity of an action by content; the provider's call id is not part of it."""
    return digest({"answer": action.answer} if action.call is None else {"call": action.call.key})


class Contrast(Record):
    """Two actions of one state with a label: the first is the better one."""

    state: State
    better: Action
    worse: Action

    @model_validator(mode="after")
    def _differ(self) -> Self:
        if action_key(self.better) == action_key(self.worse):
            raise ValueError("the two sides of a contrast are the same action")
        return self

    @cached_property
    def sides(self) -> tuple[Side, ...]:
        """Both sides, `x` and `y`: which is which follows from their content, not from the label."""
        return sides((self.better, self.worse))

    @property
    def label(self) -> str:
        """The name of the better side. For the writer of a rubric only."""
        return next(side.label for side in self.sides if action_key(side.action) == action_key(self.better))

    @cached_property
    def key(self) -> str:
        """Hash of the state and both actions; the same whichever is the better one."""
        return digest({"state": self.state.digest, "sides": [action_key(side.action) for side in self.sides]})


def contrasts(
    point: BranchingPoint, *, pairs: Literal["extremes", "all"] = "extremes"
) -> tuple[Contrast, ...]:
    """The contrasts of a branching point, widest gap of gains first.

    Args:
        point: a decision with candidates of known worth.
        pairs: `extremes`: the best against the worst; `all`: every two candidates of different gain.

    Returns:
        Empty where the candidates do not differ in worth. The same for any order of the candidates: of
        equally good ones the one whose content hash is lowest stands for all.
    """
    ranked = sorted(point.candidates, key=lambda one: (-one.gain, action_key(one.action)))
    if not point.has_contrast:
        return ()
    if pairs == "extremes":
        lowest = next(one for one in ranked if one.gain == ranked[-1].gain)
        return (Contrast(state=point.state, better=ranked[0].action, worse=lowest.action),)
    found = [
        (better.gain - worse.gain, Contrast(state=point.state, better=better.action, worse=worse.action))
        for at, better in enumerate(ranked)
        for worse in ranked[at + 1 :]
        if better.gain > worse.gain
    ]
    return tuple(contrast for _, contrast in sorted(found, key=lambda one: (-one[0], one[1].key)))
