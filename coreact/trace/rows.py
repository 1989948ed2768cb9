"""Records to rows and back: the only place that knows which column holds which field.

Writing has two halves. `snapshot` runs in the agent's thread and writes the parts that could
still change under our hands (messages, settings, arguments) as JSON; `write` runs in the store's
thread and does the rest: hashing, compressing, SQL. Reading gives back equal records, also where
the text is no valid Unicode, as text from models now and then is not. What JSON has no word for
is kept as `{"$repr": type name}`; integers and NaN stay what they are.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
import zlib
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple, TypeVar

from coreact.judge import Cost, Evidence, Judgement, Verdict
from coreact.rubric import Action, Criterion, Rubric
from coreact.rubric.canonical import plain
from coreact.trace.records import Attempt, ObservationRecord, RunEnd, RunRecord, StepRecord, Trajectory
from coreact.trace.store import RunSummary, TraceRecord

COMPRESS_FROM = 4096
"""Bytes from which on a body is compressed. zlib, because zstandard is in no standard library yet."""

K = TypeVar("K")
V = TypeVar("V")

_FASTEST = 1  # zlib level: on JSON about 4/5 of what the default level saves, in a third of the time
_ODD = "\x00hex:"  # in front of a TEXT value that UTF-8 cannot hold: the hex digits of its bytes


class Snapshot(NamedTuple):
    """A record with its changeable parts already written down."""

    record: TraceRecord
    bodies: tuple[bytes, ...]
    """Of a run its settings; of a step its rubric (if any), the added messages, then message and
    actions of each attempt."""

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
        bodies.extend(json_bytes(message) for message in record.prompt_added)
        for attempt in record.attempts:
            bodies.append(json_bytes(attempt.message))
            bodies.append(json_bytes([action.model_dump() for action in attempt.actions]))
    return Snapshot(record, tuple(bodies))


def json_bytes(value: Any) -> bytes:
    """Any value as JSON in UTF-8, keys in the order they have."""
    try:
        text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=plain)
    except (TypeError, ValueError, RecursionError):  # strange keys, huge integers, a circle
        try:
            text = json.dumps(plain(value), ensure_ascii=False)
        except (ValueError, RecursionError):
            text = json.dumps({"$repr": type(value).__qualname__})
    return text.encode("utf-8", "surrogatepass")


def _stored(text: str) -> str:
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError:
            return _ODD + text.encode("utf-8", "surrogatepass").hex()
    return _ODD + text.encode().hex() if text.startswith(_ODD) else text


def _stored_or_none(text: str | None) -> str | None:
    return None if text is None else _stored(text)


def _restored(text: str) -> str:
    if not text.startswith(_ODD):
        return text
    return bytes.fromhex(text.removeprefix(_ODD)).decode("utf-8", "surrogatepass")


def _restored_or_none(text: str | None) -> str | None:
    return None if text is None else _restored(text)


def _put_blob(connection: sqlite3.Connection, kind: str, body: bytes) -> str:
    sha = hashlib.sha256(body).hexdigest()
    if connection.execute("SELECT 1 FROM blob WHERE sha = ?", (sha,)).fetchone() is None:
        packed = zlib.compress(body, _FASTEST) if len(body) >= COMPRESS_FROM else body
        codec = "zlib" if len(packed) < len(body) else "plain"
        connection.execute(
            "INSERT INTO blob (sha, kind, codec, body) VALUES (?, ?, ?, ?)",
            (sha, kind, codec, packed if codec == "zlib" else body),
        )
    return sha


def _put_text(connection: sqlite3.Connection, kind: str, text: str) -> str:
    return _put_blob(connection, kind, text.encode("utf-8", "surrogatepass"))


def _text(codec: str, body: bytes) -> str:
    return (zlib.decompress(body) if codec == "zlib" else body).decode("utf-8", "surrogatepass")


def _cost(cost: Cost) -> tuple[Any, ...]:
    return cost.calls, cost.input_tokens, cost.output_tokens, cost.seconds, cost.usd


def _insert(connection: sqlite3.Connection, table: str, *values: Any) -> int:
    marks = ", ".join("?" * len(values))
    row = connection.execute(f"INSERT INTO {table} VALUES ({marks})", values).lastrowid  # noqa: S608
    return row or 0


# --- writing --------------------------------------------------------------------------------


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
            _stored(run.id),
            _put_text(connection, "question", run.question),
            _stored(run.agent),
            _stored_or_none(run.thread_id),
            _put_blob(connection, "settings", settings),
            None if run.seed is None else str(run.seed),
            _stored_or_none(run.parent),
            run.forked_at,
            _stored(run.version),
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
            _stored_or_none(end.error),
            end.ended_ns,
            _stored(end.run),
        ),
    )


def _write_observation(connection: sqlite3.Connection, seen: ObservationRecord) -> None:
    run = _stored(seen.run)
    newest = connection.execute("SELECT coalesce(max(id), 0) FROM step WHERE run = ?", (run,)).fetchone()[0]
    _insert(
        connection,
        "observation",
        None,
        run,
        seen.step,
        newest,
        _stored(seen.call_id),
        _stored(seen.tool),
        _put_text(connection, "observation", seen.text),
        seen.failed,
        seen.blocked,
        seen.seconds,
        seen.at_ns,
    )


def _write_step(connection: sqlite3.Connection, step: StepRecord, bodies: Iterator[bytes]) -> None:
    run = _stored(step.run)
    rubric_sha = None if step.rubric is None else _put_rubric(connection, step.rubric, next(bodies))
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
        _stored(step.node),
        step.phase,
        step.rung,
        _stored(step.state_digest),
        rubric_sha,
        _stored(step.generator),
        _put_text(connection, "guidance", step.guidance) if step.guidance else None,
        step.prompt_kept,
        json.dumps(step.dispositions),
        _stored_or_none(step.error),
        _stored_or_none(step.checkpoint_id),
        _stored_or_none(step.checkpoint_ns),
        *_cost(step.cost),
        step.at_ns,
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
            _stored_or_none(attempt.rejected_by),
            _stored(attempt.reason),
            *_cost(attempt.cost),
        )
        for action, judgement in enumerate(attempt.judgements):
            _write_judgement(connection, judgement, step=row, candidate=pos, action=action, at_ns=step.at_ns)


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
            _stored(criterion.id),
            _stored(criterion.text),
            criterion.weight,
            criterion.polarity,
            criterion.kind,
            _stored_or_none(criterion.stage),
            criterion.visibility,
            None if check is None else _stored(json_bytes(check).decode("utf-8", "surrogatepass")),
            criterion.veto,
            json.dumps(criterion.depends_on),
            None if provenance is None else json.dumps(provenance),
        )
    return sha


def _write_judgement(
    connection: sqlite3.Connection,
    judgement: Judgement,
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
        _stored(judgement.rubric),
        judgement.score,
        judgement.passed,
        judgement.judged,
        judgement.total,
        *_cost(judgement.cost),
        "run",
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
            _stored(verdict.criterion),
            verdict.status,
            _stored(verdict.reason),
            _stored(verdict.decided_by),
            verdict.fault,
        )
        for number, evidence in enumerate(verdict.evidence):
            _insert(
                connection,
                "evidence",
                row,
                pos,
                number,
                _stored(evidence.message_id),
                _stored(evidence.quote),
            )


# --- reading --------------------------------------------------------------------------------


def matching_runs(connection: sqlite3.Connection, prefix: str) -> list[str]:
    """The ids of the first 100 runs that begin with `prefix`; none for an empty one."""
    first = _stored(prefix)
    rows = connection.execute(
        "SELECT id FROM run WHERE id BETWEEN ? AND ? ORDER BY id LIMIT 100", (first, f"{first}\U0010ffff")
    )
    return [_restored(row[0]) for row in rows] if prefix else []


def read_summaries(connection: sqlite3.Connection, limit: int | None) -> tuple[RunSummary, ...]:
    """The newest runs in one line each, newest first; all of them where `limit` is None."""
    rows = connection.execute(
        "SELECT run.id, blob.codec, blob.body, agent, status,"
        " (SELECT count(*) FROM step_latest AS step WHERE step.run = run.id),"
        " (SELECT count(*) FROM step_latest AS step JOIN candidate ON candidate.step = step.id"
        "  WHERE step.run = run.id AND source = 'retry'),"
        " score, (SELECT coalesce(sum(tokens_in + tokens_out), 0) FROM step_latest AS step"
        "  WHERE step.run = run.id), started_ns, ended_ns"
        " FROM run JOIN blob ON blob.sha = question_sha ORDER BY started_ns DESC, run.id DESC LIMIT ?",
        (-1 if limit is None else max(limit, 0),),
    )
    return tuple(
        RunSummary(
            id=_restored(run_id),
            question=_text(codec, body),
            agent=_restored(agent),
            status=status,
            steps=steps,
            retries=retries,
            score=score,
            tokens=tokens,
            started_ns=started,
            ended_ns=ended,
        )
        for run_id, codec, body, agent, status, steps, retries, score, tokens, started, ended in rows
    )


def read_trajectory(connection: sqlite3.Connection, run_id: str) -> Trajectory:
    """A whole stored run; the id must be a stored one, in full."""
    reader = _Reader(connection, _stored(run_id))
    run, end = reader.run_and_end()
    return Trajectory(run=run, steps=reader.steps(), observations=reader.observations(), end=end)


class _Reader:
    """Reads one run. Each table is read once for the whole run, not once a step."""

    def __init__(self, connection: sqlite3.Connection, run: str) -> None:
        self._connection = connection
        self._run = run
        self._rubrics: dict[str, Rubric] = {}

    def _rows(self, query: str) -> sqlite3.Cursor:
        cursor = self._connection.execute(query, (self._run,))
        cursor.row_factory = sqlite3.Row
        return cursor

    def _blob(self, sha: str) -> str:
        row = self._connection.execute("SELECT codec, body FROM blob WHERE sha = ?", (sha,)).fetchone()
        if row is None:
            raise ValueError(f"the content {sha} is missing")
        return _text(*row)

    def run_and_end(self) -> tuple[RunRecord, RunEnd | None]:
        row = self._rows("SELECT * FROM run WHERE id = ?").fetchone()
        run = RunRecord(
            id=_restored(row["id"]),
            question=self._blob(row["question_sha"]),
            agent=_restored(row["agent"]),
            thread_id=_restored_or_none(row["thread_id"]),
            settings=json.loads(self._blob(row["settings_sha"])),
            seed=None if row["seed"] is None else int(row["seed"]),
            parent=_restored_or_none(row["parent_run"]),
            forked_at=row["forked_at"],
            version=_restored(row["version"]),
            started_ns=row["started_ns"],
        )
        if row["ended_ns"] is None:
            return run, None
        end = RunEnd(
            run=run.id,
            status=row["status"],
            answer=self._blob(row["answer_sha"]),
            score=row["score"],
            error=_restored_or_none(row["error"]),
            ended_ns=row["ended_ns"],
        )
        return run, end

    def observations(self) -> tuple[ObservationRecord, ...]:
        rows = self._rows("SELECT * FROM observation_latest WHERE run = ? ORDER BY id")
        return tuple(
            ObservationRecord(
                run=_restored(row["run"]),
                step=row["idx"],
                call_id=_restored(row["call_id"]),
                tool=_restored(row["tool"]),
                text=self._blob(row["text_sha"]),
                failed=row["failed"],
                blocked=row["blocked"],
                seconds=row["seconds"],
                at_ns=row["at_ns"],
            )
            for row in rows
        )

    def steps(self) -> tuple[StepRecord, ...]:
        messages = _grouped(
            self._of_steps("step_message", "pos"),
            lambda row: row["step"],
            lambda row: json.loads(self._blob(row["sha"])),
        )
        attempts = self._attempts()
        rows = self._rows("SELECT * FROM step_latest WHERE run = ? ORDER BY idx")
        return tuple(
            StepRecord(
                run=_restored(row["run"]),
                index=row["idx"],
                node=_restored(row["node"]),
                phase=row["phase"],
                rung=row["rung"],
                state_digest=_restored(row["state_digest"]),
                rubric=None if row["rubric_sha"] is None else self._rubric(row["rubric_sha"]),
                generator=_restored(row["generator"]),
                guidance="" if row["guidance_sha"] is None else self._blob(row["guidance_sha"]),
                prompt_kept=row["prompt_kept"],
                prompt_added=tuple(messages[row["id"]]),
                attempts=tuple(attempts[row["id"]]),
                dispositions=tuple(json.loads(row["dispositions"])),
                error=_restored_or_none(row["error"]),
                checkpoint_id=_restored_or_none(row["checkpoint_id"]),
                checkpoint_ns=_restored_or_none(row["checkpoint_ns"]),
                cost=_cost_of(row),
                at_ns=row["at_ns"],
            )
            for row in rows
        )

    def _of_steps(self, table: str, order: str) -> sqlite3.Cursor:
        return self._rows(
            f"SELECT {table}.* FROM {table} JOIN step_latest AS step ON step.id = {table}.step"  # noqa: S608
            f" WHERE step.run = ? ORDER BY {table}.step, {table}.{order}"
        )

    def _of_judgements(self, table: str, order: str) -> sqlite3.Cursor:
        return self._rows(
            f"SELECT {table}.* FROM {table} JOIN judgment ON judgment.id = judgment"  # noqa: S608
            " JOIN step_latest AS step ON step.id = judgment.step"
            f" WHERE step.run = ? AND evaluator = 'run' ORDER BY judgment, {order}"
        )

    def _attempts(self) -> dict[int, list[Attempt]]:
        judgements = self._judgements()
        return _grouped(
            self._of_steps("candidate", "pos"),
            lambda row: row["step"],
            lambda row: Attempt(
                index=row["idx"],
                source=row["source"],
                message=json.loads(self._blob(row["message_sha"])),
                actions=tuple(
                    Action.model_validate(action) for action in json.loads(self._blob(row["actions_sha"]))
                ),
                judgements=tuple(judgements[row["step"], row["pos"]]),
                selected=row["selected"],
                rejected_by=_restored_or_none(row["rejected_by"]),
                reason=_restored(row["reason"]),
                cost=_cost_of(row),
            ),
        )

    def _judgements(self) -> dict[tuple[int, int], list[Judgement]]:
        evidence = _grouped(
            self._of_judgements("evidence", "verdict, pos"),
            lambda row: (row["judgment"], row["verdict"]),
            lambda row: Evidence(message_id=_restored(row["message_id"]), quote=_restored(row["quote"])),
        )
        verdicts = _grouped(
            self._of_judgements("verdict", "pos"),
            lambda row: row["judgment"],
            lambda row: Verdict(
                criterion=_restored(row["criterion"]),
                reason=_restored(row["reason"]),
                status=row["status"],
                evidence=tuple(evidence[row["judgment"], row["pos"]]),
                decided_by=_restored(row["decided_by"]),
                fault=row["fault"],
            ),
        )
        return _grouped(
            self._rows(
                "SELECT judgment.* FROM judgment JOIN step_latest AS step ON step.id = judgment.step"
                " WHERE step.run = ? AND evaluator = 'run' ORDER BY judgment.id"
            ),
            lambda row: (row["step"], row["candidate"]),
            lambda row: Judgement(
                rubric=_restored(row["rubric_lock"]),
                verdicts=tuple(verdicts[row["id"]]),
                score=row["score"],
                passed=None if row["passed"] is None else bool(row["passed"]),
                judged=row["judged"],
                total=row["total"],
                cost=_cost_of(row),
            ),
        )

    def _rubric(self, sha: str) -> Rubric:
        if sha not in self._rubrics:
            cursor = self._connection.cursor()
            cursor.row_factory = sqlite3.Row
            head = cursor.execute("SELECT * FROM rubric WHERE sha = ?", (sha,)).fetchone()
            rows = cursor.execute("SELECT * FROM criterion WHERE rubric = ? ORDER BY pos", (sha,))
            self._rubrics[sha] = Rubric(
                criteria=tuple(_criterion(row) for row in rows),
                scope=head["scope"],
                threshold=head["threshold"],
            )
        return self._rubrics[sha]


def _criterion(row: sqlite3.Row) -> Criterion:
    return Criterion.model_validate(
        {
            "id": _restored(row["id"]),
            "text": _restored(row["text"]),
            "weight": row["weight"],
            "polarity": row["polarity"],
            "kind": row["kind"],
            "stage": _restored_or_none(row["stage"]),
            "visibility": row["visibility"],
            "check": None if row["check_json"] is None else json.loads(_restored(row["check_json"])),
            "veto": bool(row["veto"]),
            "depends_on": json.loads(row["depends_on"]),
            "provenance": None if row["provenance"] is None else json.loads(row["provenance"]),
        }
    )


def _cost_of(row: sqlite3.Row) -> Cost:
    return Cost(
        calls=row["calls"],
        input_tokens=row["tokens_in"],
        output_tokens=row["tokens_out"],
        seconds=row["seconds"],
        usd=row["usd"],
    )


def _grouped(
    rows: Iterable[sqlite3.Row], key: Callable[[sqlite3.Row], K], value: Callable[[sqlite3.Row], V]
) -> dict[K, list[V]]:
    groups: dict[K, list[V]] = defaultdict(list)
    for row in rows:
        groups[key(row)].append(value(row))
    return groups
