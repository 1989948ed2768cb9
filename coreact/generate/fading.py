"""A rubric generator whose criteria are shown less to a policy that meets them anyway.

Guidance costs tokens and leads small models to copy it; a policy that passes on its own does not need it. So
the criteria of another generator are faded by how the policy did lately: what is faded out is not told, and
is verified and recorded as before. When the policy begins to fail it is told again.

How it did is asked of a function, since a run's history may live anywhere: in a list, or in a trace store.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from coreact.generate.generator import RubricGenerator, Written
from coreact.rubric import State
from coreact.rubric.canonical import digest
from coreact.rubric.fading import fade, faded
from coreact.rubric.remarks import Remark


class FadingGenerator:
    """Another generator's rubrics, faded by what the policy has shown.

    Args:
        generator: writes the rubrics.
        passed: whether the first proposal of each earlier decision passed, oldest first; None where nobody
            could tell. Asked before each rubric.
        window: known outcomes that are looked at, see `fade`.
        least: known outcomes below which everything is shown.
        begin: share of passes up to which everything is shown.
        end: share of passes from which on nothing is shown.

    Raises:
        ValueError: a setting is out of range.
    """

    def __init__(
        self,
        generator: RubricGenerator,
        passed: Callable[[], Sequence[bool | None]],
        *,
        window: int = 10,
        least: int = 5,
        begin: float = 0.6,
        end: float = 0.95,
    ) -> None:
        fade((), window=window, least=least, begin=begin, end=end)
        self._generator = generator
        self._passed = passed
        self._window, self._least, self._begin, self._end = window, least, begin, end
        settings = digest([window, least, begin, end]).rsplit(":", 1)[-1][:8]
        self.id = f"fading.{settings}:{generator.id}"

    def write(self, state: State) -> Written:
        """Write the rubric and hide what the policy need not be told.

        Raises:
            GenerationError: the other generator failed.
        """
        return self._faded(self._generator.write(state), state)

    async def awrite(self, state: State) -> Written:
        """The same, without blocking the event loop."""
        return self._faded(await self._generator.awrite(state), state)

    def _faded(self, written: Written, state: State) -> Written:
        share = fade(self._passed(), window=self._window, least=self._least, begin=self._begin, end=self._end)
        # By the question: what was faded out of a run stays out of it while the share falls.
        rubric = faded(written.rubric, share, key=digest(state.question))
        if rubric is written.rubric:
            return written
        hidden = sum(one.visibility == "judge_only" for one in rubric)
        hidden -= sum(one.visibility == "judge_only" for one in written.rubric)
        reason = f"{hidden} criteria are not shown, since the policy meets them lately"
        return written._replace(
            rubric=rubric, remarks=(*written.remarks, Remark(deed="repaired", reason=reason))
        )
