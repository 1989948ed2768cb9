"""Measures a generator on held-out branching points, beside the generators and controls that it must beat.

All rank the same candidates by the same code, and what is told is the paired difference by question. A high
agreement alone proves little, since one rubric that fits most states well enough also has it; so the same
generator is also shown the state of another question (`ContextUse`), and only what it loses by that comes
from looking. An outside judge may be asked to rank the candidates too, where the gains are measured and not
its own. Nothing is fitted here, and what agents do with the rubrics is measured by
`coreact.bench.experiment`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import median, quantiles
from typing import NamedTuple

from pydantic import Field

from coreact.bench.rank.figures import (
    NONE,
    RANDOM,
    ArmFigures,
    Ranking,
    by_question,
    figures,
    random_scores,
    ranking,
    scores_by,
    tied,
)
from coreact.bench.rank.rubrics import Attempt, Watch, unwatched, write_rubrics
from coreact.bench.statistics import Interval, interval, paired_difference
from coreact.errors import ConfigError, GenerationError, JudgingError
from coreact.generate import ContractGenerator, HeuristicGenerator, RubricGenerator
from coreact.generate.gate.gate import Gate
from coreact.generate.prompted import PromptedGenerator
from coreact.judge.ordering import agreement, judged, standing
from coreact.judge.panel import Ranker
from coreact.rubric import Record
from coreact.rubric.branching import BranchingPoint

TRAINED, HEURISTIC = "trained", "heuristic"
"""Names of the measured generator, and of the one to beat, among the arms."""

SCRIPTED = "scripted policies"
"""Whose proposals the points are that an evaluation collects itself."""

SHIFT = 37
"""A state is swapped for the one of the question so many further on: co-prime to most numbers of points."""


class ContextUse(Record):
    """How much of the agreement comes from looking at the state."""

    own: Interval
    """Spearman of rubrics that were written for the state they rank in."""
    shuffled: Interval
    """The same where the generator was shown a state of another question, its reply read in this one."""
    difference: Interval
    """Paired, by question."""


class Latency(Record):
    """Seconds from state to rubric, one at a time."""

    median: float
    p95: float
    rubrics: int


class Outsider(Record):
    """A judge of another family, which saw neither the gains nor the rubric."""

    judge: str
    points: int
    """Points that it ranked."""
    failed: int
    """Points at which it gave no valid ranking; they count nowhere."""
    with_gains: Interval | None
    """Spearman of its ranking with the measured gains."""
    with_rubrics: Interval | None
    """Spearman of the rubrics' order with its ranking, on points where it tells candidates apart."""


class Evaluation(Record):
    """A generator on the held-out points of a world."""

    generator: str
    """Its id, with its version."""
    world: str
    version: str
    """Hash of the world's content."""
    seed: int
    """Of the draws of this evaluation: of its points, where it made them itself, and of chance."""
    proposed_by: str = SCRIPTED
    """Whose proposals the candidates are: the samplers of a collection, or scripted policies, each of whose
    actions counts once."""
    collection_seed: int | None = None
    """Of the collection that the points are of; None: it is not known, or the evaluation made them itself."""
    points: int
    questions: int
    dropped: int
    """Points without contrast, which are not measured."""
    arms: tuple[ArmFigures, ...]
    differences: dict[str, Interval]
    """Spearman of the generator minus that of each other arm, paired, by question."""
    taken_differences: dict[str, Interval] = Field(default_factory=dict)
    """The same of what verifying gains (`ArmFigures.taken`); empty where that was not measured."""
    context: ContextUse | None
    """None where the generator cannot be shown another state."""
    gate: Interval | None
    """Share of the rubrics that pass the gate without labels, in [0, 1]; None where none was written."""
    latency: Latency | None
    outsider: Outsider | None = None

    @property
    def trained(self) -> ArmFigures:
        """The figures of the generator itself."""
        return next(arm for arm in self.arms if arm.arm == TRAINED)

    @property
    def beats_heuristic(self) -> bool:
        """Whether the interval of the difference to the heuristic lies above 0."""
        return self.differences[HEURISTIC].low > 0


class Held(NamedTuple):
    """Points that nothing was trained on, and where they come from."""

    world: str
    version: str
    seed: int
    points: Sequence[BranchingPoint]
    proposed_by: str = SCRIPTED
    collection_seed: int | None = None


def evaluate(
    generator: RubricGenerator,
    held: Held,
    *,
    others: Mapping[str, RubricGenerator] | None = None,
    outsider: Ranker | None = None,
    watch: Watch = unwatched,
) -> Evaluation:
    """Measure a generator.

    Args:
        generator: who is measured.
        held: held-out points.
        others: further generators to compare with, by name, such as the untrained model.
        outsider: a judge that ranks the candidates itself.
        watch: is given attempts as they come, to show progress.

    Raises:
        ConfigError: no point has contrast, or another generator has the name of an arm.
        GenerationError: a generator cannot be reached.
    """
    measured = [point for point in held.points if point.has_contrast]
    if not measured:
        raise ConfigError("No held-out point has contrast.", remedy="Collect more questions.")
    arms: dict[str, RubricGenerator] = {TRAINED: generator, HEURISTIC: HeuristicGenerator()}
    taken = {*arms, NONE, RANDOM}.intersection(others or {})
    if taken:
        raise ConfigError(f"{taken.pop()!r} is the name of an arm.", remedy="Give another name.")
    attempts: dict[str, list[Attempt]] = {}
    rankings: dict[str, list[Ranking]] = {}
    for name, writer in {**arms, **(others or {})}.items():
        attempts[name] = list(watch(write_rubrics(writer, measured), name, len(measured)))
        rankings[name] = [
            ranking(point, scores_by(attempt, point))
            for point, attempt in zip(measured, attempts[name], strict=True)
        ]
    rankings[RANDOM] = [ranking(point, random_scores(point, held.seed)) for point in measured]
    rankings[NONE] = [ranking(point, tied(point)) for point in measured]
    return Evaluation(
        generator=generator.id,
        world=held.world,
        version=held.version,
        seed=held.seed,
        proposed_by=held.proposed_by,
        collection_seed=held.collection_seed,
        points=len(measured),
        questions=len({point.question_id for point in measured}),
        dropped=len(held.points) - len(measured),
        arms=figures(rankings, attempts),
        differences=_differences(rankings, "spearman"),
        taken_differences=_differences(rankings, "taken"),
        context=_context(generator, measured, rankings[TRAINED]),
        gate=_gated(measured, attempts[TRAINED]),
        latency=_latency(attempts[TRAINED]),
        outsider=None if outsider is None else _outsider(outsider, measured, attempts[TRAINED], held.seed),
    )


def _differences(rankings: Mapping[str, Sequence[Ranking]], figure: str) -> dict[str, Interval]:
    """The generator's figure less that of each other arm."""
    by_arm = {name: by_question(ranked, figure) for name, ranked in rankings.items()}
    own = by_arm.pop(TRAINED)
    return {
        name: paired_difference(list(own.values()), [values[key] for key in own])
        for name, values in by_arm.items()
    }


def _context(
    generator: RubricGenerator, points: Sequence[BranchingPoint], ranked: Sequence[Ranking]
) -> ContextUse | None:
    if not isinstance(generator, PromptedGenerator):
        return None
    swapped = []
    for at, point in enumerate(points):
        further = (points[(at + SHIFT + step) % len(points)] for step in range(len(points)))
        other = next((one for one in further if one.question_id != point.question_id), None)
        if other is None:  # all points are of one question
            return None
        try:
            rubric = generator.write(point.state, shown=other.state).rubric
            scores = standing(judged(rubric, point.actions, point.state))
        except GenerationError:
            scores = tied(point)
        swapped.append(ranking(point, scores))
    own, shuffled = by_question(ranked, "spearman"), by_question(swapped, "spearman")
    return ContextUse(
        own=interval(list(own.values())),
        shuffled=interval(list(shuffled.values())),
        difference=paired_difference(list(own.values()), [shuffled[key] for key in own]),
    )


def _gated(points: Sequence[BranchingPoint], attempts: Sequence[Attempt]) -> Interval | None:
    gate = Gate(contracts=ContractGenerator(plan_length=2))
    passed = [
        float(gate.examine(attempt.rubric, point.state).admitted)
        for point, attempt in zip(points, attempts, strict=True)
        if attempt.rubric is not None
    ]
    return interval(passed) if passed else None


def _latency(attempts: Sequence[Attempt]) -> Latency | None:
    seconds = [attempt.cost.seconds for attempt in attempts if attempt.rubric is not None]
    if not seconds:
        return None
    p95 = quantiles(seconds, n=20)[-1] if len(seconds) > 1 else seconds[0]
    return Latency(median=median(seconds), p95=p95, rubrics=len(seconds))


def _outsider(
    judge: Ranker, points: Sequence[BranchingPoint], attempts: Sequence[Attempt], seed: int
) -> Outsider:
    with_gains: list[float] = []
    with_rubrics: list[float] = []
    failed = 0
    for point, attempt in zip(points, attempts, strict=True):
        try:
            ranks = judge.rank(point.state, point.actions, seed=seed).ranks
        except JudgingError:
            failed += 1
            continue
        opinion = [-rank for rank in ranks]
        with_gains.append(agreement(opinion, point.gains) or 0.0)
        found = agreement(scores_by(attempt, point), opinion)
        if found is not None:
            with_rubrics.append(found)
    return Outsider(
        judge=judge.id,
        points=len(points) - failed,
        failed=failed,
        with_gains=interval(with_gains) if with_gains else None,
        with_rubrics=interval(with_rubrics) if with_rubrics else None,
    )
