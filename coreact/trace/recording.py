"""A whole trajectory into a store, as if it happened now: for imports, merges and tests.

A running agent records through `Recorder`; this is for runs that are over. It decides nothing: a run that
the store has already is started again by the store's own rules, so ask first (`missing_of`) where that
matters.
"""

from __future__ import annotations

from collections import Counter

from coreact.trace.records import CallRecord, JudgementRecord, ObservationRecord, StepRecord, Trajectory
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
        for call in calls.pop(step.index, ()):
            store.call(call)
        for observation in seen.pop(step.index, ()):
            store.observation(observation)
    # A step may be missing while what was recorded for it is there: nothing of it is lost.
    for left_calls in calls.values():
        for call in left_calls:
            store.call(call)
    for left_seen in seen.values():
        for observation in left_seen:
            store.observation(observation)
    if trajectory.end is not None:
        store.end(trajectory.end)
    for judgement in trajectory.judgements:
        store.judgement(judgement)


def missing_of(stored: Trajectory, told: Trajectory) -> Trajectory | None:
    """What a store lacks of a run that is told again, to be recorded; None where it lacks nothing.

    A run that goes on after it was first read, or whose recording was killed, has fewer steps or observations
    in the store, or no end. Its steps are taken anew from the first that differs; those before it stay, with
    what was judged of them since. Where the store has more steps, only judgements can be missing.

    Args:
        stored: the run as the store has it.
        told: the same run, as it is told now.
    """
    judgements = _new_judgements(stored, told)
    if not _fuller(stored, told):
        if not judgements:
            return None
        return told.model_copy(
            update={"steps": (), "observations": (), "calls": (), "end": None, "judgements": judgements}
        )
    first = _first_difference(stored, told)
    return told.model_copy(
        update={
            "steps": tuple(one for one in told.steps if one.index >= first),
            "observations": tuple(one for one in told.observations if one.step >= first),
            "calls": tuple(one for one in told.calls if one.step >= first),
            "judgements": judgements,
        }
    )


def _fuller(stored: Trajectory, told: Trajectory) -> bool:
    if len(told.steps) != len(stored.steps):
        return len(told.steps) > len(stored.steps)
    if len(told.observations) > len(stored.observations):
        return True
    was, now = stored.end, told.end
    if now is None:
        return False
    return was is None or (was.status == "interrupted" and now.status != "interrupted")


def _first_difference(stored: Trajectory, told: Trajectory) -> int:
    """The first step that is not stored as it is told: another decision, or with fewer observations."""
    seen_then = Counter(one.step for one in stored.observations)
    seen_now = Counter(one.step for one in told.observations)
    had = {one.index: _decision(one) for one in stored.steps}
    for step in told.steps:
        if had.get(step.index) != _decision(step) or seen_now[step.index] > seen_then[step.index]:
            return step.index
    return len(told.steps)


def _decision(step: StepRecord) -> tuple[object, ...]:
    return step.state_digest, None if step.chosen is None else step.chosen.message


def _new_judgements(stored: Trajectory, told: Trajectory) -> tuple[JudgementRecord, ...]:
    """Those that are stored neither under their id nor under another, as where the run was exported."""
    ids = {one.id for one in stored.judgements}
    come = {one.id for one in told.judgements}
    others = Counter(_judged(one) for one in stored.judgements if one.id not in come)
    found = []
    for one in told.judgements:
        if one.id in ids:
            continue
        if others[_judged(one)]:
            others[_judged(one)] -= 1
        else:
            found.append(one)
    return tuple(found)


def _judged(record: JudgementRecord) -> str:
    return record.model_dump_json(exclude={"id", "supersedes"})
