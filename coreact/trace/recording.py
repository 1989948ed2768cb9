"""A whole trajectory into a store, as if it happened now: for imports, merges and tests.

A running agent records through `Recorder`; this is for runs that are over. It decides nothing: a run that
the store has already is started again by the store's own rules, so ask first where that matters.
"""

from __future__ import annotations

from coreact.trace.records import CallRecord, ObservationRecord, Trajectory
from coreact.trace.store import TraceStore


def record_trajectory(store: TraceStore, trajectory: Trajectory) -> None:
    """Record a trajectory in the order in which it happened: step by step, then end, then judgements.

    Args:
        store: takes the records; it is not flushed.
        trajectory: a whole run.
    """
    calls: dict[int, list[CallRecord]] = {}
    seen: dict[int, list[ObservationRecord]] = {}
    for call in trajectory.calls:
        calls.setdefault(call.step, []).append(call)
    for observation in trajectory.observations:
        seen.setdefault(observation.step, []).append(observation)
    store.start(trajectory.run)
    for step in trajectory.steps:
        store.step(step)
        for call in calls.get(step.index, ()):
            store.call(call)
        for observation in seen.get(step.index, ()):
            store.observation(observation)
    if trajectory.end is not None:
        store.end(trajectory.end)
    for judgement in trajectory.judgements:
        store.judgement(judgement)
