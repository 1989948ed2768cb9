"""What many stored runs have in common, counted: one pass, and memory that does not grow with their number.

Only what stands in the records is counted; nothing is judged and nothing is estimated. Scores are kept as a
histogram, so that quantiles are exact to a thousandth. Where runs are to be compared with each other, see
`coreact.trace.diff`.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Literal, TypeVar

from coreact.judge import Cause, Cost, Judgement, Status, Verdict
from coreact.rubric import Rubric
from coreact.trace.records import (
    AttemptSource,
    Disposition,
    Evaluator,
    ObservationRecord,
    Rung,
    RunStatus,
    StepRecord,
    Trajectory,
)
from coreact.trace.stats.result import CriterionStats, Distribution, EvaluatorStats, ToolStats, TraceStats
from coreact.trace.store import step_score

MOST_CRITERIA = 10_000
"""Criteria that are told apart; what is said of further ones counts in the totals only."""

QUANTILES = (0.0, 0.05, 0.25, 0.5, 0.75, 0.95, 1.0)
"""Quantiles of a distribution that are reported."""

_GRAIN = 1_000

Name = TypeVar("Name", bound=str)


def stats(trajectories: Iterable[Trajectory]) -> TraceStats:
    """Count what runs hold.

    Args:
        trajectories: the runs, each looked at once and let go; such as `store.trajectories(where)`.
    """
    counted = _Counted()
    for trajectory in trajectories:
        counted.add(trajectory)
    return counted.stats()


class _Histogram:
    """Numbers in [0, 1], kept to a thousandth."""

    def __init__(self) -> None:
        self._bins: Counter[int] = Counter()
        self._sum = 0.0

    def add(self, value: float | None) -> None:
        if value is not None:
            self._bins[round(value * _GRAIN)] += 1
            self._sum += value

    def distribution(self) -> Distribution:
        n = self._bins.total()
        if not n:
            return Distribution(n=0)
        return Distribution(
            n=n, mean=self._sum / n, quantiles={share: self._quantile(share * n) for share in QUANTILES}
        )

    def _quantile(self, wanted: float) -> float:
        passed = 0
        for place, count in sorted(self._bins.items()):
            passed += count
            if passed >= wanted:
                return place / _GRAIN
        raise AssertionError("the shares of a distribution are at most 1")


@dataclass
class _Tool:
    calls: int = 0
    failed: int = 0
    blocked: int = 0
    seconds: float = 0.0


@dataclass
class _Criterion:
    text: str | None = None
    statuses: Counter[Status] = field(default_factory=Counter)


@dataclass
class _Evaluated:
    judgements: int = 0
    runs: int = 0
    scores: _Histogram = field(default_factory=_Histogram)
    statuses: Counter[Status] = field(default_factory=Counter)


class _Counted:
    """What was counted so far."""

    def __init__(self) -> None:
        self.status: Counter[RunStatus] = Counter()
        self.origins: Counter[str] = Counter()
        self.agents: Counter[str] = Counter()
        self.first: int | None = None
        self.last: int | None = None
        self.steps = self.guided = self.failed = self.judged = 0
        self.attempts: Counter[AttemptSource] = Counter()
        self.rejected: Counter[str] = Counter()
        self.dispositions: Counter[Disposition] = Counter()
        self.step_scores, self.run_scores = _Histogram(), _Histogram()
        self.statuses: Counter[Status] = Counter()
        self.faults: Counter[Cause | Literal["check", "model"]] = Counter()
        self.criteria: dict[tuple[str, str], _Criterion] = {}
        self.generators: Counter[str] = Counter()
        self.rungs: Counter[Rung] = Counter()
        self.cost = Cost()
        self.tools: dict[str, _Tool] = defaultdict(_Tool)
        self.evaluators: dict[Evaluator, _Evaluated] = defaultdict(_Evaluated)

    def add(self, trajectory: Trajectory) -> None:
        run, end = trajectory.run, trajectory.end
        self.status["running" if end is None else end.status] += 1
        self.origins[run.origin] += 1
        self.agents[run.agent] += 1
        self.first = run.started_ns if self.first is None else min(self.first, run.started_ns)
        self.last = run.started_ns if self.last is None else max(self.last, run.started_ns)
        self.run_scores.add(None if end is None else end.score)
        for step in trajectory.steps:
            self._step(step)
        for seen in trajectory.observations:
            self._observation(seen)
        for who in {one.evaluator for one in trajectory.standing}:
            self.evaluators[who].runs += 1
        for one in trajectory.standing:
            found = self.evaluators[one.evaluator]
            found.judgements += 1
            found.scores.add(one.judgement.score)
            found.statuses.update(verdict.status for verdict in one.judgement.verdicts)

    def _step(self, step: StepRecord) -> None:
        self.steps += 1
        self.failed += step.error is not None
        self.rungs[step.rung] += 1
        self.cost += step.cost
        self.dispositions.update(step.dispositions)
        self.step_scores.add(step_score(step))
        if step.rubric is not None:
            self.guided += 1
            self.generators[step.generator] += 1
        for attempt in step.attempts:
            self.attempts[attempt.source] += 1
            self.judged += bool(attempt.judgements)
            if attempt.rejected_by is not None:
                self.rejected[attempt.rejected_by] += 1
            for judged in attempt.judgements:
                self._judgement(judged, step.rubric, step.generator)

    def _judgement(self, judged: Judgement, rubric: Rubric | None, generator: str) -> None:
        texts = {} if rubric is None else {criterion.id: criterion.text for criterion in rubric}
        for verdict in judged.verdicts:
            self.statuses[verdict.status] += 1
            if verdict.fault != "none":
                self.faults[_blamed(verdict)] += 1
            key = (generator, verdict.criterion)
            if key not in self.criteria and len(self.criteria) == MOST_CRITERIA:
                continue
            known = self.criteria.setdefault(key, _Criterion())
            if (text := texts.get(verdict.criterion)) is not None:
                known.text = text if known.text in (None, text) else ""
            known.statuses[verdict.status] += 1

    def _observation(self, seen: ObservationRecord) -> None:
        tool = self.tools[seen.tool]
        tool.calls += 1
        tool.failed += seen.failed
        tool.blocked += seen.blocked
        tool.seconds += seen.seconds

    def stats(self) -> TraceStats:
        return TraceStats(
            runs=self.status.total(),
            by_status=_ranked(self.status),
            by_origin=_ranked(self.origins),
            by_agent=_ranked(self.agents),
            first_ns=self.first,
            last_ns=self.last,
            steps=self.steps,
            guided=self.guided,
            failed_steps=self.failed,
            attempts=_ranked(self.attempts),
            judged_attempts=self.judged,
            rejected=_ranked(self.rejected),
            dispositions=_ranked(self.dispositions),
            step_scores=self.step_scores.distribution(),
            run_scores=self.run_scores.distribution(),
            statuses=_ranked(self.statuses),
            faults=_ranked(self.faults),
            criteria=tuple(self._criteria()),
            generators=_ranked(self.generators),
            rungs=_ranked(self.rungs),
            cost=self.cost,
            tools=tuple(
                ToolStats(
                    tool=name,
                    calls=tool.calls,
                    failed=tool.failed,
                    blocked=tool.blocked,
                    seconds=tool.seconds,
                )
                for name, tool in sorted(self.tools.items(), key=lambda one: (-one[1].calls, one[0]))
            ),
            evaluators=tuple(
                EvaluatorStats(
                    evaluator=who,
                    judgements=found.judgements,
                    runs=found.runs,
                    score=found.scores.distribution().mean,
                    statuses=_ranked(found.statuses),
                )
                for who, found in sorted(
                    self.evaluators.items(), key=lambda one: (one[0].name, one[0].version)
                )
            ),
        )

    def _criteria(self) -> Iterator[CriterionStats]:
        found = sorted(self.criteria.items(), key=lambda one: (-one[1].statuses.total(), one[0]))
        for (generator, criterion), known in found:
            yield CriterionStats(
                generator=generator,
                criterion=criterion,
                text=known.text or "",
                statuses=_ranked(known.statuses),
            )


def _name_and_version(found: tuple[Evaluator, _Evaluated]) -> tuple[str, str]:
    return found[0].name, found[0].version


def _blamed(verdict: Verdict) -> Cause | Literal["check", "model"]:
    return "model" if verdict.fault == "model" else verdict.cause or "check"


def _ranked(counts: Counter[Name]) -> dict[Name, int]:
    return dict(sorted(counts.items(), key=lambda one: (-one[1], one[0])))
