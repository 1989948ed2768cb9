"""The same rubric for every step: one that somebody wrote and keeps in a file, or wants to compare with.

It writes nothing and adapts to nothing; see `load_rubric` for how such rubrics are read.
"""

from __future__ import annotations

from coreact.generate.generator import Written
from coreact.judge import Cost
from coreact.rubric import Rubric, State


class FixedGenerator:
    """Gives one rubric in every state. Stateless, safe to share between threads.

    Args:
        rubric: the rubric.
    """

    def __init__(self, rubric: Rubric) -> None:
        self.rubric = rubric
        self.id = f"fixed:{rubric.lock.rpartition(':')[2][:12]}"

    def write(self, state: State) -> Written:
        """The rubric."""
        return Written(self.rubric, Cost())

    async def awrite(self, state: State) -> Written:
        """The same."""
        return self.write(state)
