"""Records to rows, in two halves.

`snapshot` runs in the agent's thread and writes the parts that could still change under our hands
(messages, settings, arguments) as JSON; `write` runs in the store's thread and does the rest: hashing,
compressing, SQL.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Iterator
from typing import Any, NamedTuple

from coreact.judge import Cost, Judgement
from coreact.rubric import Rubric
from coreact.trace.records import ObservationRecord, RunEnd, RunRecord, StepRecord
from coreact.trace.rows.encoding import json_bytes, packed, stored, stored_or_none
from coreact.trace.store import TraceRecord


class Snapshot(NamedTuple):
    """A record with its changeable parts already written down."""

    record: TraceRecord
    bodies: tuple[bytes, ...]
    """Of a run its settings; of a step its rubric, tools and constraint (as far as there are any), the
    added messages, then message, actions and own criteria (if any) of each attempt."""

    @property
    def run(self) -> str:
        """Id of the run that it belongs to."""
        return self.record.id if isinstance(self.record, RunRecord) else self.record.run

    @property
    def size(self) -> int:
        """Roughly how many bytes it holds in memory."""
        text = len(self.record.text) if isinstance(self.record, ObservationRecord) else 0
        return 1000 + text + sum(map(len, self.bodies))


def snapshot(record: TraceRecord) -> Snapshot:
    """Write down what of a record could still change. Never fails, whatever a message holds."""
    bodies: list[bytes] = []
    if isinstance(record, RunRecord):
        bodies.append(json_bytes(record.settings))
    elif isinstance(record, StepRecord):
        if record.rubric is not None:
            bodies.append(json_bytes(record.rubric.model_dump()))
        if record.tools is not None:
            bodies.append(json_bytes([tool.model_dump() for tool in record.tools]))
        if record.constraint is not None:
            bodies.append(json_bytes(record.constraint))
        bodies.extend(json_bytes(message) for message in record.prompt_added)
        for attempt in record.attempts:
            bodies.append(json_bytes(attempt.message))
            bodies.append(json_bytes([action.model_dump() for action in attempt.actions]))
            if attempt.own is not None:
                bodies.append(json_bytes(attempt.own.model_dump()))
    return Snapshot(record, tuple(bodies))


def write(connection: sqlite3.Connection, taken: Snapshot) -> None:
    """Insert one record, inside a transaction that the caller holds.

    Raises:
        sqlite3.Error: SQLite refuses it.
        OverflowError: a number in it is beyond 64 bits.
    """
    record, bodies = taken.record, iter(taken.bodies)
    if isinstance(record, RunRecord):
        _write_run(connection, record, next(bodies))
    elif isinstance(record, StepRecord):
        _write_step(connection, record, bodies)
    elif isinstance(record, ObservationRecord):
        _write_observation(connection, record)
    else:
        _write_end(connection, record)


def _write_run(connection: sqlite3.Connection, run: RunRecord, settings: bytes) -> None:
    connection.execute(
        "INSERT INTO run (id, question_sha, agent, thread_id, settings_sha, seed, parent_run, forked_at,"
        " version, started_ns) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET"
        " status = 'running', answer_sha = NULL, score = NULL, error = NULL, ended_ns = NULL",
        (
            stored(run.id),
            _put_text(connection, "question", run.question),
            stored(run.agent),
            stored_or_none(run.thread_id),
            _put_blob(connection, "settings", settings),
            None if run.seed is None else str(run.seed),
            stored_or_none(run.parent),
            run.forked_at,
            stored(run.version),
            run.started_ns,
        ),
    )


def _write_end(connection: sqlite3.Connection, end: RunEnd) -> None:
    connection.execute(
        "UPDATE run SET status = ?, answer_sha = ?, score = ?, error = ?, ended_ns = ? WHERE id = ?",
        (
            end.status,
            _put_text(connection, "answer", end.answer),
            end.score,
            stored_or_none(end.error),
            end.ended_ns,
            stored(end.run),
        ),
    )


def _write_observation(connection: sqlite3.Connection, seen: ObservationRecord) -> None:
    run = stored(seen.run)
    newest = connection.execute("SELECT coalesce(max(id), 0) FROM step WHERE run = ?", (run,)).fetchone()[0]
    _insert(
        connection,
        "observation",
        None,
        run,
        seen.step,
        newest,
        stored(seen.call_id),
        stored(seen.tool),
        _put_text(connection, "observation", seen.text),
        seen.failed,
        seen.blocked,
        seen.seconds,
        seen.at_ns,
    )


def _write_step(connection: sqlite3.Connection, step: StepRecord, bodies: Iterator[bytes]) -> None:
    run = stored(step.run)
    rubric_sha = None if step.rubric is None else _put_rubric(connection, step.rubric, next(bodies))
    tools_sha = None if step.tools is None else _put_blob(connection, "tools", next(bodies))
    constraint_sha = None if step.constraint is None else _put_blob(connection, "constraint", next(bodies))
    take = connection.execute(
        "SELECT coalesce(max(take), -1) + 1 FROM step WHERE run = ? AND idx = ?", (run, step.index)
    ).fetchone()[0]
    row = _insert(
        connection,
        "step",
        None,
        run,
        step.index,
        take,
        stored(step.node),
        step.phase,
        step.rung,
        stored(step.state_digest),
        rubric_sha,
        stored(step.generator),
        _put_text(connection, "guidance", step.guidance) if step.guidance else None,
        step.prompt_kept,
        json.dumps(step.dispositions),
        stored_or_none(step.error),
        stored_or_none(step.checkpoint_id),
        stored_or_none(step.checkpoint_ns),
        *_cost(step.cost),
        step.at_ns,
        stored(json.dumps([remark.model_dump() for remark in step.remarks])),
        tools_sha,
        constraint_sha,
    )
    for pos, _ in enumerate(step.prompt_added, start=step.prompt_kept):
        _insert(connection, "step_message", row, pos, _put_blob(connection, "message", next(bodies)))
    for pos, attempt in enumerate(step.attempts):
        _insert(
            connection,
            "candidate",
            row,
            pos,
            attempt.index,
            attempt.source,
            _put_blob(connection, "message", next(bodies)),
            _put_blob(connection, "actions", next(bodies)),
            attempt.selected,
            stored_or_none(attempt.rejected_by),
            stored(attempt.reason),
            *_cost(attempt.cost),
            None if attempt.own is None else _put_rubric(connection, attempt.own, next(bodies)),
            stored(attempt.unheld),
        )
        for evaluator, judgements in (("run", attempt.judgements), ("own", attempt.own_judgements)):
            for action, judgement in enumerate(judgements):
                _write_judgement(
                    connection, judgement, evaluator, step=row, candidate=pos, action=action, at_ns=step.at_ns
                )


def _put_rubric(connection: sqlite3.Connection, rubric: Rubric, body: bytes) -> str:
    sha = hashlib.sha256(body).hexdigest()
    if connection.execute("SELECT 1 FROM rubric WHERE sha = ?", (sha,)).fetchone() is not None:
        return sha
    _insert(connection, "rubric", sha, rubric.lock, rubric.scope, rubric.threshold)
    for pos, criterion in enumerate(rubric):
        dumped = criterion.model_dump()
        check, provenance = dumped["check"], dumped["provenance"]
        _insert(
            connection,
            "criterion",
            sha,
            pos,
            stored(criterion.id),
            stored(criterion.text),
            criterion.weight,
            criterion.polarity,
            criterion.kind,
            stored_or_none(criterion.stage),
            criterion.visibility,
            None if check is None else stored(json_bytes(check).decode("utf-8", "surrogatepass")),
            criterion.veto,
            json.dumps(criterion.depends_on),
            None if provenance is None else json.dumps(provenance),
        )
    return sha


def _write_judgement(
    connection: sqlite3.Connection,
    judgement: Judgement,
    evaluator: str,
    *,
    step: int,
    candidate: int,
    action: int,
    at_ns: int,
) -> None:
    row = _insert(
        connection,
        "judgment",
        None,
        step,
        candidate,
        action,
        stored(judgement.rubric),
        judgement.score,
        judgement.passed,
        judgement.judged,
        judgement.total,
        *_cost(judgement.cost),
        evaluator,
        0,
        None,
        at_ns,
    )
    for pos, verdict in enumerate(judgement.verdicts):
        _insert(
            connection,
            "verdict",
            row,
            pos,
            stored(verdict.criterion),
            verdict.status,
            stored(verdict.reason),
            stored(verdict.decided_by),
            verdict.fault,
            verdict.cause,
            verdict.claimed,
            verdict.confidence,
        )
        for number, evidence in enumerate(verdict.evidence):
            _insert(
                connection,
                "evidence",
                row,
                pos,
                number,
                stored(evidence.message_id),
                stored(evidence.quote),
                evidence.start,
                evidence.end,
            )


def _cost(cost: Cost) -> tuple[Any, ...]:
    return cost.calls, cost.input_tokens, cost.output_tokens, cost.seconds, cost.usd


def _insert(connection: sqlite3.Connection, table: str, *values: Any) -> int:
    marks = ", ".join("?" * len(values))
    row = connection.execute(f"INSERT INTO {table} VALUES ({marks})", values).lastrowid  # noqa: S608
    return row or 0


def _put_blob(connection: sqlite3.Connection, kind: str, body: bytes) -> str:
    sha = hashlib.sha256(body).hexdigest()
    if connection.execute("SELECT 1 FROM blob WHERE sha = ?", (sha,)).fetchone() is None:
        connection.execute(
            "INSERT INTO blob (sha, kind, codec, body) VALUES (?, ?, ?, ?)", (sha, kind, *packed(body))
        )
    return sha


def _put_text(connection: sqlite3.Connection, kind: str, text: str) -> str:
    return _put_blob(connection, kind, text.encode("utf-8", "surrogatepass"))
