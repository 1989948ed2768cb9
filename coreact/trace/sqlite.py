"""The trace store in one SQLite file: what a project keeps.

One thread a store writes through one connection, in batches of `BEGIN IMMEDIATE` (a deferred
transaction that reads before it writes fails under concurrency whatever the timeout); readers
open their own read-only connections. Several processes may write one file. A killed process
loses what was not flushed and nothing else; a power cut may also lose the last commits, but
never that of a finished run. A forked child gets a queue and a connection of its own.
"""

from __future__ import annotations

import atexit
import os
import sqlite3
import sys
import warnings
import zlib
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from weakref import WeakSet

from coreact.errors import RunNotFoundError, StoreError
from coreact.trace.advice import network_advice
from coreact.trace.backlog import Backlog
from coreact.trace.records import (
    CallRecord,
    JudgementRecord,
    ObservationRecord,
    RunEnd,
    RunRecord,
    StepRecord,
    Trajectory,
)
from coreact.trace.rows import (
    Snapshot,
    Writer,
    matching_runs,
    read_scores,
    read_summaries,
    read_trajectory,
    selected_runs,
    snapshot,
)
from coreact.trace.schema import empty, inspect, is_new, open_to_read, open_to_write, store_error
from coreact.trace.store import EVERY_RUN, RunFilter, RunSummary, TraceRecord, TraceWarning, the_one

_MEGABYTE = 2**20
# What can only be the record's own fault: a number beyond 64 bits, a text beyond SQLite's limit.
_RECORDS_FAULT = (
    OverflowError,
    UnicodeError,
    sqlite3.DataError,
    sqlite3.IntegrityError,
    sqlite3.InterfaceError,
    sqlite3.ProgrammingError,
)


class SQLiteTraceStore:
    """A `TraceStore` in one SQLite file. The file is made with the first record."""

    def __init__(
        self,
        path: str | Path,
        *,
        queue_bytes: int = 8 * _MEGABYTE,
        keep_bytes: int = 64 * _MEGABYTE,
        lock_seconds: float = 10.0,
    ) -> None:
        """Look at the file, if there is one; bring it to the current schema if it is older.

        Args:
            path: the file. Its folder is made when it is needed.
            queue_bytes: from how many bytes waiting to be written on a recording thread waits.
            keep_bytes: how many bytes of records are kept in memory while the file cannot be written.
            lock_seconds: how long to wait for another program that holds the file.

        Raises:
            StoreError: there is a file, and it is no trace store or of a newer schema.
        """
        self.path = Path(path)
        self._lock_seconds = lock_seconds
        self._connection: sqlite3.Connection | None = None
        self._writer: Writer | None = None
        inspect(self.path, timeout=lock_seconds)
        if warning := network_advice(self.path):
            warnings.warn(warning, TraceWarning, stacklevel=2)
        self._backlog = Backlog(self._write, self._disconnect, queue_bytes=queue_bytes, keep_bytes=keep_bytes)
        _OPEN.add(self)

    # --- taking records ---------------------------------------------------------------------

    def start(self, record: RunRecord, /) -> None:
        """Take the beginning of a run."""
        self._take(record)

    def step(self, record: StepRecord, /) -> None:
        """Take one decision."""
        self._take(record)

    def observation(self, record: ObservationRecord, /) -> None:
        """Take what one tool call gave back."""
        self._take(record)

    def call(self, record: CallRecord, /) -> None:
        """Take one call to something outside."""
        self._take(record)

    def judgement(self, record: JudgementRecord, /) -> None:
        """Take a judgement made after the run."""
        self._take(record)

    def end(self, record: RunEnd, /) -> None:
        """Take the end of a run."""
        self._take(record)

    def flush(self) -> None:
        """Wait until everything taken so far is in the file.

        Raises:
            StoreError: it is not.
        """
        self._backlog.flush()

    def close(self) -> None:
        """Flush, end the thread, let go of the file. Reading stays possible.

        Raises:
            StoreError: records were left that could not be written.
        """
        _OPEN.discard(self)
        self._backlog.close()

    def _take(self, record: TraceRecord) -> None:
        self._backlog.put(snapshot(record))

    # --- giving them back -------------------------------------------------------------------

    def runs(self, limit: int | None = None, where: RunFilter = EVERY_RUN) -> tuple[RunSummary, ...]:
        """The newest runs that are meant, newest first; all of them where `limit` is None.

        Raises:
            StoreError: the file cannot be read, or what was recorded here cannot be written.
        """
        with self._reading() as connection:
            return read_summaries(connection, limit, where)

    def trajectory(self, run_id: str) -> Trajectory:
        """One whole run.

        Raises:
            RunNotFoundError: no run, or more than one, is meant by the id.
            StoreError: the file cannot be read, or what was recorded here cannot be written.
        """
        with self._reading() as connection:
            return read_trajectory(connection, the_one(run_id, matching_runs(connection, run_id)))

    def trajectories(self, where: RunFilter = EVERY_RUN) -> Iterator[Trajectory]:
        """The runs meant, oldest first, each read when it is asked for.

        Raises:
            StoreError: the file cannot be read, or what was recorded here cannot be written.
        """
        with self._reading() as connection:
            meant = selected_runs(connection, where)
        for run_id in meant:
            try:
                with self._reading() as connection:
                    whole = read_trajectory(connection, run_id)
            except RunNotFoundError:  # removed since
                continue
            yield whole

    def scores(self, run_id: str) -> tuple[float | None, ...]:
        """Score of each step of a run, without reading the rest.

        Raises:
            StoreError: the file cannot be read, or what was recorded here cannot be written.
        """
        with self._reading() as connection:
            return read_scores(connection, run_id)

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        """A connection in one read transaction; an empty database where there is no file yet."""
        self.flush()
        try:
            with closing(self._reader()) as connection:
                connection.execute("BEGIN")
                yield connection
        except (sqlite3.Error, OSError, ValueError, RecursionError, zlib.error) as error:
            raise store_error(self.path, error, doing="read") from error

    def _reader(self) -> sqlite3.Connection:
        if self.path.exists() and self.path.stat().st_size:
            connection = open_to_read(self.path, timeout=self._lock_seconds)
            if not is_new(connection):
                return connection
            connection.close()
        return empty()

    # --- in the writing thread --------------------------------------------------------------

    def _write(self, batch: Sequence[Snapshot]) -> None:
        try:
            connection, writer = self._connection, self._writer
            if connection is None or writer is None:
                connection = open_to_write(self.path, timeout=self._lock_seconds)
                self._connection, self._writer = connection, (writer := Writer(connection))
            ends = any(isinstance(taken.record, RunEnd) for taken in batch)
            connection.execute(f"PRAGMA synchronous = {'FULL' if ends else 'NORMAL'}")
            connection.execute("BEGIN IMMEDIATE")
            writer.write(batch)
            connection.execute("COMMIT")
        except _RECORDS_FAULT as error:
            self._disconnect()
            raise ValueError(f"a record cannot be stored: {error}") from error
        except (sqlite3.Error, OSError, MemoryError) as error:
            self._disconnect()
            raise store_error(self.path, error) from error
        except StoreError:
            self._disconnect()
            raise
        except Exception as error:  # whatever a record does to the writer costs that record only
            self._disconnect()
            raise ValueError(f"a record cannot be stored: {error!r}") from error

    def _disconnect(self) -> None:
        connection, self._connection, self._writer = self._connection, None, None
        if connection is None:
            return
        try:
            connection.close()  # rolls an open transaction back
        except sqlite3.Error as error:
            # Everything that was committed is safe; the log is folded in by the next writer.
            sys.stderr.write(f"coreact: closing {self.path}: {error}\n")

    def _after_fork(self) -> None:
        # The parent's connection must be neither used nor closed here: closing it would drop the
        # parent's file locks and might remove its log. So it stays open, unused, to the end.
        if self._connection is not None:
            _INHERITED.append(self._connection)
            self._connection = self._writer = None
        self._backlog.reset()


_OPEN: WeakSet[SQLiteTraceStore] = WeakSet()
_INHERITED: list[sqlite3.Connection] = []


def _close_all() -> None:
    for store in list(_OPEN):
        try:
            store.close()
        except StoreError as error:
            warnings.warn(f"Traces were lost at exit. {error}", TraceWarning, stacklevel=2)


def _after_fork_in_child() -> None:
    for store in list(_OPEN):
        store._after_fork()


atexit.register(_close_all)
if hasattr(os, "register_at_fork"):  # not on Windows
    os.register_at_fork(after_in_child=_after_fork_in_child)
