"""Criterion and Rubric: what a good step is, as data with an identity.

A rubric is never empty, its weights are positive and normalised here, and its lock is the hash
of its content. It says nothing about who wrote it for whom at what time, and it cannot judge:
checks decide what code can decide, a judge the rest.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from functools import cached_property
from typing import Literal, Self

from pydantic import Field, field_validator, model_validator

from coreact.rubric.canonical import digest
from coreact.rubric.checks import Check
from coreact.rubric.state import Record

Polarity = Literal["require", "forbid"]
"""`require`: the condition should hold; `forbid`: it should not."""

CriterionKind = Literal["hard", "principle", "fact", "process", "style", "safety"]
"""`hard` is checkable and not open to taste; the rest name what a criterion is about."""

Scope = Literal["step", "answer", "trajectory"]
"""What a rubric judges: one next action, a final answer, or a whole run."""

MAX_CRITERION_CHARS = 600
"""Longest text of one criterion: rubrics from models are untrusted and go into prompts."""


class Provenance(Record):
    """Where a criterion came from."""

    source: str
    """Name of the writer: a generator, a file, a person."""
    parent: str | None = None
    """Criterion id this one was made from."""
    evidence: tuple[str, ...] = ()
    """Ids of the facts or messages it rests on."""


class Criterion(Record):
    """One condition on a good step, with the weight it has."""

    id: str = Field(min_length=1)
    text: str = Field(min_length=1, max_length=MAX_CRITERION_CHARS)
    weight: float = Field(default=1.0, gt=0, allow_inf_nan=False)
    """Relative weight, any positive number; `Rubric.share` gives the normalised one."""
    polarity: Polarity = "require"
    kind: CriterionKind = "principle"
    stage: str | None = None
    """Stage of the task it belongs to (plan, gather, …), or None for any."""
    visibility: Literal["policy", "judge_only"] = "policy"
    """`judge_only` text is never shown to the agent."""
    check: Check | None = None
    """The executable condition that decides it; None: a judge must."""
    veto: bool = False
    """Unmet, it fails the step whatever the score."""
    depends_on: tuple[str, ...] = ()
    """Criterion ids that must be met for this one to apply."""
    provenance: Provenance | None = None

    @field_validator("text")
    @classmethod
    def _one_line(cls, text: str) -> str:
        folded = " ".join(text.split())
        if not folded:
            raise ValueError("a criterion needs a text")
        return folded


class Rubric(Record):
    """Weighted criteria for one decision, one answer or one trajectory."""

    criteria: tuple[Criterion, ...] = Field(min_length=1)
    scope: Scope = "step"
    threshold: float = Field(default=0.6, ge=0, le=1)
    """Score in [0, 1] from which on the judged thing passes (0.6 is Co-ReAct's)."""

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        ids = [criterion.id for criterion in self.criteria]
        if len(set(ids)) != len(ids):
            raise ValueError("criterion ids must be unique")
        earlier: set[str] = set()
        for criterion in self.criteria:
            unknown = set(criterion.depends_on) - earlier
            if unknown:
                raise ValueError(
                    f"criterion {criterion.id!r} depends on {sorted(unknown)}, which do not stand before it"
                )
            earlier.add(criterion.id)
        return self

    def __len__(self) -> int:
        return len(self.criteria)

    def __iter__(self) -> Iterator[Criterion]:  # type: ignore[override]
        return iter(self.criteria)

    @cached_property
    def lock(self) -> str:
        """Content hash: equal for equal rubrics on any machine and day.

        Fields at their default are left out, so that a field added later does not move old locks.
        """
        # Not mode="json", which writes NaN, infinity and None alike as null.
        return digest(self.model_dump(exclude_defaults=True))

    def criterion(self, criterion_id: str) -> Criterion:
        """The criterion with this id.

        Raises:
            KeyError: there is none.
        """
        for criterion in self.criteria:
            if criterion.id == criterion_id:
                return criterion
        raise KeyError(criterion_id)

    def share(self, criterion: Criterion) -> float:
        """The criterion's normalised weight, in [0, 1]; the shares of a rubric add up to 1."""
        return float(Fraction(criterion.weight) / self._total)

    @cached_property
    def _total(self) -> Fraction:
        return sum((Fraction(criterion.weight) for criterion in self.criteria), Fraction())
