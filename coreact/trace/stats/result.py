"""Figures of many runs, as records."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from coreact.judge import Cause, Cost, Status
from coreact.judge.scoring.settling import CREDIT
from coreact.rubric import Record
from coreact.trace.records import AttemptSource, Disposition, Evaluator, Rung, RunStatus


class Distribution(Record):
    """How numbers in [0, 1] are spread."""

    n: int
    mean: float | None = None
    """None of nothing."""
    quantiles: dict[float, float] = Field(default_factory=dict)
    """The smallest value that at least this share of the numbers does not exceed, to a thousandth."""


class CriterionStats(Record):
    """What was said of one criterion in all attempts."""

    generator: str
    """Who wrote the rubrics it stands in."""
    criterion: str
    """Its id."""
    text: str
    """Its text; empty where it differs from rubric to rubric."""
    statuses: dict[Status, int]

    @property
    def credit(self) -> float | None:
        """Mean credit in [0, 1] of what was judged (met 1, partial 0.5, unmet 0); None where nothing was."""
        judged = sum(self.statuses.get(status, 0) for status in CREDIT)
        return sum(CREDIT[s] * self.statuses.get(s, 0) for s in CREDIT) / judged if judged else None


class ToolStats(Record):
    """The calls of one tool."""

    tool: str
    calls: int
    failed: int
    blocked: int
    """Not run: feedback stood in for a result."""
    seconds: float


class EvaluatorStats(Record):
    """What one evaluator judged later."""

    evaluator: Evaluator
    judgements: int
    """Those that no other supersedes."""
    runs: int
    score: float | None
    """Mean score in [0, 1]; None where there is none."""
    statuses: dict[Status, int]


class TraceStats(Record):
    """Figures of many runs."""

    runs: int
    by_status: dict[RunStatus, int]
    by_origin: dict[str, int]
    by_agent: dict[str, int]
    first_ns: int | None
    """When the earliest of them began."""
    last_ns: int | None
    """When the latest of them began."""
    steps: int
    guided: int
    """Steps with a rubric."""
    failed_steps: int
    """Steps in which something failed (generator, judge, messages)."""
    attempts: dict[AttemptSource, int]
    judged_attempts: int
    rejected: dict[str, int]
    """Attempts that did not pass, by whoever rejected them (`check`, a judge's id); also where no better one
    came. `rank` counts those that lost to a better one."""
    dispositions: dict[Disposition, int]
    step_scores: Distribution
    """Of the selected attempts."""
    run_scores: Distribution
    statuses: dict[Status, int]
    """All verdicts, of all attempts."""
    faults: dict[Cause | Literal["check", "model"], int]
    """`unknown` verdicts that are somebody's fault: of an instrument by cause, `check` where a check could
    not be run, `model` where the judged model is to blame."""
    criteria: tuple[CriterionStats, ...]
    """Most verdicts first."""
    generators: dict[str, int]
    """Steps by who wrote the rubric."""
    rungs: dict[Rung, int]
    cost: Cost
    tools: tuple[ToolStats, ...]
    """Most calls first."""
    evaluators: tuple[EvaluatorStats, ...]

    @property
    def rejection_rate(self) -> float | None:
        """Share of the judged attempts that did not pass, in [0, 1]."""
        failed = sum(count for who, count in self.rejected.items() if who != "rank")
        return failed / self.judged_attempts if self.judged_attempts else None

    @property
    def unknown_rate(self) -> float | None:
        """Share of the verdicts on criteria that apply which nobody could reach, in [0, 1]."""
        applied = sum(count for status, count in self.statuses.items() if status != "not_applicable")
        return self.statuses.get("unknown", 0) / applied if applied else None

    @property
    def fault_rate(self) -> float | None:
        """Share of those that a broken instrument is to blame for, in [0, 1]."""
        applied = sum(count for status, count in self.statuses.items() if status != "not_applicable")
        broken = sum(count for cause, count in self.faults.items() if cause != "model")
        return broken / applied if applied else None
