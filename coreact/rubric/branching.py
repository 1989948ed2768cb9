"""Branching points: a state, several actions that could be taken in it, and what each turned out worth.

They are what rubrics are measured on: a rubric is good at a decision if the order in which it puts the
candidates is the order of their gains. How candidates are sampled and gains are measured is the business
of whoever collects them (a world that can execute an action and look, a panel of judges). Plain data.
"""

from __future__ import annotations

from functools import cached_property
from typing import Self

from pydantic import Field, model_validator

from coreact.rubric.canonical import digest
from coreact.rubric.state import Action, Record, State


class Candidate(Record):
    """One action that could be taken, and what taking it was worth."""

    action: Action
    gain: float = Field(allow_inf_nan=False)
    """Worth of the action, higher is better; comparable within its branching point only."""
    source: str = ""
    """Who proposed it: a model, a policy, a perturbation."""
    proposed: int = Field(default=1, ge=0)
    """How often it was proposed at this decision: of all candidates' numbers its share estimates how often an
    agent would take it. 0: only a teacher did."""


class JudgeRanking(Record):
    """The order in which one judge put the candidates of a point."""

    judge: str = Field(min_length=1)
    """Id of the judge, with its version."""
    ranks: tuple[float, ...]
    """By the candidates' position, 1 is best; ties share the mean of their places."""


class BranchingPoint(Record):
    """A decision with several candidates of known worth."""

    id: str = Field(min_length=1)
    question_id: str
    """Points of one question belong to one side of every split."""
    world: str
    """Where the gains were measured."""
    state: State
    candidates: tuple[Candidate, ...] = Field(min_length=2)
    rankings: tuple[JudgeRanking, ...] = ()
    """Who ranked the candidates, where their worth was agreed on and not measured; a gain is then minus the
    candidate's rank in the consensus."""

    @model_validator(mode="after")
    def _distinct(self) -> Self:
        keys = [digest(one.action.model_dump(exclude={"call": {"id"}})) for one in self.candidates]
        if len(set(keys)) != len(keys):
            raise ValueError("two candidates of a branching point are the same action")
        if any(len(one.ranks) != len(self.candidates) for one in self.rankings):
            raise ValueError("a ranking has not one rank for each candidate")
        return self

    @property
    def actions(self) -> tuple[Action, ...]:
        """The candidates' actions, in order."""
        return tuple(candidate.action for candidate in self.candidates)

    @property
    def gains(self) -> tuple[float, ...]:
        """The candidates' gains, in order."""
        return tuple(candidate.gain for candidate in self.candidates)

    @cached_property
    def has_contrast(self) -> bool:
        """Whether the candidates differ in worth; without that nothing can be ranked."""
        return len(set(self.gains)) > 1
