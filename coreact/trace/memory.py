"""A trace store that keeps everything in memory: for tests, notebooks and runs nobody keeps.

It is also the plainest statement of the rules of a `TraceStore`. It bounds nothing and survives
nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from threading import Lock

from coreact.trace.records import (
    CallRecord,
    JudgementRecord,
    ObservationRecord,
    RunEnd,
    RunRecord,
    StepRecord,
    Trajectory,
)
from coreact.trace.store import EVERY_RUN, RunFilter, RunSummary, step_score, summarize, the_one


@dataclass
class _Run:
    record: RunRecord | None = None
    steps: dict[int, StepRecord] = field(default_factory=dict)
    observations: list[ObservationRecord] = field(default_factory=list)
    calls: list[CallRecord] = field(default_factory=list)
    judgements: list[JudgementRecord] = field(default_factory=list)
    end: RunEnd | None = None
    decided: set[int] = field(default_factory=set)  # every index ever recorded


class InMemoryTraceStore:
    """A `TraceStore` without a disk."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._runs: dict[str, _Run] = {}

    def _of(self, run_id: str) -> _Run:
        return self._runs.setdefault(run_id, _Run())

    def start(self, record: RunRecord, /) -> None:
        """Take the beginning of a run."""
        with self._lock:
            run = self._of(record.id)
            run.record = run.record or record.model_copy(deep=True)
            run.end = None

    def step(self, record: StepRecord, /) -> None:
        """Take one decision."""
        with self._lock:
            run = self._of(record.run)
            if record.index in run.decided:
                run.steps = {index: step for index, step in run.steps.items() if index < record.index}
                run.observations = [seen for seen in run.observations if seen.step < record.index]
                run.calls = [call for call in run.calls if call.step < record.index]
                run.judgements = [
                    one for one in run.judgements if one.step is None or one.step < record.index
                ]
            run.decided.add(record.index)
            run.steps[record.index] = record.model_copy(deep=True)

    def observation(self, record: ObservationRecord, /) -> None:
        """Take what one tool call gave back."""
        with self._lock:
            self._of(record.run).observations.append(record)

    def call(self, record: CallRecord, /) -> None:
        """Take one call to something outside."""
        with self._lock:
            self._of(record.run).calls.append(record.model_copy(deep=True))

    def judgement(self, record: JudgementRecord, /) -> None:
        """Take a judgement made after the run."""
        with self._lock:
            run = self._of(record.run)
            if any(one.id == record.id for one in run.judgements):
                return
            judged = None if record.step is None else run.steps.get(record.step)
            stands = record.step is None or (judged is not None and record.judged_ns in (None, judged.at_ns))
            if stands:
                run.judgements.append(record)

    def end(self, record: RunEnd, /) -> None:
        """Take the end of a run."""
        with self._lock:
            self._of(record.run).end = record

    def runs(self, limit: int | None = None, where: RunFilter = EVERY_RUN) -> tuple[RunSummary, ...]:
        """The newest runs that are meant, newest first."""
        meant = [whole for run_id in reversed(self._ids()) if where.matches(whole := self.trajectory(run_id))]
        return tuple(summarize(whole) for whole in meant[:limit])

    def trajectories(self, where: RunFilter = EVERY_RUN) -> Iterator[Trajectory]:
        """The runs meant, oldest first."""
        for run_id in self._ids():
            whole = self.trajectory(run_id)
            if where.matches(whole):
                yield whole

    def scores(self, run_id: str) -> tuple[float | None, ...]:
        """Score of each step of a run."""
        return tuple(step_score(step) for step in self.trajectory(run_id).steps)

    def _ids(self) -> list[str]:
        with self._lock:
            known = [
                (run.record.started_ns, run_id)
                for run_id, run in self._runs.items()
                if run.record is not None
            ]
        return [run_id for _, run_id in sorted(known)]

    def trajectory(self, run_id: str) -> Trajectory:
        """One whole run.

        Raises:
            RunNotFoundError: no run, or more than one, is meant by the id.
        """
        with self._lock:
            known = {key: run.record for key, run in self._runs.items() if run.record is not None}
            found = the_one(run_id, [key for key in known if key.startswith(run_id)])
            run = self._runs[found]
            return Trajectory(
                run=known[found],
                steps=tuple(run.steps[index] for index in sorted(run.steps)),
                observations=tuple(run.observations),
                end=run.end,
                calls=tuple(run.calls),
                judgements=tuple(
                    one
                    for one in run.judgements
                    if one.step is not None
                    or one.judged_ns is None
                    or (run.end is not None and one.judged_ns == run.end.ended_ns)
                ),
            ).model_copy(deep=True)

    def flush(self) -> None:
        """Do nothing: there is nowhere to write to."""

    def close(self) -> None:
        """Do nothing: the runs stay readable."""
