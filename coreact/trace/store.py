"""What a trace store is: the protocol, the one-line summary of a run, where the default one lies.

A store takes records as they happen and gives whole trajectories back. Taking a record never
waits for the disk and never fails because of it: the agent matters more than its trace. What the
disk refused comes out at `flush`. How records are kept is each store's own affair; that they all
behave alike is held by `coreact.testing.check_store`. Export, replay and judging again are not here.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol, runtime_checkable

from coreact.errors import RunNotFoundError
from coreact.rubric import Record
from coreact.trace.records import (
    CallRecord,
    JudgementRecord,
    ObservationRecord,
    RunEnd,
    RunRecord,
    RunStatus,
    StepRecord,
    Trajectory,
)

TraceRecord = RunRecord | StepRecord | ObservationRecord | CallRecord | JudgementRecord | RunEnd
"""Anything that a store takes."""

_SHOWN_MATCHES = 3


class TraceWarning(UserWarning):
    """The trace is incomplete or late: the store cannot be written, or a listener broke."""


class RunSummary(Record):
    """One run in one line, for lists."""

    id: str
    question: str
    agent: str = ""
    status: RunStatus = "running"
    steps: int = 0
    """Decisions taken."""
    retries: int = 0
    """Attempts that were made after feedback."""
    score: float | None = None
    """Mean score in [0, 1] of the selected attempts, higher is better; None where nothing was judged."""
    tokens: int = 0
    """Input and output tokens of all steps together."""
    started_ns: int
    ended_ns: int | None = None


class RunFilter(Record):
    """Which runs are meant; every given condition must hold."""

    ids: tuple[str, ...] | None = None
    """Whole run ids."""
    agent: str | None = None
    origin: str | None = None
    status: RunStatus | None = None
    question: str | None = None
    """A part of the question, whatever the case of its letters."""
    task: str | None = None
    """The whole question."""
    min_score: float | None = None
    max_score: float | None = None
    """Bounds, inclusive, on the mean step score; a run without one fails both."""
    since_ns: int | None = None
    """Started at this time or later."""
    until_ns: int | None = None
    """Started before this time."""
    tool: str | None = None
    """A tool that was called."""
    rubric: str | None = None
    """Lock of a rubric that guided a step, or its beginning."""
    evaluator: str | None = None
    """Name or version of whoever judged the run later."""

    def matches(self, trajectory: Trajectory) -> bool:
        """Whether a trajectory is meant: what every store must select by."""
        run, score = trajectory.run, None if trajectory.end is None else trajectory.end.score
        status = "running" if trajectory.end is None else trajectory.end.status
        who = {name for one in trajectory.judgements for name in (one.evaluator.name, one.evaluator.version)}
        locks = [step.rubric.lock for step in trajectory.steps if step.rubric is not None]
        return (
            (self.ids is None or run.id in self.ids)
            and (self.agent is None or run.agent == self.agent)
            and (self.origin is None or run.origin == self.origin)
            and (self.status is None or status == self.status)
            and (self.question is None or self.question.casefold() in run.question.casefold())
            and (self.task is None or run.question == self.task)
            and (self.min_score is None or (score is not None and score >= self.min_score))
            and (self.max_score is None or (score is not None and score <= self.max_score))
            and (self.since_ns is None or run.started_ns >= self.since_ns)
            and (self.until_ns is None or run.started_ns < self.until_ns)
            and (self.tool is None or any(seen.tool == self.tool for seen in trajectory.observations))
            and (self.rubric is None or any(lock.startswith(self.rubric) for lock in locks))
            and (self.evaluator is None or self.evaluator in who)
        )


EVERY_RUN = RunFilter()
"""The filter that every run passes."""


@runtime_checkable
class TraceStore(Protocol):
    """Where runs are kept. Safe to use from several threads.

    Four rules hold for every store:

    A run that is started again was resumed: its record stays as it was first written and its end
    is taken back. A step that is recorded again was decided again: it takes back itself and
    everything recorded for it and for later steps before. A later judgement never changes or removes
    an earlier one. A record is kept as it stands at the
    call: changing a message afterwards does not reach the store.
    """

    def start(self, record: RunRecord, /) -> None:
        """Take the beginning of a run."""

    def step(self, record: StepRecord, /) -> None:
        """Take one decision."""

    def observation(self, record: ObservationRecord, /) -> None:
        """Take what one tool call gave back."""

    def end(self, record: RunEnd, /) -> None:
        """Take the end of a run."""

    def call(self, record: CallRecord, /) -> None:
        """Take one call to something outside."""

    def judgement(self, record: JudgementRecord, /) -> None:
        """Take a judgement made after the run; of a step that is not there it is not read back."""

    def runs(self, limit: int | None = None, where: RunFilter = EVERY_RUN) -> tuple[RunSummary, ...]:
        """The newest runs, newest first.

        Args:
            limit: how many at most; None: all.
            where: which runs.

        Raises:
            StoreError: the store cannot be read.
        """

    def trajectory(self, run_id: str) -> Trajectory:
        """One whole run: steps by index, observations in the order they came.

        Args:
            run_id: the run's id, or the beginning of one where it is unique.

        Raises:
            RunNotFoundError: no run, or more than one, is meant by it.
            StoreError: the store cannot be read.
        """

    def trajectories(self, where: RunFilter = EVERY_RUN) -> Iterator[Trajectory]:
        """The runs meant, oldest first, each read when it is asked for.

        Raises:
            StoreError: the store cannot be read.
        """

    def scores(self, run_id: str) -> tuple[float | None, ...]:
        """Score of each step of a run, as `step_score` gives it, without reading the rest.

        Args:
            run_id: the run's id, in full.

        Raises:
            StoreError: the store cannot be read.
        """

    def flush(self) -> None:
        """Wait until every record taken so far is safely stored.

        Raises:
            StoreError: some are not; the store keeps trying.
        """

    def close(self) -> None:
        """Flush and let go of files and threads. Closing twice is harmless.

        Raises:
            StoreError: records were left that could not be stored.
        """


def step_score(step: StepRecord) -> float | None:
    """Mean score in [0, 1] of the selected attempt's actions by the step's rubric; None if none has one."""
    chosen = step.chosen
    scores = [one.score for one in (() if chosen is None else chosen.judgements) if one.score is not None]
    return sum(scores) / len(scores) if scores else None


def summarize(trajectory: Trajectory) -> RunSummary:
    """The summary of a trajectory, as every store must give it."""
    run, end = trajectory.run, trajectory.end
    return RunSummary(
        id=run.id,
        question=run.question,
        agent=run.agent,
        status="running" if end is None else end.status,
        steps=len(trajectory.steps),
        retries=sum(attempt.source == "retry" for step in trajectory.steps for attempt in step.attempts),
        score=None if end is None else end.score,
        tokens=sum(step.cost.tokens for step in trajectory.steps),
        started_ns=run.started_ns,
        ended_ns=None if end is None else end.ended_ns,
    )


def the_one(run_id: str, matches: list[str]) -> str:
    """The run that an id or the beginning of one means.

    Args:
        run_id: what was asked for.
        matches: every stored id that begins with it.

    Raises:
        RunNotFoundError: it is empty, or it means none or several.
    """
    if run_id and run_id in matches:
        return run_id
    if run_id and len(matches) == 1:
        return matches[0]
    if not run_id or not matches:
        raise RunNotFoundError(run_id, remedy="`coreact trace list` shows the stored runs.")
    shown = ", ".join(sorted(matches)[:_SHOWN_MATCHES]) + (", …" if len(matches) > _SHOWN_MATCHES else "")
    raise RunNotFoundError(run_id, remedy=f"{len(matches)} runs begin with it: {shown}. Give more of the id.")


def default_store_path() -> Path:
    """Where traces go when nobody says: `$COREACT_STORE`, else `.coreact/traces.db` right here."""
    named = os.environ.get("COREACT_STORE")
    return Path(named).expanduser() if named else Path(".coreact") / "traces.db"
