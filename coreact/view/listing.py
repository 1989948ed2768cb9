"""The list of runs: filters from an address, pages, and what there is to filter by.

Pages go on from the last run shown, not from a number of runs, so that new runs shift nothing.
"""

from __future__ import annotations

import math
import sqlite3
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import NamedTuple, cast, get_args

from coreact.errors import ConfigError
from coreact.rubric import SCHEME
from coreact.trace import RunFilter, RunStatus, RunSummary, SQLiteTraceStore, TraceStore
from coreact.trace.rows.encoding import restored
from coreact.trace.schema import open_to_read, store_error

PAGE = 50
"""Runs on a page."""
FACETS_OF = 500
"""Newest runs that facets are counted over."""
_CHOICES = 12

FIELDS = ("question", "agent", "status", "min_score", "max_score", "tool", "rubric", "evaluator")
"""Parameters of an address that select runs, named as the fields of `RunFilter`."""


def filter_of(parameters: Mapping[str, str]) -> RunFilter:
    """The filter that an address asks for; empty parameters ask for nothing.

    Raises:
        ConfigError: a bound is no number in [0, 1], or there is no such status.
    """
    given = {name: parameters[name].strip() for name in FIELDS if parameters.get(name, "").strip()}
    status = given.get("status")
    if status is not None and status not in get_args(RunStatus):
        raise ConfigError(
            f"There is no run status {status!r}.", remedy=f"Use one of {', '.join(get_args(RunStatus))}."
        )
    return RunFilter(
        question=given.get("question"),
        agent=given.get("agent"),
        status=cast("RunStatus | None", status),
        min_score=_bound(given, "min_score"),
        max_score=_bound(given, "max_score"),
        tool=given.get("tool"),
        rubric=whole_lock(given["rubric"]) if "rubric" in given else None,
        evaluator=given.get("evaluator"),
    )


def whole_lock(lock: str) -> str:
    """A lock, or its beginning, with the name of its scheme, which pages leave out."""
    return lock if ":" in lock else f"{SCHEME}:{lock}"


def _bound(given: Mapping[str, str], name: str) -> float | None:
    if name not in given:
        return None
    try:
        value = float(given[name])
    except ValueError:
        value = math.nan
    if not 0 <= value <= 1:
        raise ConfigError(f"The score {given[name]!r} is no number in [0, 1].", remedy="Write 0.6, say.")
    return value


class Page(NamedTuple):
    """Some runs, newest first."""

    runs: tuple[RunSummary, ...]
    further: bool
    """Whether older ones are left."""


def page_of(
    store: TraceStore,
    where: RunFilter,
    *,
    after: str = "",
    after_ns: int | None = None,
    size: int = PAGE,
) -> Page:
    """The runs that follow one in the list.

    Args:
        store: where they are.
        where: which runs.
        after: id of the last run shown before; empty: the first page.
        after_ns: when that one started.
        size: how many at most.

    Raises:
        StoreError: the store cannot be read.
    """
    if not after or after_ns is None:
        found = store.runs(size + 1, where)
        return Page(found[:size], len(found) > size)
    # Runs may share their start (an import); so that of the last one is read again, and skipped.
    where = where.model_copy(update={"until_ns": after_ns + 1})
    limit = size + 2
    while True:
        found = store.runs(limit, where)
        rest = tuple(one for one in found if (one.started_ns, one.id) < (after_ns, after))
        if len(rest) > size or len(found) < limit:
            return Page(rest[:size], len(rest) > size)
        limit *= 2


class Facets(NamedTuple):
    """What stands in the newest runs, each with how many of them have it, most frequent first."""

    agents: list[tuple[str, int]]
    tools: list[tuple[str, int]]
    rubrics: list[tuple[str, int]]
    evaluators: list[tuple[str, int]]


_NEWEST = f"(SELECT id FROM run ORDER BY started_ns DESC, id DESC LIMIT {FACETS_OF})"  # noqa: S608
_COUNTS = {
    "agents": f"SELECT agent, count(*) FROM run WHERE id IN {_NEWEST}",  # noqa: S608 - our own words
    "tools": f"SELECT tool, count(DISTINCT run) FROM observation WHERE run IN {_NEWEST}",  # noqa: S608
    "rubrics": "SELECT lock, count(DISTINCT run) FROM step JOIN rubric ON rubric.id = step.rubric"  # noqa: S608
    f" WHERE run IN {_NEWEST}",
    "evaluators": "SELECT name, count(DISTINCT run) FROM judgment"  # noqa: S608
    f" JOIN evaluator ON evaluator.sha = judgment.evaluator WHERE uid IS NOT NULL AND run IN {_NEWEST}",
}


def facets(store: SQLiteTraceStore) -> Facets:
    """Count what the newest runs can be filtered by.

    Raises:
        StoreError: the store cannot be read.
    """
    path = Path(store.path)
    store.flush()
    if not path.exists():
        return Facets([], [], [], [])
    try:
        with closing(open_to_read(path, timeout=10.0)) as connection:
            counted = {name: _counted(connection, query) for name, query in _COUNTS.items()}
    except (sqlite3.Error, OSError) as error:
        raise store_error(path, error, doing="read") from error
    return Facets(**counted)


def _counted(connection: sqlite3.Connection, query: str) -> list[tuple[str, int]]:
    rows = connection.execute(f"{query} GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT {_CHOICES}")
    return [(restored(name), count) for name, count in rows if name]
