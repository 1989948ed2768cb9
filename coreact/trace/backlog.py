"""The queue between agents and the disk: bounded, in order, one thread that empties it.

While the disk keeps up, a full queue makes the producer wait: nothing is dropped, since every
record may be training data. While the disk refuses, producers never wait: records are kept in
memory up to a bound and tried again. Only beyond that bound are records lost, and then by whole
tails: once a run has lost one record none of its later ones is stored, because a later prompt is
stored as a reference to earlier ones and would silently be wrong. Nothing here knows SQLite.
"""

from __future__ import annotations

import threading
import time
import warnings
from collections import deque
from collections.abc import Callable, Sequence
from itertools import islice

from coreact.errors import StoreError
from coreact.trace.rows import Snapshot
from coreact.trace.store import TraceWarning

BATCH = 64
"""Most records in one transaction."""

WINDOW = 0.05
"""Seconds that the first record of a batch waits for more."""

_FIRST_PAUSE, _LONGEST_PAUSE = 0.1, 5.0  # seconds between attempts while the disk refuses


class Backlog:
    """Records on their way to the disk."""

    def __init__(
        self,
        write: Callable[[Sequence[Snapshot]], None],
        finish: Callable[[], None],
        *,
        queue_bytes: int,
        keep_bytes: int,
    ) -> None:
        """Start empty; the thread starts with the first record.

        Args:
            write: stores a batch, whole or not at all, in the thread. Raises StoreError where it
                may go better later, ValueError where a record of the batch can never be stored.
            finish: called in the thread as its last act.
            queue_bytes: from how many waiting bytes on a producer waits.
            keep_bytes: how many bytes are kept while writing fails.
        """
        self._write = write
        self._finish = finish
        self._queue_bytes = queue_bytes
        self._keep_bytes = keep_bytes
        self.reset()

    def reset(self) -> None:
        """Forget everything, also the thread. For a forked child, where the thread is not."""
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None
        self._pending: deque[Snapshot] = deque()
        self._bytes = 0
        self._accepted = 0  # records ever taken in
        self._settled = 0  # of those: stored, or given up
        self._wanted = 0  # how many must be settled before the thread may idle for more
        self._cut: set[str] = set()  # runs that lost a record
        self._spoiled: set[str] = set()  # those of them that lost it while it was written
        self._lost = 0
        self._failure: StoreError | None = None
        self._failures = 0  # since it last went well
        self._refusals = 0  # ever
        self._writing = False
        self._retry_now = False
        self._closed = False
        self._warned = False

    def put(self, taken: Snapshot) -> None:
        """Take a record in. Waits only while the queue is full and the disk keeps up.

        Raises:
            StoreError: the store is closed.
        """
        with self._changed:
            self._keep_a_thread()
            if self._bytes > self._queue_bytes:
                self._changed.notify_all()
            while self._bytes > self._queue_bytes and self._failure is None and self._thread is not None:
                self._changed.wait()
            if self._closed:
                raise StoreError("The trace store is closed.", remedy="Open it again.")
            full = self._failure is not None and self._bytes + taken.size > self._keep_bytes
            if full or taken.run in self._cut:
                self._cut.add(taken.run)
                self._lost += 1
            else:
                self._pending.append(taken)
                self._bytes += taken.size
                self._accepted += 1
                if len(self._pending) in (1, BATCH):
                    self._changed.notify_all()
            warning = self._due_warning()
        if warning:
            warnings.warn(warning, TraceWarning, stacklevel=4)

    def flush(self) -> None:
        """Wait until everything taken in so far is stored.

        Raises:
            StoreError: it is not: writing just failed (it will be tried again), or records are lost.
        """
        with self._changed:
            self._settle()
            failure = self._failure if self._settled < self._accepted else None
            if failure is None and self._settled < self._accepted and self._thread is None:
                failure = StoreError("The thread that writes traces is gone; records wait in memory.")
            lost, self._lost = self._lost, 0
            if failure is not None or lost:
                self._warned = True
        if lost:
            raise StoreError(
                f"{lost} records were lost and {len(self._cut)} runs are cut short"
                + (f": {failure.what}" if failure else "."),
                path=failure.path if failure else None,
                remedy=failure.remedy if failure else "The runs are stored up to the first lost record.",
            )
        if failure is not None:
            raise failure

    def close(self) -> None:
        """Flush and end the thread.

        Raises:
            StoreError: records are left or were lost.
        """
        with self._changed:
            if self._closed:
                return
        try:
            self.flush()
        finally:
            with self._changed:
                self._closed = True
                thread = self._thread
                self._changed.notify_all()
            if thread is not None:
                thread.join()

    def _keep_a_thread(self) -> None:
        if self._thread is not None or self._closed:
            return
        self._thread = threading.Thread(target=self._run, name="coreact-trace", daemon=True)
        try:
            self._thread.start()
        except RuntimeError as error:  # no thread to be had, or the interpreter is shutting down
            self._thread = None
            self._failure = StoreError(f"No thread could be started to write traces: {error}.")

    def _settle(self) -> None:
        target = self._accepted
        self._wanted = max(self._wanted, target)
        self._retry_now = True
        # A write that is under way may have begun before the disk was put right.
        patience = self._refusals + (2 if self._writing else 1)
        if self._pending:
            self._keep_a_thread()
        self._changed.notify_all()
        while self._settled < target and self._refusals < patience and self._thread is not None:
            self._changed.wait()

    def _due_warning(self) -> str:
        if self._warned or (self._failure is None and not self._lost):
            return ""
        self._warned = True
        if self._failure is None:
            return "A record cannot be stored; its run is cut short in the trace."
        return f"{self._failure} The run goes on; its records are kept in memory and tried again."

    # --- the thread ---------------------------------------------------------------------------

    def _run(self) -> None:
        try:
            while batch := self._next_batch():
                self._try(batch)
        finally:
            self._finish()
            with self._changed:
                self._thread = None
                self._changed.notify_all()

    def _next_batch(self) -> list[Snapshot]:
        with self._changed:
            while not (self._pending or self._closed):
                self._changed.wait()
            if self._failure is None:
                self._wait(WINDOW, until=self._is_enough)
            else:
                pause = min(_FIRST_PAUSE * 2 ** min(self._failures, 10), _LONGEST_PAUSE)
                self._wait(pause, until=lambda: self._retry_now)
            if self._closed:  # whatever flush could not write in its last attempt stays unwritten
                return []
            self._retry_now = False
            self._writing = True
            return list(islice(self._pending, BATCH))

    def _is_enough(self) -> bool:
        full = len(self._pending) >= BATCH or self._bytes > self._queue_bytes
        return full or self._settled < self._wanted

    def _wait(self, seconds: float, *, until: Callable[[], bool]) -> None:
        deadline = time.monotonic() + seconds
        while not self._closed and not until() and (left := deadline - time.monotonic()) > 0:
            self._changed.wait(left)

    def _try(self, batch: list[Snapshot]) -> None:
        if any(taken.run in self._spoiled for taken in batch):
            self._one_by_one(batch)
            return
        try:
            self._write(batch)
        except StoreError as error:
            self._refused(error)
        except ValueError:
            self._one_by_one(batch)
        else:
            self._settled_some(len(batch))

    def _one_by_one(self, batch: list[Snapshot]) -> None:
        for taken in batch:
            bad = taken.run in self._spoiled
            if not bad:
                try:
                    self._write([taken])
                except StoreError as error:
                    self._refused(error)
                    return
                except ValueError:
                    bad = True
            self._settled_some(1, lost_run=taken.run if bad else None)

    def _settled_some(self, count: int, *, lost_run: str | None = None) -> None:
        with self._changed:
            for _ in range(count):
                self._bytes -= self._pending.popleft().size
            self._settled += count
            if lost_run is None:
                self._failure = None
                self._failures = 0
            else:
                self._cut.add(lost_run)
                self._spoiled.add(lost_run)
                self._lost += 1
            self._writing = False
            self._changed.notify_all()

    def _refused(self, error: StoreError) -> None:
        with self._changed:
            self._failure = error
            self._failures += 1
            self._refusals += 1
            self._writing = False
            self._changed.notify_all()
