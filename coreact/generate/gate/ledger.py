"""The ledger of what rubrics did to steps, and the mutes that follow from it.

Append-only JSON lines, so that nothing that was counted can be lost or changed unseen, and a mute can always
be traced to what it rests on. Nothing is ever deleted: a mute is a computation over the newest events, so it
ends by itself when the evidence turns, and a decision by hand is a line that a later line overrules. Kept in
memory where no file is given. Safe to share between threads of one process; of several processes each sees
what stood in the file when it opened it.

A line that a killed process left unfinished at the end of the file is passed over, and the next line written
says so. Any other line that cannot be read is an error: a decision that silently no longer counts would let
a muted family guide again.
"""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Literal

from pydantic import Field, TypeAdapter, ValidationError

from coreact.errors import StoreError
from coreact.generate.gate.benefit import StepOutcome, Tally, tallied, writer
from coreact.rubric import Record
from coreact.rubric.settings import Settings

Order = Literal["mute", "unmute", "automatic"]
"""A decision by hand. `automatic` gives the family back to the evidence."""


class MutePolicy(Settings):
    """When a family spoils more than it mends."""

    events: int = Field(default=10, ge=1)
    """Fewest changed steps before anything is muted."""
    spoiled: float = Field(default=0.5, ge=0, le=1)
    """What the lower end of the interval of the spoiled share must exceed."""
    window: int = Field(default=200, ge=1)
    """Newest changed steps of a family that count, so that old harm can be outlived."""


class ByHand(Record):
    """Somebody's decision on one family."""

    family: str
    order: Order
    reason: str = ""


class Muted(Record):
    """Why a family is muted."""

    family: str
    reason: str


class _Line(Record):
    """One line of the file."""

    outcome: StepOutcome | None = None
    by_hand: ByHand | None = None
    torn: bool = False
    """The line before this one was never finished."""


_LINE = TypeAdapter(_Line)
_AFTER_TORN = _Line(torn=True)


class Ledger:
    """Outcomes and decisions, in order.

    Args:
        path: the file; made with the first line. None: kept in memory.

    Raises:
        StoreError: the file cannot be read, or a line of it that is not a torn last one.
    """

    def __init__(self, path: str | Path | None = None) -> None:
        self.path = None if path is None else Path(path)
        self._lock = threading.Lock()
        self._torn = False
        self.unreadable = 0
        """Torn lines of the file that were passed over."""
        self._outcomes: list[StepOutcome] = []
        self._by_hand: dict[str, ByHand] = {}
        self._muted: tuple[MutePolicy, dict[str, Muted]] | None = None
        for line in self._read():
            self._take(line)

    def record(self, outcomes: Iterable[StepOutcome]) -> None:
        """Add outcomes.

        Raises:
            StoreError: the file cannot be written; then none of them counts.
        """
        self._add([_Line(outcome=outcome) for outcome in outcomes])

    def decide(self, family: str, order: Order, *, reason: str = "") -> None:
        """Mute or unmute a family by hand, or give it back to the evidence.

        Raises:
            StoreError: the file cannot be written; then nothing is decided.
        """
        self._add([_Line(by_hand=ByHand(family=family, order=order, reason=reason))])

    @property
    def outcomes(self) -> tuple[StepOutcome, ...]:
        """Every outcome, oldest first."""
        with self._lock:
            return tuple(self._outcomes)

    def tallies(self) -> dict[str, Tally]:
        """Counts over all outcomes, by family and by generator."""
        return tallied(self.outcomes)

    def muted(self, policy: MutePolicy | None = None) -> dict[str, Muted]:
        """The families that must not guide now, with the reason; what was decided by hand comes first."""
        limits = policy or MutePolicy()
        with self._lock:
            if self._muted is None or self._muted[0] != limits:
                self._muted = (limits, self._compute(limits))
            return dict(self._muted[1])

    def _compute(self, limits: MutePolicy) -> dict[str, Muted]:
        found: dict[str, Muted] = {}
        for name, tally in self._recent(limits.window).items():
            spoiling = tally.spoiling()
            if tally.events >= limits.events and spoiling is not None and spoiling.low > limits.spoiled:
                reason = f"it spoiled {tally.spoiled} of the last {tally.events} steps that it changed"
                found[name] = Muted(family=name, reason=reason)
        for decision in self._by_hand.values():
            if decision.order == "mute":
                reason = f"muted by hand: {decision.reason or 'no reason given'}"
                found[decision.family] = Muted(family=decision.family, reason=reason)
            elif decision.order == "unmute":
                found.pop(decision.family, None)
        return found

    def _recent(self, window: int) -> dict[str, Tally]:
        turns: dict[str, list[str]] = defaultdict(list)
        for outcome in self._outcomes:
            if outcome.turn != "same":
                for name in dict.fromkeys((*outcome.families, writer(outcome.generator))):
                    turns[name].append(outcome.turn)
        return {
            name: Tally(
                family=name, fixed=own[-window:].count("fixed"), spoiled=own[-window:].count("spoiled")
            )
            for name, own in turns.items()
        }

    def _add(self, lines: list[_Line]) -> None:
        with self._lock:
            if self.path is not None and lines:
                written = [_AFTER_TORN, *lines] if self._torn else lines
                text = b"".join(_LINE.dump_json(one, exclude_defaults=True) + b"\n" for one in written)
                try:
                    self.path.parent.mkdir(parents=True, exist_ok=True)
                    with self.path.open("ab") as file:
                        file.write((b"\n" if self._torn else b"") + text)
                except OSError as error:
                    raise StoreError(
                        f"The ledger {self.path} cannot be written: {error.strerror}.", path=self.path
                    ) from error
                self._torn = False
            for line in lines:
                self._take(line)

    def _take(self, line: _Line) -> None:
        self._muted = None
        if line.outcome is not None:
            self._outcomes.append(line.outcome)
        if line.by_hand is not None:
            self._by_hand[line.by_hand.family] = line.by_hand

    def _read(self) -> list[_Line]:
        if self.path is None or not self.path.exists():
            return []
        try:
            text = self.path.read_bytes()
        except OSError as error:
            raise StoreError(
                f"The ledger {self.path} cannot be read: {error.strerror}.", path=self.path
            ) from error
        self._torn = bool(text) and not text.endswith(b"\n")
        found: list[_Line] = []
        bad = 0  # number of an unreadable line that nothing excuses yet
        for number, line in enumerate(text.split(b"\n"), 1):
            if not line.strip():
                continue
            try:
                read = _LINE.validate_json(line)
            except ValidationError:
                if bad:
                    break
                bad = number
                continue
            if bad and not read.torn:
                break
            self.unreadable += bool(bad)
            bad = 0
            found.append(read)
        else:
            if bad and self._torn:  # a process was killed while it wrote; what it wrote before stands
                self.unreadable += 1
                bad = 0
        if bad or (self.unreadable and not found):
            what = f"{self.path} is no ledger" if not found else f"The ledger {self.path} was changed"
            raise StoreError(
                f"{what}: line {bad or 1} cannot be read.",
                path=self.path,
                remedy="Mend or remove that line, or give another path.",
            )
        return found
