"""The SQLite file of a rubric bank: its table, its version, and whether a file is one of ours.

A file of another application, or of another version, is refused before a byte of it is changed.
"""

from __future__ import annotations

import sqlite3
import time
from pathlib import Path
from typing import Final

from coreact.errors import StoreError

APPLICATION_ID: Final = 0x436F5242
"""`CoRB`: marks the file as a rubric bank in its header."""

SCHEMA_VERSION: Final = 1
"""Version of the table below; the file's `user_version`."""

_TABLE: Final = """CREATE TABLE entry (
    id INTEGER PRIMARY KEY AUTOINCREMENT, key TEXT NOT NULL UNIQUE, question TEXT NOT NULL, stage TEXT,
    tools TEXT NOT NULL, rubric TEXT NOT NULL, source TEXT NOT NULL, origin TEXT NOT NULL,
    uses INTEGER NOT NULL DEFAULT 0 CHECK (uses >= 0),
    fixed INTEGER NOT NULL DEFAULT 0 CHECK (fixed >= 0),
    spoiled INTEGER NOT NULL DEFAULT 0 CHECK (spoiled >= 0)) STRICT"""


def opened(path: Path | None, lock_seconds: float) -> sqlite3.Connection:
    """A connection to a bank's file, which is made where there is none; in memory where `path` is None.

    Raises:
        StoreError: the file is no rubric bank of this version.
        sqlite3.Error: SQLite cannot open or create it.
        OSError: its folder cannot be made.
    """
    if path is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
    connection = sqlite3.connect(
        ":memory:" if path is None else path,
        timeout=lock_seconds,
        isolation_level=None,
        check_same_thread=False,  # a lock of ours lets one thread at a time use it
    )
    try:
        _prepare(connection, path, lock_seconds)
    except BaseException:  # whatever it was, also Ctrl-C: it goes on, but leaves no connection open
        connection.close()
        raise
    return connection


def _prepare(connection: sqlite3.Connection, path: Path | None, lock_seconds: float) -> None:
    # A damaged text costs its row, not the whole file.
    connection.text_factory = lambda raw: raw.decode("utf-8", "surrogateescape")
    if not _is_new(connection):
        _refuse_strange(connection, path)  # before anything in the file is changed
    _switch_to_wal(connection, lock_seconds)
    connection.execute("BEGIN IMMEDIATE")
    if _is_new(connection):
        connection.execute(_TABLE)
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
    _refuse_strange(connection, path)
    connection.execute("COMMIT")


def _is_new(connection: sqlite3.Connection) -> bool:
    tables = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
    return not tables and not _pragma(connection, "application_id")


def _refuse_strange(connection: sqlite3.Connection, path: Path | None) -> None:
    if _pragma(connection, "application_id") != APPLICATION_ID:
        raise StoreError(
            f"{path} is the database of another application, not a rubric bank.",
            path=path,
            remedy="Choose another path.",
        )
    version = _pragma(connection, "user_version")
    if version != SCHEMA_VERSION:
        raise StoreError(
            f"The rubric bank {path} has version {version}; this library knows version {SCHEMA_VERSION}.",
            path=path,
            remedy="Upgrade coreact, or choose another path.",
        )


def _pragma(connection: sqlite3.Connection, name: str) -> int:
    return int(connection.execute(f"PRAGMA {name}").fetchone()[0])


def _switch_to_wal(connection: sqlite3.Connection, timeout: float) -> None:
    # SQLite does not wait for a lock while it changes the mode, so several processes that make one
    # file at the same time would meet "database is locked".
    patience = time.monotonic() + timeout
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            busy = error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY
            if not busy or time.monotonic() > patience:
                raise
            time.sleep(0.01)
        else:
            return
