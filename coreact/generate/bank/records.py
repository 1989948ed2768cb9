"""What a rubric bank keeps: a rubric, the question it was written for, and what came of following it.

An entry's identity is its content; counts change and are not part of it. Whether the rubric was any good
is told by the counts alone: nothing here believes what its writer said of it. There is no time in an
entry, so that equal content is one entry on any day.
"""

from __future__ import annotations

from functools import cached_property
from typing import Literal, Self

from pydantic import Field, field_validator

from coreact.rubric import Record, Rubric, State
from coreact.rubric.canonical import digest

MAX_QUESTION_CHARS = 8_000
"""Longest question of an entry; a longer one is a document, and no neighbour of anything."""

MAX_COUNT = 2**53 - 1
"""Largest count: what any reader of JSON can hold."""

Origin = Literal["human", "code", "model", "hybrid"]
"""Who wrote a rubric. `hybrid`: a model wrote it and a person changed it, or the other way round."""


class Outcomes(Record):
    """How often an entry was used, and what became of the steps that followed its rubric."""

    uses: int = Field(default=0, ge=0, le=MAX_COUNT)
    """Times it was handed out as an example or its criteria were reused."""
    fixed: int = Field(default=0, ge=0, le=MAX_COUNT)
    """Steps that were wrong and became right by following it."""
    spoiled: int = Field(default=0, ge=0, le=MAX_COUNT)
    """Steps that were right and became wrong by following it."""

    @property
    def net(self) -> int:
        """Steps fixed less steps spoiled; below 0 it did harm."""
        return self.fixed - self.spoiled


class BankEntry(Record):
    """A rubric with its question and its outcomes. Untrusted: a model may have written every word."""

    question: str = Field(min_length=1, max_length=MAX_QUESTION_CHARS)
    stage: str | None = None
    """Part of the run it was written for: a `Phase`, or a stage of the task; None fits any."""
    tools: tuple[str, ...] = ()
    """Names of the tools that the agent had, sorted."""
    rubric: Rubric
    source: str = Field(min_length=1)
    """Id of the generator, file or person that wrote the rubric."""
    origin: Origin = "model"
    outcomes: Outcomes = Outcomes()

    @field_validator("question")
    @classmethod
    def _says_something(cls, question: str) -> str:
        if not question.strip():
            raise ValueError("an entry needs a question")
        return question

    @field_validator("tools")
    @classmethod
    def _sorted(cls, tools: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(sorted(set(tools)))

    @classmethod
    def of(
        cls,
        state: State,
        rubric: Rubric,
        *,
        source: str,
        origin: Origin = "model",
        stage: str | None = None,
        outcomes: Outcomes | None = None,
    ) -> Self:
        """The entry of a rubric that was written in a state.

        Args:
            state: gives question, tools and, unless `stage` says otherwise, the phase.
            rubric: the rubric.
            source: id of its writer.
            origin: what kind of writer that is.
            stage: stage of the task; None: the state's phase.
            outcomes: what came of it so far.
        """
        return cls(
            question=state.question,
            stage=stage or state.phase,
            tools=tuple(tool.name for tool in state.tools),
            rubric=rubric,
            source=source,
            origin=origin,
            outcomes=outcomes or Outcomes(),
        )

    @cached_property
    def key(self) -> str:
        """Content hash without the outcomes: equal for the same rubric on the same question."""
        return digest(
            {
                "question": self.question,
                "stage": self.stage,
                "tools": self.tools,
                "rubric": self.rubric.lock,
                "source": self.source,
                "origin": self.origin,
            }
        )

    @property
    def name(self) -> str:
        """First eight digits of the key, to tell entries apart in a remark."""
        return self.key.rsplit(":", 1)[-1][:8]
