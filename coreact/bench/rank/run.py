"""One comparison from start to end: points of a world, the arms' rubrics, the figures."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Literal

from pydantic import Field

from coreact.bench.rank.arms import ARMS, FITTED, Workshop
from coreact.bench.rank.figures import (
    NONE,
    POLICY,
    RANDOM,
    ArmFigures,
    Ranking,
    Scores,
    figures,
    random_scores,
    ranking,
    scores_by,
    tied,
    unguided,
)
from coreact.bench.rank.rubrics import Attempt, write_rubrics
from coreact.errors import ConfigError
from coreact.generate.gate.benefit import Tally, outcomes_from, tallied
from coreact.judge.runner import Judge
from coreact.rubric import Record
from coreact.rubric.branching import BranchingPoint
from coreact.trace.journal import Journal
from coreact.train.branch.scripted import Sampler, collect, parts
from coreact.worlds import World

Half = Literal["dev", "all"]
"""What is measured: the half that nothing was fitted on, or both, where no arm fits anything."""


class Report(Record):
    """What was compared, and how it came out."""

    world: str
    version: str
    """Hash of the world's content."""
    seed: int
    half: Half
    points: int
    """Points measured."""
    dropped: int
    """Points without contrast, which are not measured."""
    policy: tuple[str, ...] = POLICY
    """Sources of the unguided choice that `fixed` and `spoiled` are counted against."""
    judge: str | None
    """Id of the judge of criteria without a check; None: they stay open."""
    fitted: tuple[str, ...] = ()
    """What was fitted on the other half."""
    arms: tuple[ArmFigures, ...]
    families: dict[str, dict[str, Tally]] = Field(default_factory=dict)
    """By arm, what each family of criteria did against the unguided choice, decided by checks alone."""


class Points:
    """The branching points of a world, collected once and kept in a file where one is given.

    Args:
        world: corpus and questions.
        n: most questions of each half.
        seed: draws questions, states and moves.
        per_question: states of each question, 1 to 4.
        sampler: adds candidates, or None. Points that the file holds already are taken as they are.
        file: JSON lines of branching points, or None.
        only: ids of the points to take; None: all.

    Raises:
        LabelFileError: a line of the file is no branching point.
    """

    def __init__(
        self,
        world: World,
        *,
        n: int,
        seed: int = 0,
        per_question: int = 1,
        sampler: Sampler | None = None,
        file: Path | None = None,
        only: Collection[str] | None = None,
    ) -> None:
        self._only = only
        self.world = world
        self.seed = seed
        self._halves = parts(world, n=n, seed=seed)
        self._per_question = per_question
        self._sampler = sampler
        self._journal = None if file is None else Journal(file, BranchingPoint)

    def train(self) -> tuple[BranchingPoint, ...]:
        """Points to fit on."""
        return self._of("train")

    def dev(self) -> tuple[BranchingPoint, ...]:
        """Points to measure on."""
        return self._of("dev")

    def _of(self, half: Literal["train", "dev"]) -> tuple[BranchingPoint, ...]:
        journal = self._journal
        known = {point.id: point for point in (journal.records if journal is not None else ())}
        found = []
        for point in collect(
            self.world,
            getattr(self._halves, half),
            seed=self.seed,
            per_question=self._per_question,
            sampler=self._sampler,
            known=known,
        ):
            if self._only is None or point.id in self._only:
                found.append(point)
            if journal is not None and point.id not in known:
                journal.add(point)
        return tuple(found)


def compare(
    points: Points,
    arms: Sequence[str],
    *,
    workshop: Workshop | None = None,
    half: Half = "dev",
    judge: Judge | None = None,
) -> Report:
    """Have every arm rank the candidates of the same points.

    Args:
        points: where the points come from.
        arms: names: `none`, `random`, or one of `ARMS`.
        workshop: makes the generators; None: one without a model.
        half: what to measure on.
        judge: decides criteria without a check; they stay open if None.

    Raises:
        ConfigError: an arm is unknown or lacks a model, fits on what is measured, or there are no points.
    """
    known = (NONE, RANDOM, *ARMS)
    unknown = [arm for arm in arms if arm not in known]
    if unknown or not arms:
        what = f"There is no arm {unknown[0]!r}." if unknown else "There are no arms."
        raise ConfigError(what, remedy=f"Arms are: {', '.join(known)}.")
    fitting = [arm for arm in arms if arm in FITTED]
    if fitting and half == "all":
        raise ConfigError(
            f"{fitting[0]!r} is fitted on one half.", remedy="Measure on the other: --half dev."
        )
    collected = points.dev() if half == "dev" else (*points.train(), *points.dev())
    measured = [point for point in collected if point.has_contrast]
    if not measured:
        raise ConfigError("The world gives no branching points.", remedy="Give one with more questions.")
    shop = workshop or Workshop()
    attempts: dict[str, list[Attempt]] = {}
    rankings: dict[str, list[Ranking]] = {}
    for arm in arms:
        scores: list[Scores]
        if arm in ARMS:
            generator = ARMS[arm](shop)
            attempts[arm] = list(shop.watch(write_rubrics(generator, measured), arm, len(measured)))
            pairs = zip(attempts[arm], measured, strict=True)
            scores = [scores_by(attempt, point, judge=judge) for attempt, point in pairs]
        elif arm == RANDOM:
            scores = [random_scores(point, points.seed) for point in measured]
        else:
            scores = [tied(point) for point in measured]
        rankings[arm] = [ranking(point, given) for point, given in zip(measured, scores, strict=True)]
    return Report(
        world=points.world.name,
        version=points.world.version,
        seed=points.seed,
        half=half,
        points=len(measured),
        dropped=len(collected) - len(measured),
        judge=None if judge is None else judge.id,
        fitted=shop.fitted.notes if fitting else (),
        arms=figures(rankings, attempts),
        families={arm: _families(arm, measured, found) for arm, found in attempts.items()},
    )


def _families(arm: str, points: Sequence[BranchingPoint], attempts: Sequence[Attempt]) -> dict[str, Tally]:
    written = [
        (point, attempt.rubric)
        for point, attempt in zip(points, attempts, strict=True)
        if attempt.rubric is not None
    ]
    outcomes = outcomes_from(
        [point for point, _ in written], [rubric for _, rubric in written], generator=arm, first=unguided
    )
    return tallied(outcomes)
