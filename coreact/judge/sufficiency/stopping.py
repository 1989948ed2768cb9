"""Answer, go on or decline: thresholds with a guarantee, and the decision made by them.

A run is answered at the first moment at which the critic's probability reaches the threshold, and declined
if it ends before. What a threshold does is therefore counted over whole runs, one of each question, which
are independent, and not over moments, which are not. Of a fixed grid of thresholds those are admitted whose
risk (share of wrong ones among the answered) is at most the target with the stated confidence: the upper
Clopper-Pearson bound, with the error level divided by the number of thresholds tried (Bonferroni), so that
choosing among them costs nothing of the guarantee. Among the admitted the cheapest is taken, where a right
draft that is sent on for more retrieval costs too: a false rejection adds noise (SIM-RAG, arXiv 2505.02811).
The guarantee is for questions, a critic and an agent like those it was chosen on, and for nothing else.

Sources: selection with guaranteed risk control (Geifman and El-Yaniv 2017), Learn then Test (Angelopoulos et
al. 2021); declining below a threshold of predicted quality: Self-J. What differs: the unit is the run.
"""

from __future__ import annotations

import importlib
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from pydantic import Field

from coreact.errors import ConfigError, MissingExtraError
from coreact.judge.sufficiency.critic import LogisticCritic, known_as
from coreact.judge.sufficiency.practice import Example
from coreact.rubric import Record

GRID: tuple[float, ...] = tuple(round(0.05 * step, 2) for step in range(1, 20))
"""Thresholds that are tried: fixed beforehand, never read off the examples."""


class Moment(NamedTuple):
    """A moment of a labelled run, as a critic sees it."""

    question: str
    run: str
    at: int
    """Place in the run."""
    probability: float | None
    """What the critic gives; None where it cannot tell, or where there is no draft: never answered."""
    right: bool
    """Whether answering then would have been right."""


class Point(Record):
    """What one threshold does to labelled runs."""

    threshold: float
    runs: int
    answered: int
    wrong: int
    """Of the answered."""
    false_rejections: int
    """Moments with a right draft that were not answered."""
    bound: float
    """Upper confidence bound of the risk, in [0, 1]; 1 where nothing is answered."""

    @property
    def coverage(self) -> float:
        """Share of the runs that are answered, in [0, 1]."""
        return self.answered / self.runs

    @property
    def risk(self) -> float | None:
        """Share of the answered that are wrong, in [0, 1], lower is better; None where none is answered."""
        return self.wrong / self.answered if self.answered else None


class CoverageRisk(Record):
    """Coverage against risk over thresholds, in ascending order of the threshold."""

    points: tuple[Point, ...] = Field(min_length=1)
    confidence: float
    """That all bounds hold at once."""

    @property
    def area(self) -> float | None:
        """Mean risk over the points that answer anything, lower is better; None where none does."""
        risks = [point.risk for point in self.points if point.risk is not None]
        return sum(risks) / len(risks) if risks else None


class Threshold(Record):
    """The probability from which on an answer is given, and what is known of it."""

    answer: float = Field(ge=0, le=1)
    """Answer from this probability on."""
    critic: str
    """Version of the critic that it was chosen for."""
    target_risk: float
    """Highest share of wrong ones among the answered that was allowed."""
    confidence: float
    """With which the true risk is at most `chosen.bound`."""
    rejection_cost: float
    """Cost of one false rejection, in wrong answers."""
    chosen: Point
    """What it does to the runs that it was chosen on."""


def moments(critic: LogisticCritic, examples: Iterable[Example]) -> tuple[Moment, ...]:
    """What a critic gives for labelled examples that it was not fitted on.

    Raises:
        ConfigError: it was fitted or calibrated on a question of them: a threshold chosen by such moments
            would promise a risk that it does not keep.
    """
    examples = tuple(examples)
    asked = {one.question for one in examples}
    if seen := sum(known_as(one) in critic.known for one in asked):
        raise ConfigError(
            f"The critic was fitted or calibrated on {seen} of the {len(asked)} questions.",
            remedy="Give others: `parted(examples, seed=…).held_out` with the seed of `fit`, or new ones.",
        )
    return tuple(
        Moment(
            example.question,
            example.run,
            example.at,
            critic.probability(example.features) if example.features["draft_given"] else None,
            example.right,
        )
        for example in examples
    )


def coverage_risk(seen: Sequence[Moment], *, confidence: float = 0.95) -> CoverageRisk:
    """The curve over `GRID`.

    Args:
        seen: moments of labelled runs. Of several runs of one question only the first by id counts.
        confidence: that all bounds hold at once, in (0, 1).

    Raises:
        ConfigError: there are no moments, or the confidence is out of range.
        MissingExtraError: the extra `judge` is not installed.
    """
    if not 0 < confidence < 1 or not seen:
        raise ConfigError(
            f"{len(seen)} moments and a confidence of {confidence} make no curve.",
            remedy="Give labelled moments, and a confidence between 0 and 1.",
        )
    runs = _runs(seen)
    level = (1 - confidence) / len(GRID)
    return CoverageRisk(points=tuple(_point(runs, at, level) for at in GRID), confidence=confidence)


def choose(
    seen: Sequence[Moment],
    *,
    critic: str,
    target_risk: float,
    rejection_cost: float = 0.5,
    confidence: float = 0.95,
) -> Threshold:
    """The cheapest threshold that keeps the risk.

    Args:
        seen: moments of labelled runs that the critic was not fitted on.
        critic: its version.
        target_risk: highest share of wrong ones among the answered, in (0, 1).
        rejection_cost: what sending a right draft on costs, in wrong answers; 0 or more.
        confidence: with which the risk is kept, in (0, 1).

    Raises:
        ConfigError: a setting is out of range, or no threshold keeps the risk on so few or such runs; the
            message says how near the best one comes.
        MissingExtraError: the extra `judge` is not installed.
    """
    if not 0 < target_risk < 1 or rejection_cost < 0:
        raise ConfigError(
            f"A target risk of {target_risk} or a rejection cost of {rejection_cost} is out of range.",
            remedy="Give a risk between 0 and 1, and a cost of 0 or more.",
        )
    curve = coverage_risk(seen, confidence=confidence)
    admitted = [point for point in curve.points if point.answered and point.bound <= target_risk]
    if not admitted:
        best = min(curve.points, key=lambda point: point.bound)
        raise ConfigError(
            f"No threshold keeps the risk at {target_risk:g}: the best one, {best.threshold:g}, answers"
            f" {best.answered} of {best.runs} runs, {best.wrong} of them wrong: a risk of up to"
            f" {best.bound:.3f}.",
            remedy="Give more runs, allow more risk, or fit a better critic.",
        )
    cheapest = min(
        admitted, key=lambda point: (point.wrong + rejection_cost * point.false_rejections, point.threshold)
    )
    return Threshold(
        answer=cheapest.threshold,
        critic=critic,
        target_risk=target_risk,
        confidence=confidence,
        rejection_cost=rejection_cost,
        chosen=cheapest,
    )


def _runs(seen: Iterable[Moment]) -> list[list[Moment]]:
    by_question: defaultdict[str, defaultdict[str, list[Moment]]] = defaultdict(lambda: defaultdict(list))
    for moment in seen:
        by_question[moment.question][moment.run].append(moment)
    return [sorted(runs[min(runs)], key=lambda one: one.at) for _, runs in sorted(by_question.items())]


def _point(runs: Sequence[Sequence[Moment]], threshold: float, level: float) -> Point:
    answered = wrong = rejected = 0
    for run in runs:
        for moment in run:
            if moment.probability is not None and moment.probability >= threshold:
                answered += 1
                wrong += not moment.right
                break
            rejected += moment.right
    return Point(
        threshold=threshold,
        runs=len(runs),
        answered=answered,
        wrong=wrong,
        false_rejections=rejected,
        bound=_upper(wrong, answered, level),
    )


def _upper(wrong: int, answered: int, level: float) -> float:
    """The upper Clopper-Pearson bound at a one-sided error level."""
    if wrong >= answered:
        return 1.0
    return float(_library("scipy.stats").beta.ppf(1 - level, wrong + 1, answered - wrong))


def _library(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise MissingExtraError("Choosing thresholds", extra="judge") from error
