"""What happened: the records of judged runs, the stores that keep them, the recorder that fills these."""

from coreact.trace.advice import sqlite_advice
from coreact.trace.memory import InMemoryTraceStore
from coreact.trace.recorder import Listener, Recorder
from coreact.trace.records import (
    Attempt,
    AttemptSource,
    Disposition,
    ObservationRecord,
    RunEnd,
    Rung,
    RunRecord,
    RunStatus,
    StepRecord,
    Trajectory,
    new_id,
)
from coreact.trace.schema import CURRENT_SCHEMA, SCHEMA_VERSIONS
from coreact.trace.sqlite import SQLiteTraceStore
from coreact.trace.store import (
    RunSummary,
    TraceRecord,
    TraceStore,
    TraceWarning,
    default_store_path,
    summarize,
    the_one,
)

__all__ = [
    "CURRENT_SCHEMA",
    "SCHEMA_VERSIONS",
    "Attempt",
    "AttemptSource",
    "Disposition",
    "InMemoryTraceStore",
    "Listener",
    "ObservationRecord",
    "Recorder",
    "RunEnd",
    "RunRecord",
    "RunStatus",
    "RunSummary",
    "Rung",
    "SQLiteTraceStore",
    "StepRecord",
    "TraceRecord",
    "TraceStore",
    "TraceWarning",
    "Trajectory",
    "default_store_path",
    "new_id",
    "sqlite_advice",
    "summarize",
    "the_one",
]
