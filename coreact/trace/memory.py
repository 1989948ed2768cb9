"""A trace store that keeps everything in memory: for tests, notebooks and runs nobody keeps.

It is also the plainest statement of the rules of a `TraceStore`. It bounds nothing and survives
nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from threading import Lock

from coreact.trace.records import ObservationRecord, RunEnd, RunRecord, StepRecord, Trajectory
from coreact.trace.store import RunSummary, summarize, the_one


@dataclass
class _Run:
    record: RunRecord | None = None
    steps: dict[int, StepRecord] = field(default_factory=dict)
    observations: list[ObservationRecord] = field(default_factory=list)
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
            run.decided.add(record.index)
            run.steps[record.index] = record.model_copy(deep=True)

    def observation(self, record: ObservationRecord, /) -> None:
        """Take what one tool call gave back."""
        with self._lock:
            self._of(record.run).observations.append(record)

    def end(self, record: RunEnd, /) -> None:
        """Take the end of a run."""
        with self._lock:
            self._of(record.run).end = record

    def runs(self, limit: int | None = None) -> tuple[RunSummary, ...]:
        """The newest runs, newest first."""
        with self._lock:
            known = [
                (run.record.started_ns, run_id)
                for run_id, run in self._runs.items()
                if run.record is not None
            ]
        newest = [run_id for _, run_id in sorted(known, reverse=True)]
        return tuple(summarize(self.trajectory(run_id)) for run_id in newest[:limit])

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
            ).model_copy(deep=True)

    def flush(self) -> None:
        """Do nothing: there is nowhere to write to."""

    def close(self) -> None:
        """Do nothing: the runs stay readable."""
