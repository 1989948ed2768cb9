"""Make a trace file smaller: what was taken back, runs that may go, and content nobody refers to.

The one place where anything is removed. It happens in one transaction, so a reader sees all of it or
nothing, and a writer in another process notices that what it remembers may be gone. A fork stays readable
without its parent: its first step holds its whole prompt.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from coreact.rubric import Record
from coreact.trace.rows import selected_runs
from coreact.trace.rows.encoding import stored
from coreact.trace.schema import inspect, open_to_write, store_error
from coreact.trace.store import RunFilter

_LOCK_SECONDS = 10.0

_OF_STEPS = ("candidate", "judgment")
_OF_RUNS = ("step", "observation", "call", "judgment")


class Collected(Record):
    """What was removed, or, in a trial, what would be."""

    path: Path
    runs: int
    steps: int
    """Steps of those runs, and steps that were decided again later."""
    contents: int
    rubrics: int
    bytes_before: int
    bytes_after: int
    """Size of the file; equal to the size before in a trial."""
    trial: bool
    compacted: bool
    """Whether the file was packed; not where another program was reading it."""


def collect(path: str | Path, *, runs: RunFilter | None = None, trial: bool = False) -> Collected:
    """Remove runs, records that a later decision took back, and content that nothing refers to.

    Args:
        path: the file.
        runs: the runs to remove; None removes no run.
        trial: count only, and leave the file as it is.

    Raises:
        StoreError: the file is no trace store, or it cannot be written.
    """
    file = Path(path)
    inspect(file, timeout=_LOCK_SECONDS)
    before = file.stat().st_size if file.exists() else 0
    compacted = False
    try:
        with closing(open_to_write(file, timeout=_LOCK_SECONDS)) as connection:
            connection.execute("BEGIN IMMEDIATE")
            removed = _remove(connection, runs)
            connection.execute("ROLLBACK" if trial else "COMMIT")
            if not trial:
                compacted = _compact(connection)
    except (sqlite3.Error, OSError) as error:
        raise store_error(file, error) from error
    return Collected(
        path=file,
        runs=removed["run"],
        steps=removed["step"],
        contents=removed["blob"],
        rubrics=removed["rubric"],
        bytes_before=before,
        bytes_after=file.stat().st_size,
        trial=trial,
        compacted=compacted,
    )


def _remove(connection: sqlite3.Connection, runs: RunFilter | None) -> dict[str, int]:
    counts = dict.fromkeys(("run", "step", "blob", "rubric"), 0)
    # Rows count up also past what is removed: which observation a later decision takes back is seen by it.
    connection.execute(
        "INSERT OR REPLACE INTO meta SELECT 'steps', max(coalesce((SELECT max(id) FROM step), 0),"
        " coalesce((SELECT CAST(value AS INTEGER) FROM meta WHERE key = 'steps'), 0))"
    )
    connection.execute("CREATE TEMP TABLE gone (id TEXT PRIMARY KEY)")
    if runs is not None:
        ids = [(stored(one),) for one in selected_runs(connection, runs)]
        connection.executemany("INSERT INTO gone VALUES (?)", ids)
    connection.execute("CREATE TEMP TABLE gone_step AS SELECT id FROM step WHERE run IN (SELECT id FROM gone)"
                       " OR id NOT IN (SELECT id FROM step_latest)")  # fmt: skip
    for table in ("observation", "call"):
        connection.execute(f"DELETE FROM {table} WHERE id NOT IN (SELECT id FROM {table}_latest)")  # noqa: S608
    for table in _OF_STEPS:
        connection.execute(f"DELETE FROM {table} WHERE step IN (SELECT id FROM gone_step)")  # noqa: S608
    counts["step"] = connection.execute("DELETE FROM step WHERE id IN (SELECT id FROM gone_step)").rowcount
    connection.execute("DELETE FROM judgment WHERE step IS NOT NULL AND step NOT IN (SELECT id FROM step)")
    counts["run"] = connection.execute("DELETE FROM run WHERE id IN (SELECT id FROM gone)").rowcount
    for table in _OF_RUNS:  # also what a run left that was removed while it went on
        connection.execute(f"DELETE FROM {table} WHERE run NOT IN (SELECT id FROM run)")  # noqa: S608
    for table in _OF_STEPS:
        connection.execute(
            f"DELETE FROM {table} WHERE step IS NOT NULL AND step NOT IN (SELECT id FROM step)"  # noqa: S608
        )
    counts["rubric"] = connection.execute(
        "DELETE FROM rubric WHERE id NOT IN (SELECT rubric FROM step WHERE rubric IS NOT NULL"
        " UNION SELECT own FROM candidate WHERE own IS NOT NULL"
        " UNION SELECT rubric FROM judgment WHERE rubric IS NOT NULL)"
    ).rowcount
    connection.execute("DELETE FROM evaluator WHERE sha NOT IN (SELECT evaluator FROM judgment)")
    counts["blob"] = connection.execute(
        "DELETE FROM blob WHERE id NOT IN (SELECT question FROM run UNION SELECT settings FROM run"
        " UNION SELECT answer FROM run WHERE answer IS NOT NULL"
        " UNION SELECT guidance FROM step WHERE guidance IS NOT NULL"
        " UNION SELECT tools FROM step WHERE tools IS NOT NULL"
        " UNION SELECT held FROM step WHERE held IS NOT NULL"
        " UNION SELECT message FROM step_message UNION SELECT message FROM candidate"
        " UNION SELECT feedback FROM candidate WHERE feedback IS NOT NULL"
        " UNION SELECT text FROM observation UNION SELECT request FROM call"
        " UNION SELECT response FROM call WHERE response IS NOT NULL)"
    ).rowcount
    connection.execute(
        "INSERT OR REPLACE INTO meta SELECT 'removals',"
        " coalesce((SELECT CAST(value AS INTEGER) FROM meta WHERE key = 'removals'), 0) + 1"
    )
    return counts


def _compact(connection: sqlite3.Connection) -> bool:
    try:
        connection.execute("VACUUM")
        busy = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY:
            raise
        return False
    return not busy
