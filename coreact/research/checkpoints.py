"""Where a run's progress is kept: LangGraph's own savers, chosen by an address.

`memory:`, `sqlite:///runs.db` (three slashes for a relative path, four for an absolute one) or
`postgresql://user@host/base`. Nothing is stored here and no saver is our own. A run that is to survive a kill
at any step is invoked with `durability="sync"`: LangGraph's default writes a checkpoint while the next step
already runs.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from langgraph.checkpoint.memory import InMemorySaver

from coreact.errors import ConfigError, MissingExtraError, StoreError

_POSTGRES = ("postgresql", "postgres")


@contextmanager
def open_checkpointer(url: str) -> Generator[Any]:
    """Open the saver at an address, for graphs that are invoked without async, and close it at the end.

    Args:
        url: `memory:`, `sqlite:///PATH` or `postgresql://…`. Tables are made where there are none.

    Raises:
        ConfigError: the address is none of these.
        MissingExtraError: the extra `checkpoints` is not installed.
        StoreError: the file or the server cannot be opened.
    """
    scheme, path = _read(url)
    if scheme == "memory":
        yield InMemorySaver()
        return
    try:
        if scheme == "sqlite":
            from langgraph.checkpoint.sqlite import SqliteSaver

            failures: type[Exception] = sqlite3.Error
            opened: Any = SqliteSaver.from_conn_string(path)
        else:
            import psycopg
            from langgraph.checkpoint.postgres import PostgresSaver

            failures = psycopg.OperationalError
            opened = PostgresSaver.from_conn_string(url)
    except ImportError as error:
        raise MissingExtraError(f"Checkpoints in {scheme}", extra="checkpoints") from error
    try:
        saver = opened.__enter__()
    except failures as error:
        raise _unopened(scheme, path, error) from error
    with _closing(opened):
        try:
            saver.setup()
        except failures as error:
            raise _unopened(scheme, path, error) from error
        yield saver


@asynccontextmanager
async def aopen_checkpointer(url: str) -> AsyncGenerator[Any]:
    """The same for graphs that are invoked with async."""
    scheme, path = _read(url)
    if scheme == "memory":
        yield InMemorySaver()
        return
    try:
        if scheme == "sqlite":
            from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver

            failures: type[Exception] = sqlite3.Error
            opened: Any = AsyncSqliteSaver.from_conn_string(path)
            # Where the file cannot be opened, the driver leaves a thread that fails later, and elsewhere.
            await asyncio.to_thread(_try_to_open, path)
        else:
            import psycopg
            from langgraph.checkpoint.postgres.aio import AsyncPostgresSaver

            failures = psycopg.OperationalError
            opened = AsyncPostgresSaver.from_conn_string(url)
    except ImportError as error:
        raise MissingExtraError(f"Checkpoints in {scheme}", extra="checkpoints") from error
    try:
        saver = await opened.__aenter__()
    except failures as error:
        raise _unopened(scheme, path, error) from error
    try:
        try:
            await saver.setup()
        except failures as error:
            raise _unopened(scheme, path, error) from error
        yield saver
    finally:
        await opened.__aexit__(None, None, None)


def _try_to_open(path: str) -> None:
    try:
        sqlite3.connect(path).close()
    except sqlite3.Error as error:
        raise _unopened("sqlite", path, error) from error


@contextmanager
def _closing(opened: Any) -> Generator[None]:
    try:
        yield
    finally:
        opened.__exit__(None, None, None)


def _read(url: str) -> tuple[str, str]:
    """The scheme, and the path where it is a file."""
    if url == "memory:":
        return "memory", ""
    scheme = url.partition(":")[0]
    if scheme in _POSTGRES and urlsplit(url).netloc + urlsplit(url).path:
        return "postgresql", ""
    path = url.removeprefix("sqlite:///")
    if scheme == "sqlite" and path != url and path:
        return "sqlite", path
    # The address may hold a password: only its scheme is said.
    raise ConfigError(
        f"There is no checkpointer for an address of the kind {scheme[:20]!r}.",
        remedy="Use memory:, sqlite:///PATH or postgresql://USER@HOST/BASE.",
    )


def _unopened(scheme: str, path: str, error: Exception) -> StoreError:
    # What the driver says can quote the address, password and all.
    what = path if scheme == "sqlite" else "the PostgreSQL server"
    return StoreError(
        f"The checkpoints at {what} cannot be opened ({type(error).__name__}).",
        path=Path(path) if scheme == "sqlite" else None,
        remedy="Check that it exists, is reachable and may be written to.",
    )
