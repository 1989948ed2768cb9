"""From each version of the trace file to the next: one pure function a version.

A migration changes the tables of one version into those of the next, inside a transaction that the caller
holds, and knows nothing of records. None changes once it was released: files of that version lie on users'
disks, and `traces/golden/` has one of each. Whoever changes a table moves its old text here.
"""

from __future__ import annotations

import json
import sqlite3
from collections import defaultdict
from collections.abc import Callable, Mapping
from typing import Any, Final

from coreact.trace.rows.encoding import restored, stored, text_of
from coreact.trace.tables import CALL, CANDIDATE, EVALUATOR, INDEXES, JUDGMENT, STEP, VIEWS

Migration = Callable[[sqlite3.Connection], None]
"""Changes a file of one version into the next, inside a transaction that the caller holds."""


def _to_2(connection: sqlite3.Connection) -> None:
    for table, column in (
        ("verdict", "cause TEXT"),
        ("verdict", "claimed TEXT"),
        ("verdict", "confidence REAL"),
        ("evidence", "begins INTEGER"),
        ("evidence", "ends INTEGER"),
    ):
        connection.execute(f"ALTER TABLE {table} ADD COLUMN {column}")


def _to_3(connection: sqlite3.Connection) -> None:
    for table, column in (
        ("step", "remarks TEXT NOT NULL DEFAULT '[]'"),
        ("step", "tools_sha TEXT"),
        ("step", "constraint_sha TEXT"),
        ("candidate", "own_sha TEXT"),
        ("candidate", "unheld TEXT NOT NULL DEFAULT ''"),
    ):
        connection.execute(f"ALTER TABLE {table} ADD COLUMN {column}")


def _to_4(connection: sqlite3.Connection) -> None:
    """Verdicts, evidence, prompt references and actions move into the row they belong to."""
    for view in ("step_latest", "observation_latest", "judgment_latest"):
        connection.execute(f"DROP VIEW {view}")
    connection.execute("DROP TABLE call")  # nothing was ever written to it
    for table in ("step", "candidate", "judgment"):
        connection.execute(f"ALTER TABLE {table} RENAME TO {table}_3")
    for index in ("step_again", "judgment_step", "judgment_superseded"):
        connection.execute(f"DROP INDEX {index}")
    for statement in (STEP, CANDIDATE, JUDGMENT, EVALUATOR, CALL):
        connection.execute(statement)
    _steps_to_4(connection)
    _candidates_to_4(connection)
    _judgments_to_4(connection)
    for table in ("step_3", "candidate_3", "judgment_3", "step_message", "verdict", "evidence"):
        connection.execute(f"DROP TABLE {table}")
    for column in ("agent_version TEXT NOT NULL DEFAULT ''", "origin TEXT NOT NULL DEFAULT 'coreact'"):
        connection.execute(f"ALTER TABLE run ADD COLUMN {column}")
    connection.execute("ALTER TABLE run ADD COLUMN capture TEXT NOT NULL DEFAULT 'full'")
    for statement in (*INDEXES, *VIEWS):
        connection.execute(statement.replace("INDEX ", "INDEX IF NOT EXISTS ", 1))


def _steps_to_4(connection: sqlite3.Connection) -> None:
    added = defaultdict(list)
    for step, sha in connection.execute("SELECT step, sha FROM step_message ORDER BY step, pos"):
        added[step].append(sha)
    rows = connection.execute(
        "SELECT id, run, idx, take, node, phase, rung, state_digest, rubric_sha, generator, guidance_sha,"
        " prompt_kept, dispositions, error, checkpoint_id, checkpoint_ns, calls, tokens_in, tokens_out,"
        " seconds, usd, at_ns, remarks, tools_sha, constraint_sha FROM step_3"
    ).fetchall()
    connection.executemany(
        f"INSERT INTO step VALUES ({', '.join('?' * 28)})",  # noqa: S608 - only question marks
        [
            (*row[:12], json.dumps(added[row[0]]), *row[12:16], None, None, *row[16:])
            for row in rows
        ],
    )  # fmt: skip


def _candidates_to_4(connection: sqlite3.Connection) -> None:
    rows = connection.execute(
        "SELECT candidate_3.*, blob.codec, blob.body FROM candidate_3 JOIN blob ON blob.sha = actions_sha"
    ).fetchall()
    for *row, codec, body in rows:
        step, pos, idx, source, message, _, selected, rejected_by, reason, *rest = row
        cost, own, unheld = rest[:5], rest[5], rest[6]
        actions = stored(text_of(codec, body))
        connection.execute(
            f"INSERT INTO candidate VALUES ({', '.join('?' * 17)})",  # noqa: S608 - only question marks
            (
                step,
                pos,
                idx,
                source,
                message,
                actions,
                selected,
                rejected_by,
                reason,
                *cost,
                own,
                None,
                unheld,
            ),
        )


def _judgments_to_4(connection: sqlite3.Connection) -> None:
    evidence: dict[tuple[int, int], list[dict[str, Any]]] = defaultdict(list)
    for judgment, verdict, message_id, quote, begins, ends in connection.execute(
        "SELECT judgment, verdict, message_id, quote, begins, ends FROM evidence"
        " ORDER BY judgment, verdict, pos"
    ):
        evidence[judgment, verdict].append(
            {"message_id": restored(message_id), "quote": restored(quote), "start": begins, "end": ends}
        )
    verdicts: dict[int, list[dict[str, Any]]] = defaultdict(list)
    for judgment, pos, criterion, status, reason, by, fault, cause, claimed, sure in connection.execute(
        "SELECT judgment, pos, criterion, status, reason, decided_by, fault, cause, claimed, confidence"
        " FROM verdict ORDER BY judgment, pos"
    ):
        verdicts[judgment].append(
            {
                "criterion": restored(criterion),
                "reason": restored(reason),
                "status": status,
                "evidence": evidence[judgment, pos],
                "decided_by": restored(by),
                "fault": fault,
                "cause": cause,
                "claimed": claimed,
                "confidence": sure,
            }
        )
    rows = connection.execute(
        "SELECT judgment_3.id, step.run, step, candidate, action, rubric_lock, score, passed, judged, total,"
        " judgment_3.calls, judgment_3.tokens_in, judgment_3.tokens_out, judgment_3.seconds, judgment_3.usd,"
        " evaluator, sample, created_ns FROM judgment_3 JOIN step ON step.id = judgment_3.step"
    ).fetchall()
    statement = f"INSERT INTO judgment VALUES ({', '.join('?' * 23)})"  # noqa: S608 - only question marks
    for row in rows:
        judged, said = row[6:15], json.dumps(verdicts[row[0]])
        evaluator, sample, created = row[15:]
        values = (row[0], None, *row[1:6], None, *judged, said, evaluator, sample, None, "", created)
        connection.execute(statement, values)


MIGRATIONS: Final[Mapping[int, Migration]] = {1: _to_2, 2: _to_3, 3: _to_4}
"""From which version -> how to get to the next one."""
