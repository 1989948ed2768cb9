"""Tasks that are judged by criteria of their own: one record for every published shape.

Published files give a criterion points of either sign, weights within dimensions, or no weight at all. Here
polarity is stored beside a positive weight, and signed points are converted once, when a file is read. A task
is no rubric yet: `RubricTask.rubric` makes one with the scope of an answer, whose criteria the agent never
sees.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Self

from pydantic import Field, model_validator

from coreact.judge.records import Verdict
from coreact.judge.scoring.settling import settle
from coreact.rubric import MAX_CRITERION_CHARS, Criterion, CriterionKind, Polarity, Provenance, Record, Rubric

_LEVELS = 5
_CUT = " […]"


class TaskCriterion(Record):
    """One criterion of a task, as its file has it."""

    id: str = Field(min_length=1)
    text: str = Field(min_length=1)
    """In full; a rubric takes its first 600 characters."""
    weight: float = Field(default=1.0, gt=0, allow_inf_nan=False)
    """Points or weight without the sign, as written in the file; within its dimension where there are any."""
    polarity: Polarity = "require"
    """`forbid`: the text describes something bad, which takes points away where it happened."""
    type: str = ""
    """Dimension, axis or type by which figures are also given; empty: none."""
    kind: CriterionKind = "principle"


def from_points(
    id: str,  # noqa: A002 - the field's own name
    text: str,
    points: float,
    *,
    type: str = "",  # noqa: A002
    kind: CriterionKind = "principle",
) -> TaskCriterion:
    """A criterion from signed points: negative ones make it a `forbid` criterion of that weight.

    Raises:
        ValueError: the points are 0, which says neither.
    """
    if points == 0:
        raise ValueError(f"criterion {id!r} has 0 points")
    return TaskCriterion(
        id=id,
        text=text,
        weight=abs(points),
        polarity="require" if points > 0 else "forbid",
        type=type,
        kind=kind,
    )


class Scale(Record):
    """A rubric of five described levels, as BiGGen-Bench has it."""

    asked: str = Field(min_length=1)
    """The question that the levels answer."""
    levels: tuple[str, ...] = Field(min_length=_LEVELS, max_length=_LEVELS)
    """What an answer of level 1, 2, … 5 is like."""


class RubricTask(Record):
    """A task and what a good answer to it is."""

    id: str = Field(min_length=1)
    """Unique within its suite."""
    prompt: str = Field(min_length=1)
    criteria: tuple[TaskCriterion, ...] = ()
    """None where only gold passages or a reference are known."""
    type_weights: Mapping[str, float] = Field(default_factory=dict)
    """Weight of each type, where criteria weigh within their type; empty: weights compare as they are."""
    scale: Scale | None = None
    tags: Mapping[str, str] = Field(default_factory=dict)
    """What tables are made by: topic, language, complexity."""
    reference: str | None = None
    """A good answer, by an expert or another system."""
    gold: tuple[str, ...] = ()
    """Ids of the passages that the reference rests on."""

    @model_validator(mode="after")
    def _ids_are_unique(self) -> Self:
        ids = [criterion.id for criterion in self.criteria]
        if len(set(ids)) != len(ids):
            raise ValueError("two criteria have the same id")
        if self.type_weights and not all(
            0 < self.type_weights.get(criterion.type, 0) < math.inf for criterion in self.criteria
        ):
            raise ValueError("every type of the criteria needs a weight above 0")
        return self

    @cached_property
    def rubric(self) -> Rubric | None:
        """The criteria as the rubric of an answer, in their order; None without criteria.

        A criterion weighs its own weight times its type's. The agent may not see it. Its text is cut to
        600 characters, see `shortened`.
        """
        if not self.criteria:
            return None
        return Rubric(
            criteria=tuple(
                Criterion(
                    id=criterion.id,
                    text=_fitted(criterion.text),
                    weight=criterion.weight * self.type_weights.get(criterion.type, 1.0),
                    polarity=criterion.polarity,
                    kind=criterion.kind,
                    visibility="judge_only",
                    provenance=Provenance(source="suite"),
                )
                for criterion in self.criteria
            ),
            scope="answer",
        )

    @property
    def shortened(self) -> tuple[str, ...]:
        """Ids of the criteria whose text is too long for a rubric, so that a judge sees its beginning."""
        return tuple(one.id for one in self.criteria if _fitted(one.text) != " ".join(one.text.split()))

    @property
    def types(self) -> dict[str, str]:
        """Type by criterion id."""
        return {criterion.id: criterion.type for criterion in self.criteria}


def level_rubric(scale: Scale) -> Rubric:
    """A scale of levels as criteria that any judge can decide: is the answer at least of level 2, of 3, 4, 5?

    Each applies only where the one before it is met. What differs from BiGGen-Bench, whose judge names a
    level: here it is derived, and unknown where a judge could not tell.
    """
    return Rubric(
        criteria=tuple(
            Criterion(
                id=f"level-{level}",
                text=_fitted(
                    f"{scale.asked} The answer is at least as good as this (level {level} of {_LEVELS}): "
                    f"{scale.levels[level - 1]}"
                ),
                visibility="judge_only",
                depends_on=(f"level-{level - 1}",) if level > 2 else (),
                provenance=Provenance(source="suite"),
            )
            for level in range(2, _LEVELS + 1)
        ),
        scope="answer",
    )


def level(rubric: Rubric, verdicts: Sequence[Verdict]) -> int | None:
    """The level, 1 to 5, that verdicts under a `level_rubric` give; None where one on the way is unknown."""
    reached = 1
    for _, verdict in settle(rubric, verdicts):
        if verdict.status in ("unknown", "not_applicable"):
            return None
        if verdict.status != "met":
            break
        reached += 1
    return reached


def _fitted(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= MAX_CRITERION_CHARS else line[: MAX_CRITERION_CHARS - len(_CUT)] + _CUT
