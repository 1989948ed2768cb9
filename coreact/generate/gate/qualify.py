"""What a generator is worth on labelled branching points, and whether it may guide at all.

A rubric for a new state has no label, so whether a writer's rubrics point the right way can only be known of
the writer. At each point its rubric puts the candidates in an order, and the agreement of that order with
their gains is Spearman's rank correlation. Operation without rubrics puts them in no order, which is 0: a
refusal counts 0, and so does a failure; both are also counted apart. Questions are the unit that is drawn
again. A generator may guide if the interval of its mean lies above 0 and, where there is a baseline, that of
the paired difference does not reach below a margin (non-inferiority).

The report belongs to one generator id and one set of points. It is no promise for other tasks.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Literal, NamedTuple

from pydantic import Field, ValidationError

from coreact.errors import ConfigError, GenerationError
from coreact.generate.gate.intervals import RESAMPLES, Interval, by_question, mean
from coreact.generate.generator import NoRubricError, RubricGenerator, RubricRefusedError
from coreact.judge.asking import Asking, Request, aserve, serve
from coreact.judge.ordering import agreement, judging, outage, standing, total_cost
from coreact.judge.records import Cost
from coreact.judge.runner import Judge
from coreact.rubric import Record, Rubric, State
from coreact.rubric.branching import BranchingPoint
from coreact.rubric.canonical import digest

Ending = Literal["written", "refused", "failed", "unjudged"]
"""How a point ended. `refused`: the rubric did not pass a gate; `failed`: no rubric came of it; `unjudged`:
the judge broke, so the point counts nowhere."""

LEAST_QUESTIONS = 10
"""Fewest questions from which on a generator may guide."""


class Bar(Record):
    """What a generator must reach. Ours."""

    questions: int = Field(default=LEAST_QUESTIONS, ge=2)
    """Fewest questions it was measured on."""
    mean: float = Field(default=0.0, ge=-1, le=1)
    """What the lower end of the interval of its mean agreement must exceed."""
    inferiority: float = Field(default=0.05, ge=0, le=2)
    """How far below the baseline the lower end of the paired difference may reach."""


class PointScore(Record):
    """A generator on one branching point."""

    point: str
    question: str
    ending: Ending
    agreement: float | None = Field(default=None, ge=-1, le=1)
    """Spearman of the rubric's order with the gains; 0 where no rubric was written."""
    rubric: str = ""
    """Lock of the rubric."""
    reason: str = ""


class GeneratorReport(Record):
    """What a generator is worth on a set of labelled branching points."""

    generator: str
    """Its id."""
    data: str
    """Digest of the points, see `points_digest`."""
    judge: str | None
    """Id of the judge that decided criteria without a check; None: nobody did."""
    seed: int
    bar: Bar
    questions: int = Field(ge=0)
    """Questions with a point that counts."""
    points: int = Field(ge=0)
    """Points that count: their candidates differ in worth and could be judged."""
    endings: dict[Ending, int]
    """How often each came up, points without contrast left out."""
    agreement: Interval | None
    """Mean over questions, which is also the paired difference to no rubric; None where nothing counts."""
    when_written: Interval | None
    """The same over the points where a rubric was written."""
    baseline: str | None = None
    baseline_agreement: Interval | None = None
    difference: Interval | None = None
    """Mean over questions of agreement minus the baseline's on the same points."""
    cost: Cost = Cost()
    """Of writing and judging, the baseline left out."""

    @property
    def shortcomings(self) -> tuple[str, ...]:
        """Every reason why the generator may not guide; empty where it may."""
        bar, found = self.bar, []
        if self.questions < bar.questions:
            found.append(f"measured on {self.questions} questions, fewer than {bar.questions}")
        if self.agreement is None or self.agreement.low <= bar.mean:
            found.append(f"its agreement {self.agreement} is not safely above {bar.mean:g}")
        if self.baseline is not None and (self.difference is None or self.difference.low < -bar.inferiority):
            found.append(f"it may be worse than {self.baseline!r}: difference {self.difference}")
        return tuple(found)

    @property
    def may_guide(self) -> bool:
        """Whether its rubrics may guide, each of them still behind a gate. Computed, never stored."""
        return not self.shortcomings

    @property
    def reason(self) -> str:
        """The shortcomings, or what it reached."""
        return "; ".join(self.shortcomings) or f"agreement {self.agreement}"

    def artefact(self) -> str:
        """The text of the file that `load_report` reads."""
        return self.model_dump_json(indent=1) + "\n"


class Scores(NamedTuple):
    """A generator on all points, in their order."""

    points: tuple[PointScore, ...]
    cost: Cost


def points_digest(points: Sequence[BranchingPoint]) -> str:
    """Hash of a set of branching points by what they hold; their order does not matter."""
    return digest(
        sorted(
            digest([p.id, p.question_id, p.state.digest, p.gains, [str(action) for action in p.actions]])
            for p in points
        )
    )


def qualify_generator(
    generator: RubricGenerator,
    points: Sequence[BranchingPoint],
    *,
    baseline: RubricGenerator | None = None,
    judge: Judge | None = None,
    bar: Bar | None = None,
    seed: int = 0,
    resamples: int = RESAMPLES,
) -> GeneratorReport:
    """Measure a generator.

    Args:
        generator: who writes a rubric for each point's state; it sees no candidates and no gains.
        points: branching points, which must not be those that the generator learned from.
        baseline: another generator on the same points, such as the heuristic.
        judge: decides criteria without a check; they stay unknown if None.
        bar: what it must reach.
        seed: draws the resamples.
        resamples: how many.

    Raises:
        MissingExtraError: the extra `judge` is not installed.
    """
    mine = serve(scoring(generator, points, judge))
    other = None if baseline is None else serve(scoring(baseline, points, judge))
    return _report(generator, baseline, points, mine, other, judge, bar or Bar(), seed, resamples)


async def aqualify_generator(
    generator: RubricGenerator,
    points: Sequence[BranchingPoint],
    *,
    baseline: RubricGenerator | None = None,
    judge: Judge | None = None,
    bar: Bar | None = None,
    seed: int = 0,
    resamples: int = RESAMPLES,
) -> GeneratorReport:
    """The same, without blocking the event loop."""
    mine = await aserve(scoring(generator, points, judge))
    other = None if baseline is None else await aserve(scoring(baseline, points, judge))
    return _report(generator, baseline, points, mine, other, judge, bar or Bar(), seed, resamples)


def scoring(
    generator: RubricGenerator, points: Sequence[BranchingPoint], judge: Judge | None
) -> Asking[Scores]:
    """Have a generator write for each point with contrast and score what it wrote."""
    found: list[PointScore] = []
    cost = Cost()
    for point in points:
        if not point.has_contrast:
            continue
        try:
            written = yield writing(generator, point.state)
        except GenerationError as error:
            ending: Ending = "refused" if isinstance(error, RubricRefusedError) else "failed"
            cost += error.cost if isinstance(error, NoRubricError) else Cost()
            found.append(_score(point, ending, agreement=0.0, reason=str(error)))
            continue
        judgements = yield from judging(written.rubric, point.actions, point.state, judge)
        cost += written.cost + total_cost(judgements)
        lock, broke = written.rubric.lock, outage(judgements)
        if broke is not None:
            found.append(_score(point, "unjudged", rubric=lock, reason=f"the judge failed ({broke})"))
            continue
        value = agreement(standing(judgements), point.gains)
        found.append(_score(point, "written", agreement=value, rubric=lock))
    return Scores(tuple(found), cost)


def _score(
    point: BranchingPoint,
    ending: Ending,
    *,
    agreement: float | None = None,
    rubric: str = "",
    reason: str = "",
) -> PointScore:
    return PointScore(
        point=point.id,
        question=point.question_id,
        ending=ending,
        agreement=None if agreement is None else max(-1.0, min(1.0, agreement)),
        rubric=rubric,
        reason=reason,
    )


def _report(
    generator: RubricGenerator,
    baseline: RubricGenerator | None,
    points: Sequence[BranchingPoint],
    mine: Scores,
    other: Scores | None,
    judge: Judge | None,
    bar: Bar,
    seed: int,
    resamples: int,
) -> GeneratorReport:
    def interval(values: Sequence[tuple[str, float]]) -> Interval | None:
        return mean(by_question(values), seed=seed, resamples=resamples)

    own = {one.point: one.agreement for one in mine.points if one.agreement is not None}
    theirs = {
        one.point: one.agreement for one in (other.points if other else ()) if one.agreement is not None
    }
    question = {one.point: one.question for one in mine.points}
    written = [one for one in mine.points if one.ending == "written" and one.agreement is not None]
    return GeneratorReport(
        generator=generator.id,
        data=points_digest(points),
        judge=None if judge is None else judge.id,
        seed=seed,
        bar=bar,
        questions=len({question[point] for point in own}),
        points=len(own),
        endings=dict(Counter(one.ending for one in mine.points)),
        agreement=interval([(question[point], value) for point, value in own.items()]),
        when_written=interval([(one.question, one.agreement or 0.0) for one in written]),
        baseline=None if baseline is None else baseline.id,
        baseline_agreement=interval([(question[point], value) for point, value in theirs.items()]),
        difference=interval(
            [(question[point], own[point] - theirs[point]) for point in own if point in theirs]
        ),
        cost=mine.cost,
    )


def load_report(path: Path, *, generator: str) -> GeneratorReport:
    """Read a report, for the generator it was made for and no other.

    Raises:
        ConfigError: the file cannot be read, is no report, or is of another generator.
    """
    remedy = "Make it again with coreact.generate.gate.qualify_generator."
    try:
        found = GeneratorReport.model_validate_json(Path(path).read_bytes())
    except OSError as error:
        raise ConfigError(f"The report {path} cannot be read: {error.strerror}.", remedy=remedy) from error
    except ValidationError as error:
        raise ConfigError(f"{path} is no report on a generator.", remedy=remedy) from error
    if found.generator != generator:
        raise ConfigError(
            f"The report {path} is of the generator {found.generator!r}, not of {generator!r}.", remedy=remedy
        )
    return found


def score_rubric(rubric: Rubric, point: BranchingPoint, judge: Judge | None) -> Asking[float | None]:
    """Spearman of the rubric's order with the gains; None without contrast or where the judge broke."""
    judgements = yield from judging(rubric, point.actions, point.state, judge)
    return None if outage(judgements) is not None else agreement(standing(judgements), point.gains)


def writing(generator: RubricGenerator, state: State) -> Request:
    """Ask a generator for a rubric, in a procedure of `coreact.judge.asking`. Reply: `Written`."""
    return Request(partial(generator.write, state), partial(generator.awrite, state))
