"""What a rubric generator is: anything that writes a rubric for one next step.

Failure is an exception, never an empty rubric. Who calls a generator, how often, and what happens
when it fails is the loop's business.
"""

from __future__ import annotations

from typing import NamedTuple, Protocol, runtime_checkable

from coreact.judge import Cost
from coreact.rubric import Rubric, State


class Written(NamedTuple):
    """A rubric and what writing it cost."""

    rubric: Rubric
    cost: Cost


@runtime_checkable
class RubricGenerator(Protocol):
    """Writes the criteria for ONE next action. Raises `GenerationError` where it cannot."""

    id: str
    """Name and version, stored with every rubric."""

    def write(self, state: State) -> Written:
        """Write the rubric for the next action in this state."""

    async def awrite(self, state: State) -> Written:
        """The same, without blocking the event loop."""
