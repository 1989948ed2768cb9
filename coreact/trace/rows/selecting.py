"""A `RunFilter` as a condition of SQL, over `run` joined with the blob of its question."""

from __future__ import annotations

import json
import sqlite3
from typing import Any

from coreact.trace.rows.encoding import stored, text_of
from coreact.trace.store import RunFilter

_MOST_VALUES = 10_000
_LAST = "\U0010ffff"


def condition_of(connection: sqlite3.Connection, where: RunFilter) -> tuple[str, tuple[Any, ...]]:
    """The condition, with placeholders only, and the values for them."""
    conditions: list[str] = ["1"]
    values: list[Any] = []
    for condition, wanted in (
        ("agent = ?", _text(where.agent)),
        ("origin = ?", _text(where.origin)),
        ("status = ?", where.status),
        ("says(blob.codec, blob.body, ?)", _folded(where.question)),
        ("is_text(blob.codec, blob.body, ?)", _text(where.task)),
        ("score >= ?", where.min_score),
        ("score <= ?", where.max_score),
        ("started_ns >= ?", where.since_ns),
        ("started_ns < ?", where.until_ns),
        (
            "EXISTS (SELECT 1 FROM observation_latest AS seen WHERE seen.run = run.id AND seen.tool = ?)",
            _text(where.tool),
        ),
        (
            "EXISTS (SELECT 1 FROM judgment JOIN evaluator ON evaluator.sha = judgment.evaluator"
            " LEFT JOIN step_latest AS step ON step.id = judgment.step WHERE judgment.run = run.id"
            " AND uid IS NOT NULL AND CASE WHEN judgment.step IS NULL"
            "  THEN coalesce(judged_ns = ended_ns, judged_ns IS NULL) ELSE step.id IS NOT NULL END"
            " AND ? IN (name, evaluator.version))",
            _text(where.evaluator),
        ),
    ):
        if wanted is not None:
            conditions.append(condition)
            values.append(wanted)
    if where.ids is not None:
        if len(where.ids) > _MOST_VALUES:  # more than SQLite takes as single values
            conditions.append("run.id IN (SELECT value FROM json_each(?))")
            values.append(json.dumps([stored(one) for one in where.ids]))
        else:
            conditions.append(f"run.id IN ({', '.join('?' * len(where.ids))})")
            values += [stored(one) for one in where.ids]
    if where.rubric is not None:
        conditions.append(
            "EXISTS (SELECT 1 FROM step_latest AS step JOIN rubric ON rubric.id = step.rubric"
            " WHERE step.run = run.id AND lock BETWEEN ? AND ?)"
        )
        values += [stored(where.rubric), stored(where.rubric) + _LAST]
    connection.create_function("says", 3, _says, deterministic=True)
    connection.create_function("is_text", 3, _is_text, deterministic=True)
    return " AND ".join(conditions), tuple(values)


def _text(text: str | None) -> str | None:
    return None if text is None else stored(text)


def _folded(text: str | None) -> bytes | None:
    return None if text is None else text.casefold().encode("utf-8", "surrogatepass")


def _says(codec: str, body: bytes, wanted: bytes) -> bool:
    return wanted.decode("utf-8", "surrogatepass") in text_of(codec, body).casefold()


def _is_text(codec: str, body: bytes, wanted: str) -> bool:
    return stored(text_of(codec, body)) == wanted
