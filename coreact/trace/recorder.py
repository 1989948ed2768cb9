"""The one object a running agent records through: a store, and listeners that watch live.

It adds what an agent needs and a store should not know: a store that fails is a warning, not the
end of a run, and so is a listener that breaks. It decides nothing about what is recorded.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable

from coreact.errors import StoreError
from coreact.trace.records import (
    CallRecord,
    JudgementRecord,
    ObservationRecord,
    RunEnd,
    RunRecord,
    StepRecord,
)
from coreact.trace.store import TraceRecord, TraceStore, TraceWarning

Listener = Callable[[TraceRecord], object]
"""Called with each record as it happens, in the thread that recorded it. Should be quick."""


class Recorder:
    """Hands records to a store and to listeners. Safe to use from several threads."""

    def __init__(self, store: TraceStore, *, listeners: Iterable[Listener] = ()) -> None:
        self.store = store
        self._listeners = tuple(listeners)
        self._warned = False

    def start(self, record: RunRecord) -> None:
        """Record the beginning of a run. Never raises for a failing store or listener."""
        self._take(self.store.start, record)

    def step(self, record: StepRecord) -> None:
        """Record one decision. Never raises for a failing store or listener."""
        self._take(self.store.step, record)

    def observation(self, record: ObservationRecord) -> None:
        """Record what a tool call gave back. Never raises for a failing store or listener."""
        self._take(self.store.observation, record)

    def call(self, record: CallRecord) -> None:
        """Record one call to something outside. Never raises for a failing store or listener."""
        self._take(self.store.call, record)

    def judgement(self, record: JudgementRecord) -> None:
        """Record a later judgement. Never raises for a failing store or listener."""
        self._take(self.store.judgement, record)

    def end(self, record: RunEnd) -> None:
        """Record the end of a run. Never raises for a failing store or listener."""
        self._take(self.store.end, record)

    def flush(self) -> None:
        """Wait until everything recorded so far is stored.

        Raises:
            StoreError: it is not.
        """
        self.store.flush()

    def _take(self, put: Callable[..., None], record: TraceRecord) -> None:
        try:
            put(record)
        except StoreError as error:
            if not self._warned:
                self._warned = True
                warnings.warn(f"A record was not stored: {error}", TraceWarning, stacklevel=3)
        for listener in self._listeners:
            try:
                listener(record)
            except Exception as error:  # noqa: BLE001 - a watcher's bug must not stop the agent
                self._listeners = tuple(kept for kept in self._listeners if kept is not listener)
                warnings.warn(
                    f"A trace listener raised {type(error).__name__}: {error}. It is not called again.",
                    TraceWarning,
                    stacklevel=3,
                )
