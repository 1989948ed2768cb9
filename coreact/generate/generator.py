"""What a rubric generator is: anything that writes a rubric for one next step.

Failure is an exception, never an empty rubric. Who calls a generator, how often, and what happens
when it fails is the loop's business.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol, runtime_checkable

from coreact.errors import Cause, GenerationError
from coreact.judge import Cost
from coreact.rubric import Rubric, State
from coreact.rubric.remarks import Remark


class Written(NamedTuple):
    """A rubric, what writing it cost, and what was done to its draft."""

    rubric: Rubric
    cost: Cost
    remarks: tuple[Remark, ...] = ()


class NoRubricError(GenerationError):
    """No rubric came of it; `cost` is what trying cost, `remarks` say what was wrong with the draft."""

    def __init__(
        self,
        what: str,
        *,
        generator: str,
        cause: Cause,
        cost: Cost | None = None,
        remarks: Sequence[Remark] = (),
        remedy: str = "",
    ) -> None:
        super().__init__(what, generator=generator, cause=cause, remedy=remedy)
        self.cost = cost or Cost()
        self.remarks = tuple(remarks)


class RubricRefusedError(NoRubricError):
    """A rubric was written and may not guide: it failed a gate; `remarks` say which test."""


@runtime_checkable
class RubricGenerator(Protocol):
    """Writes the criteria for ONE next action. Raises `GenerationError` where it cannot."""

    id: str
    """Name and version, stored with every rubric."""

    def write(self, state: State) -> Written:
        """Write the rubric for the next action in this state."""

    async def awrite(self, state: State) -> Written:
        """The same, without blocking the event loop."""
