"""The one object a running agent records through: a store, and listeners that watch live.

It adds what an agent needs and a store should not know. How much of the content is kept is decided before
store and listeners see anything, and so before anything is hashed; what is secret and what is content stands
in `privacy`. And a store that fails is a warning, not the end of a run, and so is a listener that breaks.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable

from coreact.errors import ConfigError, StoreError
from coreact.trace.privacy import Redaction, Redactor, withheld
from coreact.trace.records import (
    CallRecord,
    Capture,
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

    def __init__(
        self,
        store: TraceStore,
        *,
        listeners: Iterable[Listener] = (),
        capture: Capture = "full",
        redactor: Redactor | None = None,
    ) -> None:
        """Record into a store.

        Args:
            store: where the records go.
            listeners: called with each record, as the store gets it.
            capture: how much of the content is kept; `privacy.withholding` says what `off` leaves,
                `privacy.shapes` what `redacted` replaces. A run that goes on in another process should do so
                with the same.
            redactor: what finds secrets; None: the built-in patterns. Also with `off` it goes over the ids
                and names that stay.

        Raises:
            ConfigError: the capture is none of the three, or a redactor is given with `full`.
        """
        if capture not in ("off", "redacted", "full"):
            raise ConfigError(f"There is no capture {capture!r}.", remedy="Use off, redacted or full.")
        if capture == "full" and redactor is not None:
            raise ConfigError(
                "A redactor is given, and everything is to be kept.", remedy="Say capture='redacted'."
            )
        self.store = store
        self.capture: Capture = capture
        self._redaction = None if capture == "full" else Redaction(redactor or Redactor())
        self._listeners = tuple(listeners)
        self._warned: set[str] = set()

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
        if self._redaction is not None:
            record = self._captured(record, self._redaction)
        try:
            put(record)
        except StoreError as error:
            self._warn_once(f"A record was not stored: {error}")
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

    def _captured(self, record: TraceRecord, redaction: Redaction) -> TraceRecord:
        try:
            return redaction(withheld(record) if self.capture == "off" else record)
        except Exception as error:  # noqa: BLE001 - a user's finder may raise anything, and nothing may leak
            # Its text could hold what was to be found.
            self._warn_once(
                f"A record could not be redacted ({type(error).__name__}); its content is withheld.", depth=4
            )
            redaction.forget(record.id if isinstance(record, RunRecord) else record.run)
            return Redaction(Redactor())(withheld(record))

    def _warn_once(self, what: str, *, depth: int = 3) -> None:
        kind = what.split(":")[0]
        if kind not in self._warned:
            self._warned.add(kind)
            warnings.warn(what, TraceWarning, stacklevel=depth + 1)
