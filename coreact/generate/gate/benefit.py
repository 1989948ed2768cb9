"""What rubrics do to steps: how many first choices they mend, and how many they spoil.

A mean hides harm: a kind of criterion that turns one wrong choice into a right one and two right ones into
wrong ones has to go, whatever the rest of the rubric earns. So outcomes are paired, the agent's own first
choice against the one that the rubric puts first, and counted for each family of criteria that argued for the
change. A family is a key that stays the same from step to step: the kind of its check, or who wrote it and
what it is about. Counting is all that is done here; `ledger` keeps it, `muting` acts on it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal

from pydantic import Field

from coreact.errors import ConfigError
from coreact.generate.gate.intervals import Interval, share
from coreact.generate.gate.results import ROUNDING
from coreact.judge.asking import Asking, aserve, serve
from coreact.judge.ordering import judging, outage, standing
from coreact.judge.records import Judgement
from coreact.judge.runner import Judge
from coreact.judge.scoring.settling import CREDIT
from coreact.rubric import Criterion, Record, Rubric
from coreact.rubric.branching import BranchingPoint

Turn = Literal["fixed", "spoiled", "same"]
"""What became of a first choice: a better one, a worse one, or one as good."""


class StepOutcome(Record):
    """One step, without and with a rubric."""

    generator: str
    """Id of who wrote the rubric."""
    families: tuple[str, ...]
    """Families of the criteria that argued for the change; all of the rubric where nothing changed."""
    before: float = Field(allow_inf_nan=False)
    """Gain of the first choice."""
    after: float = Field(allow_inf_nan=False)
    """Gain of the choice by the rubric."""
    question: str = ""

    @property
    def turn(self) -> Turn:
        """What the rubric did to the step."""
        if self.after > self.before + ROUNDING:
            return "fixed"
        return "spoiled" if self.after < self.before - ROUNDING else "same"


class Tally(Record):
    """How often rubrics of one family, or of one generator, mended and spoiled."""

    family: str
    fixed: int = Field(default=0, ge=0)
    spoiled: int = Field(default=0, ge=0)
    same: int = Field(default=0, ge=0)

    @property
    def events(self) -> int:
        """Steps whose worth changed."""
        return self.fixed + self.spoiled

    @property
    def net(self) -> int:
        """Steps mended minus steps spoiled."""
        return self.fixed - self.spoiled

    def spoiling(self) -> Interval | None:
        """Share of the changed steps that were spoiled, in [0, 1], with its interval; None without any."""
        return share(self.spoiled, self.events)


def family(criterion: Criterion) -> str:
    """The family of a criterion: the kind of its check, or else who wrote it and its kind."""
    if criterion.check is not None:
        return f"check:{criterion.check.kind}"
    source = criterion.provenance.source if criterion.provenance is not None else "unknown"
    return f"{source}:{criterion.kind}"


def writer(generator: str) -> str:
    """The family of everything that a generator writes."""
    return f"generator:{generator}"


def outcomes_from(
    points: Sequence[BranchingPoint],
    rubrics: Sequence[Rubric],
    *,
    generator: str,
    judge: Judge | None = None,
    first: Callable[[BranchingPoint], int] | None = None,
) -> tuple[StepOutcome, ...]:
    """Paired outcomes on branching points.

    Args:
        points: what could be done in each state, and what it was worth.
        rubrics: a rubric for each point.
        generator: id of who wrote them.
        judge: decides criteria without a check.
        first: position of the policy's own choice. None: the first candidate.

    Returns:
        One outcome a point, those left out where the judge broke. Where the rubric puts the first choice
        as high as any other, it stays.

    Raises:
        ConfigError: there is not one rubric for each point, or no candidate at the position given.
    """
    return serve(_outcomes(points, rubrics, generator, judge, first))


async def aoutcomes_from(
    points: Sequence[BranchingPoint],
    rubrics: Sequence[Rubric],
    *,
    generator: str,
    judge: Judge | None = None,
    first: Callable[[BranchingPoint], int] | None = None,
) -> tuple[StepOutcome, ...]:
    """The same, without blocking the event loop."""
    return await aserve(_outcomes(points, rubrics, generator, judge, first))


def _outcomes(
    points: Sequence[BranchingPoint],
    rubrics: Sequence[Rubric],
    generator: str,
    judge: Judge | None,
    first: Callable[[BranchingPoint], int] | None,
) -> Asking[tuple[StepOutcome, ...]]:
    if len(points) != len(rubrics):
        raise ConfigError(f"{len(rubrics)} rubrics for {len(points)} branching points.")
    found: list[StepOutcome] = []
    for point, rubric in zip(points, rubrics, strict=True):
        own = 0 if first is None else first(point)
        if not 0 <= own < len(point.candidates):
            raise ConfigError(f"The branching point {point.id!r} has no candidate {own}.")
        judgements = yield from judging(rubric, point.actions, point.state, judge)
        if outage(judgements) is not None:
            continue
        guided = _best(judgements, own)
        found.append(
            StepOutcome(
                generator=generator,
                families=_behind(rubric, judgements[own], judgements[guided]),
                before=point.gains[own],
                after=point.gains[guided],
                question=point.question_id,
            )
        )
    return tuple(found)


def _best(judgements: Sequence[Judgement], own: int) -> int:
    places = [-1.0 if place is None else place for place in standing(judgements)]
    highest = max(places)
    return own if places[own] >= highest - ROUNDING else places.index(highest)


def _behind(rubric: Rubric, first: Judgement, guided: Judgement) -> tuple[str, ...]:
    """Families of the criteria that put the guided choice above the first, or of all if it is the first."""
    if first is guided:
        return tuple(sorted({family(criterion) for criterion in rubric}))
    earned = [{v.criterion: CREDIT.get(v.status, 0.5) for v in one.verdicts} for one in (first, guided)]
    return tuple(sorted({family(c) for c in rubric if earned[1].get(c.id, 0.5) > earned[0].get(c.id, 0.5)}))


def tallied(outcomes: Sequence[StepOutcome]) -> dict[str, Tally]:
    """Counts by family, and by generator under `writer(id)`."""
    found: dict[str, Tally] = {}
    for outcome in outcomes:
        for name in dict.fromkeys((*outcome.families, writer(outcome.generator))):
            known = found.get(name, Tally(family=name))
            found[name] = known.model_copy(update={outcome.turn: getattr(known, outcome.turn) + 1})
    return found
