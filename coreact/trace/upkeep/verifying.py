"""Is a trace file whole: the file, the hashes of its content, and all that refers to something.

A file is looked at as it lies there, through a read-only connection; nothing is mended. What a step's state
was is computed again only where that is asked for: it costs as much as reading the run.
"""

from __future__ import annotations

import hashlib
import sqlite3
import zlib
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from coreact.errors import StoreError
from coreact.rubric import Record
from coreact.trace.records import Trajectory
from coreact.trace.rows import read_trajectory, selected_runs
from coreact.trace.rows.encoding import restored, stored
from coreact.trace.schema import inspect, is_new, open_to_read, store_error
from coreact.trace.states import state_at
from coreact.trace.store import EVERY_RUN

_LOCK_SECONDS = 10.0

_CONTENT = (
    ("the question of run", "SELECT id AS who, question AS content FROM run"),
    ("the settings of run", "SELECT id AS who, settings AS content FROM run"),
    ("the answer of run", "SELECT id AS who, answer AS content FROM run"),
    ("the guidance of step row", "SELECT id AS who, guidance AS content FROM step"),
    ("the tools of step row", "SELECT id AS who, tools AS content FROM step"),
    ("the constraint of step row", "SELECT id AS who, held AS content FROM step"),
    ("a prompt message of step row", "SELECT step AS who, message AS content FROM step_message"),
    ("an attempt's message of step row", "SELECT step AS who, message AS content FROM candidate"),
    ("an attempt's feedback of step row", "SELECT step AS who, feedback AS content FROM candidate"),
    ("the text of observation row", "SELECT id AS who, text AS content FROM observation"),
    ("the request of call row", "SELECT id AS who, request AS content FROM call"),
    ("the response of call row", "SELECT id AS who, response AS content FROM call"),
)
"""What refers to content, and the query for who refers to which number."""

_REFERENCES = (
    ("step row", "run", "SELECT id FROM step WHERE run NOT IN (SELECT id FROM run)"),
    ("observation row", "run", "SELECT id FROM observation WHERE run NOT IN (SELECT id FROM run)"),
    ("call row", "run", "SELECT id FROM call WHERE run NOT IN (SELECT id FROM run)"),
    ("judgement row", "run", "SELECT id FROM judgment WHERE run NOT IN (SELECT id FROM run)"),
    (
        "step row",
        "rubric",
        "SELECT id FROM step WHERE rubric IS NOT NULL AND rubric NOT IN (SELECT id FROM rubric)",
    ),
    (
        "attempt of step row",
        "rubric",
        "SELECT step FROM candidate WHERE own IS NOT NULL AND own NOT IN (SELECT id FROM rubric)",
    ),
    (
        "judgement row",
        "rubric",
        "SELECT id FROM judgment WHERE rubric IS NOT NULL AND rubric NOT IN (SELECT id FROM rubric)",
    ),
    ("attempt of step row", "step", "SELECT step FROM candidate WHERE step NOT IN (SELECT id FROM step)"),
    (
        "judgement row",
        "step",
        "SELECT id FROM judgment WHERE step IS NOT NULL AND step <> -1 AND step NOT IN (SELECT id FROM step)",
    ),
    (
        "judgement row",
        "evaluator",
        "SELECT id FROM judgment WHERE uid IS NOT NULL AND evaluator NOT IN (SELECT sha FROM evaluator)",
    ),
    (
        "judgement row",
        "judgement that it supersedes",
        "SELECT id FROM judgment AS this WHERE supersedes IS NOT NULL AND NOT EXISTS"
        " (SELECT 1 FROM judgment AS old WHERE old.uid = this.supersedes)",
    ),
)
"""Who refers, to what, and the query for those whose reference leads nowhere."""


class Problem(Record):
    """One thing that is wrong."""

    where: str
    what: str


class Verified(Record):
    """What was looked at, and what was found."""

    path: Path
    runs: int
    steps: int
    contents: int
    """Stored bodies whose hash was taken again."""
    problems: tuple[Problem, ...] = ()

    @property
    def whole(self) -> bool:
        """Whether nothing is wrong."""
        return not self.problems


def verify(path: str | Path, *, states: bool = False) -> Verified:
    """Look a trace file through.

    Args:
        path: the file.
        states: whether the state of each step is computed again and compared with its recorded digest.

    Raises:
        StoreError: the file is no trace store, of a newer schema, or cannot be read at all.
    """
    file = Path(path)
    inspect(file, timeout=_LOCK_SECONDS)
    try:
        with closing(open_to_read(file, timeout=_LOCK_SECONDS)) as connection:
            connection.execute("BEGIN")
            if is_new(connection):
                return Verified(path=file, runs=0, steps=0, contents=0, problems=tuple(_damage(connection)))
            problems = [
                *_damage(connection),
                *_wrong_hashes(connection),
                *_missing_content(connection),
                *_dangling(connection),
                *_unreadable(connection, states=states),
            ]
            return Verified(
                path=file,
                runs=_count(connection, "run"),
                steps=_count(connection, "step"),
                contents=_count(connection, "blob"),
                problems=tuple(problems),
            )
    except sqlite3.Error as error:
        raise store_error(file, error, doing="read") from error


def _count(connection: sqlite3.Connection, table: str) -> int:
    return int(connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0])  # noqa: S608 - our own names


def _damage(connection: sqlite3.Connection) -> Iterator[Problem]:
    for (said,) in connection.execute("PRAGMA integrity_check"):
        if said != "ok":
            yield Problem(where="the file", what=str(said))


def _wrong_hashes(connection: sqlite3.Connection) -> Iterator[Problem]:
    for number, sha, codec, body in connection.execute("SELECT id, sha, codec, body FROM blob"):
        try:
            content = zlib.decompress(body) if codec == "zlib" else body
        except zlib.error as error:
            yield Problem(where=f"content {number}", what=f"it cannot be unpacked: {error}")
            continue
        if hashlib.sha256(content).hexdigest() != sha:
            yield Problem(where=f"content {number}", what="it is not what its hash says")


def _missing_content(connection: sqlite3.Connection) -> Iterator[Problem]:
    for what, query in _CONTENT:
        for who, content in connection.execute(
            f"SELECT who, content FROM ({query})"  # noqa: S608 - our own queries
            " WHERE content IS NOT NULL AND content NOT IN (SELECT id FROM blob)"
        ):
            yield Problem(where=f"{what} {who}", what=f"the content {content} is missing")


def _dangling(connection: sqlite3.Connection) -> Iterator[Problem]:
    for who, what, query in _REFERENCES:
        for (row,) in connection.execute(query):
            yield Problem(where=f"{who} {row}", what=f"the {what} is missing")


def _unreadable(connection: sqlite3.Connection, *, states: bool) -> Iterator[Problem]:
    for run in selected_runs(connection, EVERY_RUN):
        try:
            whole = read_trajectory(connection, run)
        except (ValueError, zlib.error, RecursionError) as error:
            lines = str(error).splitlines()
            yield Problem(where=f"run {run}", what=f"it cannot be read: {lines[0] if lines else error!r}")
            continue
        yield from _inconsistent(connection, whole)
        if states:
            yield from _other_states(whole)


def _inconsistent(connection: sqlite3.Connection, whole: Trajectory) -> Iterator[Problem]:
    length = 0
    for step in whole.steps:
        where = f"run {whole.run.id}, step {step.index}"
        if step.prompt_kept > length:
            yield Problem(where=where, what=f"it keeps {step.prompt_kept} messages of a prompt of {length}")
        length = step.prompt_kept + len(step.prompt_added)
        if sum(attempt.selected for attempt in step.attempts) > 1:
            yield Problem(where=where, what="more than one attempt is selected")
        lock = None if step.rubric is None else step.rubric.lock
        for attempt in step.attempts:
            if lock is not None and any(one.rubric != lock for one in attempt.judgements):
                yield Problem(where=where, what="an attempt was judged by another rubric than the step's")
    rows = connection.execute(
        "SELECT DISTINCT rubric.id, lock FROM rubric JOIN step_latest AS step ON step.rubric = rubric.id"
        " WHERE step.run = ?",
        (stored(whole.run.id),),
    )
    locks = {step.rubric.lock for step in whole.steps if step.rubric is not None}
    for number, lock in rows:
        if restored(lock) not in locks:
            yield Problem(where=f"rubric {number}", what="it is not what its lock says")


def _other_states(whole: Trajectory) -> Iterator[Problem]:
    for step in whole.steps:
        if step.state_digest:
            try:
                state_at(whole, step.index)
            except StoreError as error:
                yield Problem(where=f"run {whole.run.id}, step {step.index}", what=error.what)
