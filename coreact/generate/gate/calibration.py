"""Thresholds of the gate, chosen on stored branching points and measured on others.

A gate is worth having if what gets through it, with the fallback where nothing does, puts candidates in a
better order than everything ungated, or than the fallback alone. So thresholds are chosen to maximise the
mean agreement (Spearman) of exactly that, on one half of the questions; what they are worth is told by the
other half, which chose nothing. Only what the gate can test at run time is used to admit a rubric: the
candidates it is tested on carry no gains. Where several thresholds do equally well the mildest are taken,
since refusing more has to be paid for by something seen.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from itertools import product
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

from pydantic import Field, ValidationError

from coreact.errors import ConfigError
from coreact.generate.gate.gate import Gate
from coreact.generate.gate.intervals import Interval, by_question, mean
from coreact.generate.gate.qualify import points_digest, score_rubric
from coreact.generate.gate.results import GateResult, Thresholds
from coreact.judge.asking import Asking, aserve, serve, work
from coreact.judge.runner import Judge
from coreact.rubric import Action, Record, Rubric, State
from coreact.rubric.branching import BranchingPoint
from coreact.rubric.canonical import digest

LEAST_QUESTIONS = 4
"""Fewest questions that thresholds are chosen on, and fewest that they are measured on."""

GRID: Mapping[str, tuple[float, ...]] = {
    "lint": (1.0, 0.75, 0.5, 0.25, 0.0),
    "executable": (0.0, 0.25, 0.5, 0.75, 1.0),
    "discrimination": (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8),
}
"""What is tried of each threshold, mildest first."""

_OPEN = Thresholds(lint=1.0, executable=0.0, discrimination=0.0)


class GateCalibration(Record):
    """Chosen thresholds, and what they did on questions that did not choose them."""

    thresholds: Thresholds
    data: str
    """Digest of all points."""
    generator: str
    """Whose rubrics they were chosen for."""
    seed: int
    chosen_on: int = Field(ge=1)
    """Questions of the half that chose."""
    admitted: float = Field(ge=0, le=1)
    """Share of the held-out rubrics that pass."""
    gated: Interval
    """Held-out agreement of the rubrics that pass, and of the fallback where one does not."""
    ungated: Interval
    """Of all rubrics."""
    fallback: Interval
    """Of the fallback alone; 0 where there is none."""

    @property
    def lock(self) -> str:
        """Content hash; there is no time in it."""
        return digest(self.model_dump())

    def artefact(self) -> str:
        """The text of the file that `load_gate_calibration` reads."""
        return json.dumps({"lock": self.lock, "calibration": self.model_dump()}, indent=1) + "\n"


class _Case(NamedTuple):
    """One rubric: what the gate sees of it without a label, and what it is worth."""

    question: str
    admissible: bool
    """No test failed that no threshold could change."""
    results: tuple[GateResult, ...]
    own: float
    fallback: float

    def admitted(self, limits: Thresholds) -> bool:
        return self.admissible and all(
            limits.allow(one.test, one.value)
            for one in self.results
            if one.value is not None and one.test in ("lint", "executable", "discrimination")
        )


def calibrate(
    points: Sequence[BranchingPoint],
    rubrics: Sequence[Rubric],
    *,
    generator: str,
    fallbacks: Sequence[Rubric | None] = (),
    judge: Judge | None = None,
    sampler: Callable[[State], Sequence[Action]] | None = None,
    seed: int = 0,
) -> GateCalibration:
    """Choose thresholds for the rubrics of one generator.

    Args:
        points: labelled branching points; those without contrast say nothing and are left out.
        rubrics: what the generator wrote for each point.
        generator: its id.
        fallbacks: what the fallback wrote for each point, None where nothing; empty: there is none.
        judge: decides criteria without a check.
        sampler: gives the candidates that the gate tests on, as at run time. None: perturbed ones.
        seed: draws the halves.

    Raises:
        ConfigError: the sequences are not equally long, or there are too few questions.
        MissingExtraError: the extra `judge` is not installed.
    """
    asking = _cases(points, rubrics, fallbacks, judge, sampler)
    return _chosen(serve(asking), points_digest(points), generator, seed)


async def acalibrate(
    points: Sequence[BranchingPoint],
    rubrics: Sequence[Rubric],
    *,
    generator: str,
    fallbacks: Sequence[Rubric | None] = (),
    judge: Judge | None = None,
    sampler: Callable[[State], Sequence[Action]] | None = None,
    seed: int = 0,
) -> GateCalibration:
    """The same, without blocking the event loop."""
    asking = _cases(points, rubrics, fallbacks, judge, sampler)
    return _chosen(await aserve(asking), points_digest(points), generator, seed)


def _cases(
    points: Sequence[BranchingPoint],
    rubrics: Sequence[Rubric],
    fallbacks: Sequence[Rubric | None],
    judge: Judge | None,
    sampler: Callable[[State], Sequence[Action]] | None,
) -> Asking[list[_Case]]:
    others = fallbacks or [None] * len(points)
    if not len(points) == len(rubrics) == len(others):
        raise ConfigError(
            f"{len(rubrics)} rubrics and {len(others)} fallbacks for {len(points)} branching points.",
            remedy="Give one of each for each point.",
        )
    gate = Gate(_OPEN)
    cases: list[_Case] = []
    for point, rubric, other in zip(points, rubrics, others, strict=True):
        own = yield from score_rubric(rubric, point, judge)
        if own is None:
            continue
        candidates = None if sampler is None else (yield work(sampler, point.state))
        report = yield from gate.examining(rubric, point.state, candidates, judge=judge)
        instead = 0.0 if other is None else (yield from score_rubric(other, point, judge)) or 0.0
        cases.append(_Case(point.question_id, report.admitted, report.results, own, instead))
    return cases


def _chosen(cases: Sequence[_Case], data: str, generator: str, seed: int) -> GateCalibration:
    questions = sorted({case.question for case in cases})
    Random(seed).shuffle(questions)
    half = set(questions[: len(questions) // 2])
    known = [case for case in cases if case.question in half]
    unseen = [case for case in cases if case.question not in half]
    if len(half) < LEAST_QUESTIONS:
        raise ConfigError(
            f"{len(questions)} questions with a label are too few to choose thresholds and to measure them.",
            remedy=f"Give at least {2 * LEAST_QUESTIONS}.",
        )
    best, most = _OPEN, -2.0
    for values in product(*GRID.values()):  # mildest first, and only a better one takes its place
        limits = Thresholds(**dict(zip(GRID, values, strict=True)))
        reached = _mean([(case.question, _gated(case, limits)) for case in known])
        if reached > most + _ROUNDING:
            best, most = limits, reached
    gated = [(case.question, _gated(case, best)) for case in unseen]
    return GateCalibration(
        thresholds=best,
        data=data,
        generator=generator,
        seed=seed,
        chosen_on=len(half),
        admitted=sum(case.admitted(best) for case in unseen) / len(unseen),
        gated=_interval(gated, seed),
        ungated=_interval([(case.question, case.own) for case in unseen], seed),
        fallback=_interval([(case.question, case.fallback) for case in unseen], seed),
    )


_ROUNDING = 1e-9


def _gated(case: _Case, limits: Thresholds) -> float:
    return case.own if case.admitted(limits) else case.fallback


def _mean(values: Sequence[tuple[str, float]]) -> float:
    own = by_question(values)
    return sum(own.values()) / len(own)


def _interval(values: Sequence[tuple[str, float]], seed: int) -> Interval:
    found = mean(by_question(values), seed=seed)
    assert found is not None  # noqa: S101 - both halves hold questions
    return found


def load_gate_calibration(path: Path, *, generator: str) -> GateCalibration:
    """Read a calibration, for the generator it was made for and no other.

    Raises:
        ConfigError: the file cannot be read or was changed, or it belongs to another generator.
    """
    remedy = "Make it again with coreact.generate.gate.calibrate."
    try:
        stored: dict[str, Any] = json.loads(Path(path).read_text(encoding="utf-8"))
        found = GateCalibration.model_validate(stored["calibration"])
        locked = stored["lock"]
    except OSError as error:
        raise ConfigError(
            f"The calibration {path} cannot be read: {error.strerror}.", remedy=remedy
        ) from error
    except (ValidationError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise ConfigError(f"{path} is no calibration of a gate.", remedy=remedy) from error
    if locked != found.lock:
        raise ConfigError(f"The calibration {path} was changed after it was made.", remedy=remedy)
    if found.generator != generator:
        raise ConfigError(
            f"The calibration {path} is for the generator {found.generator!r}, not for {generator!r}.",
            remedy=remedy,
        )
    return found
