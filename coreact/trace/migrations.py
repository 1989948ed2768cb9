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

from coreact.trace.rows.encoding import json_text, restored, stored, text_of
from coreact.trace.tables import INDEXES, RECORDS, VIEWS

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
    """Content is referred to by number; what belongs to one row (verdicts, criteria, actions) is in it."""
    for view in ("step_latest", "observation_latest", "judgment_latest"):
        connection.execute(f"DROP VIEW {view}")
    for index in ("run_newest", "rubric_lock", "step_again", "judgment_step", "judgment_superseded"):
        connection.execute(f"DROP INDEX {index}")
    connection.execute("DROP INDEX observation_run")
    connection.execute("DROP TABLE call")  # nothing was ever written to it
    for table in _REPLACED:
        connection.execute(f"ALTER TABLE {table} RENAME TO {table}_3")
    for statement in RECORDS:
        connection.execute(statement)
    connection.execute(
        "INSERT INTO blob SELECT id, sha, codec = 'zlib' OR length(body) >= 4096 OR kind IN"
        " ('answer', 'constraint', 'guidance', 'question', 'settings', 'tools'), kind, codec, body"
        " FROM blob_3"
    )
    connection.execute(
        f"INSERT INTO run SELECT id, {_number('question_sha')}, agent, thread_id, {_number('settings_sha')},"  # noqa: S608
        " seed, parent_run, forked_at, version, started_ns, '', 'coreact', 'full', status,"
        f" {_number('answer_sha')}, score, error, ended_ns FROM run_3"
    )
    connection.execute(
        f"INSERT INTO observation SELECT id, run, idx, after_step, call_id, tool, {_number('text_sha')},"  # noqa: S608
        " failed, blocked, seconds, at_ns FROM observation_3"
    )
    rubrics = _rubrics_to_4(connection)
    _steps_to_4(connection, rubrics)
    _candidates_to_4(connection, rubrics)
    _judgments_to_4(connection)
    for table in (*(f"{name}_3" for name in _REPLACED), "criterion", "step_message", "verdict", "evidence"):
        connection.execute(f"DROP TABLE {table}")
    for statement in (*INDEXES, *VIEWS):
        connection.execute(statement)


_REPLACED = ("blob", "run", "step", "rubric", "candidate", "judgment", "observation")


def _number(sha: str) -> str:
    return f"(SELECT blob_3.id FROM blob_3 WHERE blob_3.sha = {sha})"  # noqa: S608 - our own names


def _rubrics_to_4(connection: sqlite3.Connection) -> dict[str, int]:
    criteria = defaultdict(list)
    rows = connection.execute(
        "SELECT rubric, id, text, weight, polarity, kind, stage, visibility, check_json, veto, depends_on,"
        " provenance FROM criterion ORDER BY rubric, pos"
    )
    for rubric, name, text, weight, polarity, kind, stage, visibility, check, veto, needs, source in rows:
        criteria[rubric].append(
            {
                "id": restored(name),
                "text": restored(text),
                "weight": weight,
                "polarity": polarity,
                "kind": kind,
                "stage": None if stage is None else restored(stage),
                "visibility": visibility,
                "check": None if check is None else json.loads(restored(check)),
                "veto": bool(veto),
                "depends_on": json.loads(needs),
                "provenance": None if source is None else json.loads(source),
            }
        )
    numbers = {}
    for sha, lock, scope, threshold in connection.execute("SELECT sha, lock, scope, threshold FROM rubric_3"):
        values = (None, lock, scope, threshold, json_text(criteria[sha]))
        numbers[sha] = connection.execute("INSERT INTO rubric VALUES (?, ?, ?, ?, ?)", values).lastrowid or 0
    return numbers


def _steps_to_4(connection: sqlite3.Connection, rubrics: Mapping[str, int]) -> None:
    added = defaultdict(list)
    for step, number in connection.execute(
        "SELECT step, blob_3.id FROM step_message JOIN blob_3 USING (sha) ORDER BY step, pos"
    ):
        added[step].append(number)
    rows = connection.execute(
        "SELECT id, run, idx, take, node, phase, rung, state_digest, rubric_sha, generator,"  # noqa: S608
        f" {_number('guidance_sha')}, prompt_kept, dispositions, error, checkpoint_id, checkpoint_ns, calls,"
        f" tokens_in, tokens_out, seconds, usd, at_ns, remarks, {_number('tools_sha')},"
        f" {_number('constraint_sha')} FROM step_3"
    ).fetchall()
    for row in rows:
        prompt = json.dumps(added[row[0]])
        values = (*row[:8], rubrics.get(row[8]), *row[9:12], prompt, *row[12:16], None, None, *row[16:])
        connection.execute(f"INSERT INTO step VALUES ({', '.join('?' * 28)})", values)  # noqa: S608 - marks


def _candidates_to_4(connection: sqlite3.Connection, rubrics: Mapping[str, int]) -> None:
    rows = connection.execute(
        f"SELECT step, pos, idx, source, {_number('message_sha')}, codec, body, selected,"  # noqa: S608
        " rejected_by, reason, calls, tokens_in, tokens_out, seconds, usd, own_sha, unheld"
        " FROM candidate_3 JOIN blob_3 ON blob_3.sha = actions_sha"
    ).fetchall()
    for row in rows:
        actions, own, unheld = stored(text_of(row[5], row[6])), row[15], row[16]
        values = (*row[:5], actions, *row[7:15], rubrics.get(own), None, unheld)
        connection.execute(f"INSERT INTO candidate VALUES ({', '.join('?' * 17)})", values)  # noqa: S608 - marks


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
    for row in rows:
        judged, said = row[6:15], json_text(verdicts[row[0]])
        evaluator, sample, created = row[15:]
        values = (
            row[0], None, *row[1:5], None, row[5], None, *judged, said, evaluator, sample, None, "", created
        )  # fmt: skip
        connection.execute(f"INSERT INTO judgment VALUES ({', '.join('?' * 24)})", values)  # noqa: S608 - marks


MIGRATIONS: Final[Mapping[int, Migration]] = {1: _to_2, 2: _to_3, 3: _to_4}
"""From which version -> how to get to the next one."""
