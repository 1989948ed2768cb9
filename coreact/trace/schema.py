"""The SQLite file of the trace store: its version, how it is opened, what is refused.

A file of a newer version is refused, one of an older version is copied aside and then migrated, one
function a version (`migrations`), one transaction a function. The tables stand in `tables`. Nothing here
reads or writes records (that is `rows`), and there is no ORM: these are a dozen append-only tables.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Final

from coreact.errors import StoreError
from coreact.trace.migrations import MIGRATIONS, Migration
from coreact.trace.tables import TABLES

APPLICATION_ID: Final = 0x436F5241
"""`CoRA`: marks the file as ours in its header."""

SCHEMA_VERSIONS: Final[Mapping[int, str]] = {
    1: "Runs, steps, prompts by reference, rubrics, candidates, judgements, verdicts, observations, calls.",
    2: "Of verdicts what broke, what was claimed and how surely; of evidence where the quote stands.",
    3: "What was done to a rubric's draft, tools of a step, decoding constraints, models' own criteria.",
    4: "Later judgements with their evaluators, feedback, calls of each step, capture; verdicts in one row.",
}
"""Every version there ever was, with what it brought."""

CURRENT_SCHEMA: Final = 4
"""The version this library writes; the file's `user_version`."""

if list(SCHEMA_VERSIONS) != list(range(1, CURRENT_SCHEMA + 1)):
    raise RuntimeError("every schema version needs a one-line summary, in order")
if list(MIGRATIONS) != list(range(1, CURRENT_SCHEMA)):
    raise RuntimeError("every schema version but the last needs a migration, in order")

_OLDEST_SQLITE: Final = (3, 38, 0)  # STRICT tables, and JSON functions in every build

_REMEDIES: Final = {
    sqlite3.SQLITE_FULL: "Free some disk space.",
    sqlite3.SQLITE_READONLY: "Make the file and its folder writable.",
    sqlite3.SQLITE_CANTOPEN: "Check that its folder exists and is writable.",
    sqlite3.SQLITE_BUSY: "Another program holds it; close that one.",
    sqlite3.SQLITE_IOERR: "Check the disk: it is full, failing or gone.",
    sqlite3.SQLITE_NOTADB: "It is no SQLite database; choose another path.",
    sqlite3.SQLITE_CORRUPT: "The file is damaged; move it away and start a new one.",
}


def store_error(path: Path, error: Exception, *, doing: str = "written") -> StoreError:
    """An error of SQLite or the system as a `StoreError` with path and remedy."""
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    return StoreError(
        f"The trace store {path} cannot be {doing}: {error}.",
        path=path,
        remedy=_REMEDIES.get(code, "Choose another path with --store or COREACT_STORE."),
    )


def inspect(path: Path, *, timeout: float, migrations: Mapping[int, Migration] | None = None) -> None:
    """Make sure that an existing file can be used, migrating it where it is old.

    A missing or empty file is fine: it becomes a store with the first record.

    Args:
        path: the file.
        timeout: seconds to wait for other programs' locks.
        migrations: other migrations than the library's own, for tests; the newest version is then
            the one that the last of them leads to.

    Raises:
        StoreError: it is no database, another application's, newer than this library, or unreadable.
    """
    if sqlite3.sqlite_version_info < _OLDEST_SQLITE:
        raise StoreError(
            f"Traces need SQLite 3.38 or newer; this Python has {sqlite3.sqlite_version}.",
            path=path,
            remedy="Use a Python that is built with a newer SQLite.",
        )
    try:
        if not path.exists():
            return
        with closing(open_to_read(path, timeout=timeout)) as connection:
            if is_new(connection):
                return
            version = _version(connection, path)
        steps = MIGRATIONS if migrations is None else migrations
        newest = CURRENT_SCHEMA if migrations is None else max(migrations, default=CURRENT_SCHEMA - 1) + 1
        if version > newest:
            raise StoreError(
                f"The trace store {path} has schema version {version}; this library knows up to {newest}.",
                path=path,
                remedy="Upgrade coreact, or choose another path.",
            )
        if version < newest:
            _migrate(path, version, newest, steps, timeout)
    except (sqlite3.Error, OSError) as error:
        raise store_error(path, error, doing="read") from error


def open_to_read(path: Path, *, timeout: float) -> sqlite3.Connection:
    """A read-only connection to an existing file. It never changes the file."""
    address = path.absolute().as_uri() + "?mode=ro"
    connection = sqlite3.connect(address, uri=True, timeout=timeout, isolation_level=None)
    try:
        connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    except sqlite3.OperationalError:
        connection.close()
        log = path.with_name(path.name + "-wal")
        if not path.is_file() or (log.exists() and log.stat().st_size):
            raise
        # A WAL file in a folder nobody may write to: with no log beside it, it is all there is.
        connection = sqlite3.connect(
            address + "&immutable=1", uri=True, timeout=timeout, isolation_level=None
        )
    except sqlite3.Error:
        connection.close()
        raise
    return connection


def open_to_write(path: Path, *, timeout: float) -> sqlite3.Connection:
    """The writing connection to a file, which is made where there is none.

    Raises:
        StoreError: the file is no store of ours.
        sqlite3.Error: SQLite cannot open or create it.
        OSError: its folder cannot be made.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    connection = sqlite3.connect(path, timeout=timeout, isolation_level=None)
    try:
        _switch_to_wal(connection, timeout)
        connection.execute("BEGIN IMMEDIATE")
        if is_new(connection):
            _create(connection)
        elif (version := _version(connection, path)) != CURRENT_SCHEMA:
            raise StoreError(
                f"The trace store {path} changed to schema version {version} while it was in use.",
                path=path,
                remedy="Restart the program with one version of coreact.",
            )
        connection.execute("COMMIT")
    except BaseException:  # whatever it was, also Ctrl-C: it goes on, but leaves no connection open
        connection.close()
        raise
    return connection


def empty() -> sqlite3.Connection:
    """A store without a run, in memory: what a file that does not exist yet reads as."""
    connection = sqlite3.connect(":memory:", isolation_level=None)
    _create(connection)
    return connection


def _create(connection: sqlite3.Connection) -> None:
    for statement in TABLES:
        connection.execute(statement)
    connection.execute("INSERT INTO meta VALUES ('created_ns', ?)", (str(time.time_ns()),))
    connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    connection.execute(f"PRAGMA user_version = {CURRENT_SCHEMA}")


def _switch_to_wal(connection: sqlite3.Connection, timeout: float) -> None:
    # SQLite does not wait for a lock while it changes the mode, so several processes that make
    # one file at the same time would meet "database is locked".
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


def _pragma(connection: sqlite3.Connection, name: str) -> int:
    return int(connection.execute(f"PRAGMA {name}").fetchone()[0])


def is_new(connection: sqlite3.Connection) -> bool:
    """Whether nothing was made in the file yet, as where its first writer was killed at once."""
    tables = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
    return (
        not tables and not _pragma(connection, "application_id") and not _pragma(connection, "user_version")
    )


def _version(connection: sqlite3.Connection, path: Path) -> int:
    if _pragma(connection, "application_id") != APPLICATION_ID:
        raise StoreError(
            f"{path} is the database of another application, not a trace store.",
            path=path,
            remedy="Choose another path with --store or COREACT_STORE.",
        )
    return _pragma(connection, "user_version")


def _migrate(
    path: Path, version: int, newest: int, migrations: Mapping[int, Migration], timeout: float
) -> None:
    with closing(sqlite3.connect(path, timeout=timeout, isolation_level=None)) as connection:
        with closing(sqlite3.connect(_backup_path(path, version))) as copy:
            connection.backup(copy)
        while version < newest:
            connection.execute("BEGIN IMMEDIATE")
            try:
                version = _pragma(connection, "user_version")  # another process may have been faster
                if version < newest:
                    migrations[version](connection)
                    version += 1
                    connection.execute(f"PRAGMA user_version = {version}")
                connection.execute("COMMIT")
            except BaseException:  # also Ctrl-C: it goes on, but no migration is left half done
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                raise


def _backup_path(path: Path, version: int) -> Path:
    candidate, number = path.with_name(f"{path.name}.v{version}.bak"), 1
    while candidate.exists():
        number += 1
        candidate = path.with_name(f"{path.name}.v{version}-{number}.bak")
    return candidate
