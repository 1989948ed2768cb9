"""Several trace stores into one: every run that is not there yet, as it was recorded.

Records that a later decision took back stay behind; nobody can read them. A run that is in both stores and
differs is never mixed: it is left out and named.
"""

from __future__ import annotations

from coreact.errors import RunNotFoundError
from coreact.rubric import Record
from coreact.trace.recording import record_trajectory
from coreact.trace.records import Trajectory
from coreact.trace.store import EVERY_RUN, RunFilter, TraceStore


class Merged(Record):
    """What became of the runs of one source."""

    added: int = 0
    """Runs that were not there, or only as far as an interrupted merge had come."""
    known: int = 0
    """Runs that were there already, equal in every field."""
    judged: int = 0
    """Runs that were there already and got judgements that they had not."""
    differing: tuple[str, ...] = ()
    """Ids of runs that are there already and differ; they were left as they are."""


def merge(into: TraceStore, source: TraceStore, *, where: RunFilter = EVERY_RUN) -> Merged:
    """Record the runs of one store into another.

    Args:
        into: gets the runs. Flushed at the end.
        source: where they are; stays as it is.
        where: which runs.

    Raises:
        StoreError: a store cannot be read or written; what was recorded before stays.
    """
    added = known = judged = 0
    differing = []
    for whole in source.trajectories(where):
        there = _there(into, whole.run.id)
        if there is None:
            record_trajectory(into, whole)
            added += 1
        elif there == whole:
            known += 1
        elif _is_torn(there, whole):
            record_trajectory(into, whole)
            added += 1
        elif there.model_copy(update={"judgements": ()}) == whole.model_copy(update={"judgements": ()}):
            ids = {one.id for one in there.judgements}
            new = [one for one in whole.judgements if one.id not in ids]
            for judgement in new:
                into.judgement(judgement)
            judged, known = judged + bool(new), known + (not new)
        else:
            differing.append(whole.run.id)
    into.flush()
    return Merged(added=added, known=known, judged=judged, differing=tuple(differing))


def _is_torn(there: Trajectory, whole: Trajectory) -> bool:
    """Whether a run is the beginning of another: a merge was killed in the middle of it."""
    begun = there.run == whole.run and there.end is None and whole.end is not None
    return begun and whole.steps[: len(there.steps)] == there.steps


def _there(store: TraceStore, run_id: str) -> Trajectory | None:
    try:
        found = store.trajectory(run_id)
    except RunNotFoundError:
        return None
    return found if found.run.id == run_id else None
