"""The rubric bank: entries in one SQLite file or in memory, with counts of what came of them.

The file holds the truth, and this process a mirror of it, which is brought up to date whenever another
connection has written (SQLite's `data_version` says so); reading at each step of an agent then costs no
parsing. Each change is one `BEGIN IMMEDIATE` transaction and counts are added by SQLite, so that threads
and processes that share a file lose none of each other's. What comes out of the file is untrusted and
validated: a row that cannot be read is named and costs that row alone. A forked process opens the bank
anew. Which entries resemble a question is not decided here (`retrieval`).
"""

from __future__ import annotations

import json
import sqlite3
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, NamedTuple, Self

from pydantic import TypeAdapter, ValidationError

from coreact.errors import StoreError
from coreact.generate.bank.file import opened
from coreact.generate.bank.records import MAX_COUNT, BankEntry, Outcomes
from coreact.rubric import Rubric

# Counts stop at MAX_COUNT; SQLite would go on with inexact ones beyond 64 bits.
_COUNT: Final = """UPDATE entry SET uses = min(uses + ?, 9007199254740991),
    fixed = min(fixed + ?, 9007199254740991), spoiled = min(spoiled + ?, 9007199254740991) WHERE key = ?
    RETURNING id, uses, fixed, spoiled"""
_INSERT: Final = """INSERT INTO entry (key, question, stage, tools, rubric, source, origin)
    VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (key) DO UPDATE SET question = excluded.question,
    stage = excluded.stage, tools = excluded.tools, rubric = excluded.rubric, source = excluded.source,
    origin = excluded.origin"""
_NAMES: Final = TypeAdapter(tuple[str, ...])


class BankWarning(UserWarning):
    """A part of a bank cannot be used."""


class BrokenRow(NamedTuple):
    """A row of the file that is no entry."""

    row: int
    """Its `id` in the table `entry`."""
    reason: str


class RubricBank:
    """Rubrics with their questions and outcomes. Safe to share between threads.

    Args:
        path: the file, which is made where there is none, with its folder; None: in memory.
        lock_seconds: how long to wait for another program that holds the file.

    Raises:
        StoreError: the file cannot be opened, or is no rubric bank of this version.
    """

    def __init__(self, path: str | Path | None = None, *, lock_seconds: float = 10.0) -> None:
        self.path = None if path is None else Path(path)
        self._lock = threading.RLock()
        self._seen = -1
        self._revision = 0
        self._rows: dict[int, BankEntry | BrokenRow] = {}
        self._view: tuple[BankEntry, ...] | None = None
        self._ids: dict[str, int] = {}
        with self._errors("opened"):
            self._connection = opened(self.path, lock_seconds)
        try:
            self._refresh()
        except BaseException:  # whatever it was, also a warning made an error: it goes on
            self.close()
            raise

    # --- writing ----------------------------------------------------------------------------

    def append(self, entry: BankEntry) -> str:
        """Take an entry; one of equal content stays one, and their counts add up.

        Returns:
            The entry's key.

        Raises:
            StoreError: it cannot be written.
        """
        counts = (entry.outcomes.uses, entry.outcomes.fixed, entry.outcomes.spoiled)
        content = (
            entry.question,
            entry.stage,
            _NAMES.dump_json(entry.tools).decode(),
            json.dumps(entry.rubric.model_dump(exclude_defaults=True)),
            entry.source,
            entry.origin,
        )
        with self._writing() as connection:
            connection.execute(_INSERT, (entry.key, *content))
            ((at, *now),) = connection.execute(_COUNT, (*counts, entry.key)).fetchall()
            known = self._rows.get(at)
            self._put(at, _counted(at, known if isinstance(known, BankEntry) else entry, now))
            self._ids[entry.key] = at
            self._revision += not isinstance(known, BankEntry)
        return entry.key

    def record_outcome(self, key: str, *, uses: int = 0, fixed: int = 0, spoiled: int = 0) -> bool:
        """Add to the counts of an entry.

        Args:
            key: the entry's key.
            uses: times it was used, at least 0.
            fixed: steps that following it made right, at least 0.
            spoiled: steps that following it made wrong, at least 0.

        Returns:
            Whether the entry is there; it may have been removed since it was retrieved.

        Raises:
            ValueError: a count is negative.
            StoreError: it cannot be written.
        """
        counts = (uses, fixed, spoiled)
        if not all(0 <= count <= MAX_COUNT for count in counts):
            raise ValueError(f"counts of outcomes cannot be {counts}")
        with self._writing() as connection:
            for at, *now in connection.execute(_COUNT, (*counts, key)).fetchall():
                if isinstance(known := self._rows.get(at), BankEntry):
                    self._put(at, _counted(at, known, now))
                return True
            return False

    def remove(self, key: str) -> bool:
        """Take an entry out; says whether it was there.

        Raises:
            StoreError: it cannot be written.
        """
        with self._writing() as connection:
            gone = connection.execute("DELETE FROM entry WHERE key = ? RETURNING id", (key,)).fetchall()
            for (at,) in gone:
                self._rows.pop(at, None)
                self._view = None
                self._revision += 1
            return bool(gone)

    # --- reading ----------------------------------------------------------------------------

    def __len__(self) -> int:
        return len(self.entries())

    def __iter__(self) -> Iterator[BankEntry]:
        return iter(self.entries())

    def entries(self) -> tuple[BankEntry, ...]:
        """All entries that can be read, in the order in which they came.

        Raises:
            StoreError: the file cannot be read.
        """
        with self._lock:
            self._refresh()
            if self._view is None:
                rows = (self._rows[at] for at in sorted(self._rows))
                self._view = tuple(row for row in rows if isinstance(row, BankEntry))
            return self._view

    def broken(self) -> tuple[BrokenRow, ...]:
        """The rows that cannot be read, in order; a `BankWarning` names each once.

        Raises:
            StoreError: the file cannot be read.
        """
        with self._lock:
            self._refresh()
            rows = (self._rows[at] for at in sorted(self._rows))
            return tuple(row for row in rows if isinstance(row, BrokenRow))

    def get(self, key: str) -> BankEntry | None:
        """The entry with this key, or None."""
        with self._lock:
            self._refresh()
            row = self._rows.get(self._ids.get(key, -1))
            return row if isinstance(row, BankEntry) else None

    def revision(self) -> int:
        """A number that moves when entries come or go, and not when counts change; for indexes.

        Raises:
            StoreError: the file cannot be read.
        """
        with self._lock:
            self._refresh()
            return self._revision

    def close(self) -> None:
        """Let go of the file; what is in memory is gone."""
        with self._lock:
            self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # --- the file and its mirror ----------------------------------------------------------------

    def _put(self, at: int, row: BankEntry | BrokenRow) -> None:
        self._rows[at] = row
        self._view = None

    def _refresh(self) -> None:
        """Bring the mirror up to date, where another connection has written."""
        with self._errors("read"):
            version = int(self._connection.execute("PRAGMA data_version").fetchone()[0])
            if version == self._seen:
                return
            counts = {
                at: (key, numbers)
                for at, key, *numbers in self._connection.execute(
                    "SELECT id, key, uses, fixed, spoiled FROM entry"
                )
            }
            fresh = sorted(counts.keys() - self._rows.keys())
            gone = self._rows.keys() - counts.keys()
            rows = {at: self._rows[at] for at in self._rows if at in counts}
            for at in fresh:
                rows[at] = _entry(at, self._connection.execute(_WHOLE, (at,)).fetchone())
        for at, row in rows.items():
            if isinstance(row, BankEntry):
                rows[at] = _counted(at, row, counts[at][1])
        self._view = None
        self._rows, self._ids = rows, {key: at for at, (key, _) in counts.items()}
        self._revision += bool(fresh or gone)
        self._seen = version
        for at in fresh:
            if isinstance(row := rows[at], BrokenRow):
                warnings.warn(
                    f"Row {at} of {self._where} is no entry: {row.reason}", BankWarning, stacklevel=4
                )

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        with self._lock, self._errors("written"):
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield self._connection
                self._connection.execute("COMMIT")
            except BaseException:  # also Ctrl-C: it goes on, but leaves no open transaction
                self._seen = -1  # what the mirror took on may not be in the file
                self._rows.clear()
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise

    @property
    def _where(self) -> str:
        return f"the rubric bank {self.path}" if self.path else "the rubric bank in memory"

    @contextmanager
    def _errors(self, doing: str) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, OSError, UnicodeError) as error:
            what = f"{self._where[:1].upper()}{self._where[1:]} cannot be {doing}: {error}."
            raise StoreError(
                what, path=self.path, remedy="Check the file and its folder, or choose another path."
            ) from error


_WHOLE: Final = "SELECT question, stage, tools, rubric, source, origin, key FROM entry WHERE id = ?"


def _entry(at: int, row: Any) -> BankEntry | BrokenRow:
    """A stored row as an entry without counts, or what is wrong with it."""
    if row is None:
        return BrokenRow(at, "it was removed while it was read")
    question, stage, tools, rubric, source, origin, key = row
    try:
        entry = BankEntry(
            question=question,
            stage=stage,
            tools=_NAMES.validate_json(tools),
            rubric=Rubric.model_validate(json.loads(rubric)),
            source=source,
            origin=origin,
        )
        return entry if entry.key == key else BrokenRow(at, "its content is not what its key says")
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        return BrokenRow(at, f"{'.'.join(map(str, first['loc'])) or 'a column'}: {first['msg']}")
    except (ValueError, RecursionError) as error:
        return BrokenRow(at, f"it cannot be read: {error}")


def _counted(at: int, entry: BankEntry, counts: Any) -> BankEntry | BrokenRow:
    """The entry with its counts as they stand in the file now."""
    now = entry.outcomes
    if (now.uses, now.fixed, now.spoiled) == tuple(counts):
        return entry
    try:
        outcomes = Outcomes(**dict(zip(Outcomes.model_fields, counts, strict=True)))
    except ValidationError:
        return BrokenRow(at, "its counts are out of range")
    return entry.model_copy(update={"outcomes": outcomes})
