"""What a rubric did wherever it was used: pass rates of its criteria, and what they tell apart.

Counted over stored judgements of selected attempts; nobody is asked again. A criterion discriminates where
it is met more often in runs that came out well than in those that did not. How a run came out is read from
a judgement of the run as a whole; without one only the mean step score is left, of which the criterion is
itself a part, so that is said with the figure.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from statistics import fmean
from typing import NamedTuple

from coreact.judge import Status
from coreact.judge.scoring.settling import CREDIT
from coreact.rubric import Criterion, Rubric
from coreact.trace import RunFilter, TraceStore, Trajectory, step_score

RUNS = 200
"""Newest runs that are looked at."""


class Outcome(NamedTuple):
    """How a run came out."""

    good: bool | None
    """None where nothing says it."""
    circular: bool
    """It rests on the step scores."""


class Use(NamedTuple):
    """One step that a rubric guided."""

    run: str
    question: str
    step: int
    generator: str
    score: float | None
    passed: bool | None
    outcome: Outcome


class CriterionFigures(NamedTuple):
    """How one criterion fared."""

    criterion: Criterion
    counts: Counter[Status]
    """Verdicts by status."""
    credit: float | None
    """Mean credit in [0, 1] of what was judged; None where nothing was."""
    never_failed: bool
    """Judged at least once, and always met."""
    good: tuple[float | None, int]
    """Mean credit in runs that came out well, and how many verdicts that rests on."""
    bad: tuple[float | None, int]

    @property
    def discrimination(self) -> float | None:
        """Mean credit in good runs less that in bad ones, in [-1, 1]; None where one side is empty."""
        good, bad = self.good[0], self.bad[0]
        return None if good is None or bad is None else good - bad


class RubricUse(NamedTuple):
    """A rubric and all that became of it in the runs looked at."""

    rubric: Rubric
    uses: list[Use]
    figures: list[CriterionFigures]
    circular: bool
    """At least one outcome rests on the step scores."""
    runs: int


def outcome(trajectory: Trajectory) -> Outcome:
    """How a run came out: by the last judgement of it as a whole, else by its mean score.

    Without a judgement of the whole, a run is good where it ended as `done` and its mean score reaches
    the mean threshold of its rubrics.
    """
    whole = [one for one in trajectory.standing if one.step is None and one.judgement.passed is not None]
    if whole:
        human = [one for one in whole if one.evaluator.kind == "human"]
        return Outcome((human or whole)[-1].judgement.passed, circular=False)
    end = trajectory.end
    if end is None:
        return Outcome(None, circular=False)
    if end.status != "done":
        return Outcome(False, circular=False)
    thresholds = [step.rubric.threshold for step in trajectory.steps if step.rubric is not None]
    if end.score is None or not thresholds:
        return Outcome(None, circular=False)
    return Outcome(end.score >= fmean(thresholds), circular=True)


def rubric_use(store: TraceStore, lock: str, *, runs: int = RUNS) -> RubricUse | None:
    """What became of a rubric in the newest runs that used it; None where no run did.

    Args:
        store: where the runs are.
        lock: the rubric's lock, or its beginning; the first rubric found with it is meant.
        runs: how many runs are looked at.

    Raises:
        StoreError: the store cannot be read.
    """
    newest = store.runs(runs, RunFilter(rubric=lock))
    rubric: Rubric | None = None
    uses: list[Use] = []
    said: dict[str, list[tuple[Status, bool | None]]] = defaultdict(list)
    for summary in reversed(newest):
        whole = store.trajectory(summary.id)
        came = outcome(whole)
        for step in whole.steps:
            if step.rubric is None or not step.rubric.lock.startswith(lock):
                continue
            rubric = rubric or step.rubric
            if step.rubric.lock != rubric.lock:
                continue
            judgements = () if step.chosen is None else step.chosen.judgements
            passed = [one.passed for one in judgements]
            uses.append(
                Use(
                    run=whole.run.id,
                    question=whole.run.question,
                    step=step.index,
                    generator=step.generator,
                    score=step_score(step),
                    passed=False if False in passed else None if None in passed or not passed else True,
                    outcome=came,
                )
            )
            for judgement in judgements:
                for verdict in judgement.verdicts:
                    said[verdict.criterion].append((verdict.status, came.good))
    if rubric is None:
        return None
    return RubricUse(
        rubric=rubric,
        uses=uses,
        figures=[_figures(criterion, said[criterion.id]) for criterion in rubric],
        circular=any(use.outcome.circular for use in uses),
        runs=len(newest),
    )


def _figures(criterion: Criterion, said: Iterable[tuple[Status, bool | None]]) -> CriterionFigures:
    said = list(said)
    counts = Counter(status for status, _ in said)
    judged = counts["met"] + counts["partial"] + counts["unmet"]
    return CriterionFigures(
        criterion=criterion,
        counts=counts,
        credit=_credit(status for status, _ in said)[0],
        never_failed=judged > 0 and counts["met"] == judged,
        good=_credit(status for status, good in said if good is True),
        bad=_credit(status for status, good in said if good is False),
    )


def _credit(statuses: Iterable[Status]) -> tuple[float | None, int]:
    found = [CREDIT[status] for status in statuses if status in CREDIT]
    return (fmean(found) if found else None), len(found)
