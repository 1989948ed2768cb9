"""Records to rows, in two halves.

`snapshot` runs in the agent's thread and writes the parts that could still change under our hands
(messages, settings, arguments) as JSON; `write` runs in the store's thread and does the rest: hashing,
compressing, SQL. A batch is written table by table, since a statement that runs for many rows at once costs
a fraction of as many single ones; what depends on the order of arrival keeps it.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from pydantic import TypeAdapter
from pydantic_core import PydanticSerializationError

from coreact.judge import Cost, Judgement, Verdict
from coreact.rubric import Rubric
from coreact.trace.records import (
    CallRecord,
    Evaluator,
    JudgementRecord,
    ObservationRecord,
    RunEnd,
    RunRecord,
    StepRecord,
)
from coreact.trace.rows.encoding import (
    COMPRESS_FROM,
    json_bytes,
    json_text,
    packed,
    stored,
    stored_or_none,
)
from coreact.trace.store import TraceRecord

VERDICTS: TypeAdapter[tuple[Verdict, ...]] = TypeAdapter(tuple[Verdict, ...])

_RUBRICS = 256  # rubrics that a writer remembers


class Snapshot(NamedTuple):
    """A record with its changeable parts already written down."""

    record: TraceRecord
    bodies: tuple[bytes, ...]
    """Of a run its settings; of a step its tools and constraint (as far as there are any), the added
    messages, then message and actions of each attempt; of a call its request and its response, if any."""

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
        if record.tools is not None:
            bodies.append(json_bytes(record.tools))
        if record.constraint is not None:
            bodies.append(json_bytes(record.constraint))
        bodies.extend(json_bytes(message) for message in record.prompt_added)
        for attempt in record.attempts:
            bodies.append(json_bytes(attempt.message))
            bodies.append(json_bytes(attempt.actions))
    elif isinstance(record, CallRecord):
        bodies.append(json_bytes(record.request))
        if record.response is not None:
            bodies.append(json_bytes(record.response))
    return Snapshot(record, tuple(bodies))


def _insert(table: str, columns: int, *, ignore: bool = False) -> str:
    marks = ", ".join("?" * columns)
    return f"INSERT {'OR IGNORE ' if ignore else ''}INTO {table} VALUES ({marks})"  # noqa: S608 - our own names


# The take of a step is one more than that of the last record of the same step.
_STEP = (
    "INSERT INTO step VALUES (?1, ?2, ?3,"  # noqa: S608 - only numbers
    " (SELECT coalesce(max(take), -1) + 1 FROM step WHERE run = ?2 AND idx = ?3), "
    + ", ".join(f"?{number}" for number in range(4, 28))
    + ")"
)
_CANDIDATE = _insert("candidate", 17)
# A judgement that is stored already stays as it is: none is ever written over.
_JUDGMENT = _insert("judgment", 24) + " ON CONFLICT (uid) WHERE uid IS NOT NULL DO NOTHING"
_OBSERVATION = _insert("observation", 11)
_CALL = _insert("call", 11)
_BLOB = _insert("blob", 6)
_RUBRIC = _insert("rubric", 5)

_POOLED_KINDS = frozenset({"answer", "constraint", "guidance", "question", "settings", "tools"})
_RECENT = 8192  # hashes of short bodies that a writer remembers


class Writer:
    """Writes batches through one connection, and remembers what it stored lately.

    What it remembers holds as long as nothing is removed from the file; `gc` of any process counts up a
    number in `meta` to say that something was.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._recent: OrderedDict[str, int] = OrderedDict()
        self._rubrics = _Rubrics()
        self._removals: object = None

    def write(self, batch: Sequence[Snapshot]) -> None:
        """Insert records in their order, inside a transaction that the caller holds.

        Raises:
            sqlite3.Error: SQLite refuses one. The writer is then of no use any more.
            OverflowError: a number in one is beyond 64 bits; likewise.
        """
        found = self._connection.execute("SELECT value FROM meta WHERE key = 'removals'").fetchone()
        if found != self._removals:
            self._removals = found
            self._recent.clear()
            self._rubrics = _Rubrics()
        rows = _Rows(self._connection, self._recent, self._rubrics)
        for taken in batch:
            record, bodies = taken.record, iter(taken.bodies)
            if isinstance(record, StepRecord):
                rows.step(record, bodies)
            elif isinstance(record, ObservationRecord):
                rows.observation(record)
            elif isinstance(record, CallRecord):
                rows.call(record, bodies)
            elif isinstance(record, JudgementRecord):
                rows.judgement(record)
            elif isinstance(record, RunRecord):
                rows.run(record, next(bodies))
            else:
                rows.end(record)
        rows.insert()
        _shorten(self._recent, _RECENT)
        _shorten(self._rubrics.by_object, _RUBRICS)
        _shorten(self._rubrics.by_content, _RUBRICS)


@dataclass
class _Rubrics:
    """Numbers of the rubrics that were stored lately."""

    by_object: OrderedDict[int, tuple[Rubric, int]] = field(default_factory=OrderedDict)
    by_content: OrderedDict[tuple[str, float, str], int] = field(default_factory=OrderedDict)


def _shorten(remembered: OrderedDict[Any, Any], length: int) -> None:
    while len(remembered) > length:
        remembered.popitem(last=False)


class _Rows:
    """The rows of one batch, collected by table."""

    def __init__(
        self,
        connection: sqlite3.Connection,
        recent: OrderedDict[str, int],
        rubrics: _Rubrics,
    ) -> None:
        self._connection = connection
        self._recent = recent
        self._rubrics = rubrics
        self._newest: int | None = None
        self._newest_blob: int | None = None
        self._newest_rubric: int | None = None
        self._blobs: list[tuple[Any, ...]] = []
        self._new_rubrics: list[tuple[Any, ...]] = []
        self._steps: list[tuple[Any, ...]] = []
        self._candidates: list[tuple[Any, ...]] = []
        self._judgments: list[tuple[Any, ...]] = []
        self._observations: list[tuple[Any, ...]] = []
        self._calls: list[tuple[Any, ...]] = []

    def insert(self) -> None:
        """Put what was collected into the file."""
        for statement, rows in (
            (_BLOB, self._blobs),
            (_RUBRIC, self._new_rubrics),
            (_STEP, self._steps),
            (_CANDIDATE, self._candidates),
            (_JUDGMENT, self._judgments),
            (_OBSERVATION, self._observations),
            (_CALL, self._calls),
        ):
            if rows:
                self._connection.executemany(statement, rows)
                rows.clear()

    def run(self, run: RunRecord, settings: bytes) -> None:
        self._connection.execute(
            _insert("run", 18) + " ON CONFLICT (id) DO UPDATE SET"
            " status = 'running', answer = NULL, score = NULL, error = NULL, ended_ns = NULL",
            (
                stored(run.id),
                self._text("question", run.question),
                stored(run.agent),
                stored_or_none(run.thread_id),
                self._blob("settings", settings),
                None if run.seed is None else str(run.seed),
                stored_or_none(run.parent),
                run.forked_at,
                stored(run.version),
                run.started_ns,
                stored(run.agent_version),
                stored(run.origin),
                run.capture,
                "running",
                *(None,) * 4,
            ),
        )

    def end(self, end: RunEnd) -> None:
        self._connection.execute(
            "UPDATE run SET status = ?, answer = ?, score = ?, error = ?, ended_ns = ? WHERE id = ?",
            (
                end.status,
                self._text("answer", end.answer),
                end.score,
                stored_or_none(end.error),
                end.ended_ns,
                stored(end.run),
            ),
        )

    def observation(self, seen: ObservationRecord) -> None:
        self._observations.append(
            (
                None,
                stored(seen.run),
                seen.step,
                self._newest_step(),
                stored(seen.call_id),
                stored(seen.tool),
                self._text("observation", seen.text),
                seen.failed,
                seen.blocked,
                seen.seconds,
                seen.at_ns,
            )
        )

    def call(self, call: CallRecord, bodies: Iterator[bytes]) -> None:
        self._calls.append(
            (
                None,
                stored(call.run),
                call.step,
                self._newest_step(),
                call.kind,
                stored(call.key),
                self._blob("call", next(bodies)),
                None if call.response is None else self._blob("call", next(bodies)),
                stored_or_none(call.error),
                call.seconds,
                call.at_ns,
            )
        )

    def step(self, step: StepRecord, bodies: Iterator[bytes]) -> None:
        run = stored(step.run)
        tools = None if step.tools is None else self._blob("tools", next(bodies))
        constraint = None if step.constraint is None else self._blob("constraint", next(bodies))
        added = [self._blob("message", next(bodies)) for _ in step.prompt_added]
        self._newest = row = self._newest_step() + 1
        self._steps.append(
            (
                row,
                run,
                step.index,
                stored(step.node),
                step.phase,
                step.rung,
                stored(step.state_digest),
                None if step.rubric is None else self._rubric(step.rubric),
                stored(step.generator),
                self._text("guidance", step.guidance) if step.guidance else None,
                step.prompt_kept,
                f"[{', '.join(map(str, added))}]",
                json.dumps(step.dispositions),
                stored_or_none(step.error),
                stored_or_none(step.checkpoint_id),
                stored_or_none(step.checkpoint_ns),
                stored_or_none(step.trace_id),
                stored_or_none(step.span_id),
                *_cost(step.cost),
                step.at_ns,
                json_text(step.remarks) if step.remarks else "[]",
                tools,
                constraint,
            )
        )
        for pos, attempt in enumerate(step.attempts):
            message = self._blob("message", next(bodies))
            actions = stored(next(bodies).decode("utf-8", "surrogatepass"))
            self._candidates.append(
                (
                    row,
                    pos,
                    attempt.index,
                    attempt.source,
                    message,
                    actions,
                    attempt.selected,
                    stored_or_none(attempt.rejected_by),
                    stored(attempt.reason),
                    *_cost(attempt.cost),
                    None if attempt.own is None else self._rubric(attempt.own),
                    self._text("feedback", attempt.feedback) if attempt.feedback else None,
                    stored(attempt.unheld),
                )
            )
            for evaluator, judgements in (("run", attempt.judgements), ("own", attempt.own_judgements)):
                for action, one in enumerate(judgements):
                    self._judgments.append(
                        (None, None, run, row, pos, action, None, stored(one.rubric), None, *_judged(one),
                         evaluator, 0, None, "", step.at_ns)
                    )  # fmt: skip

    def judgement(self, later: JudgementRecord) -> None:
        self.insert()  # it may be about a step of this batch
        run, step = stored(later.run), None
        if later.step is not None:
            found = self._connection.execute(
                "SELECT id FROM step_latest WHERE run = ? AND idx = ? AND ? IN (at_ns, -1)",
                (run, later.step, -1 if later.judged_ns is None else later.judged_ns),
            ).fetchone()
            step = -1 if found is None else found[0]  # about a step that is not there: never read back
        self._judgments.append(
            (
                None,
                stored(later.id),
                run,
                step,
                later.attempt,
                later.action,
                later.judged_ns,
                stored(later.judgement.rubric),
                self._rubric(later.rubric),
                *_judged(later.judgement),
                self._evaluator(later.evaluator),
                later.sample,
                stored_or_none(later.supersedes),
                stored(later.note),
                later.at_ns,
            )
        )

    def _newest_step(self) -> int:
        if self._newest is None:
            # Where rows were removed, `meta` holds the newest number there ever was.
            self._newest = self._connection.execute(
                "SELECT max(coalesce((SELECT max(id) FROM step), 0),"
                " coalesce((SELECT CAST(value AS INTEGER) FROM meta WHERE key = 'steps'), 0))"
            ).fetchone()[0]
        return self._newest or 0

    def _text(self, kind: str, text: str) -> int:
        return self._blob(kind, text.encode("utf-8", "surrogatepass"))

    def _blob(self, kind: str, body: bytes) -> int:
        """Number of a body, which is collected for storing where it is not known to be stored."""
        sha = hashlib.sha256(body).hexdigest()
        known = self._recent.get(sha)
        if known is not None:
            self._recent.move_to_end(sha)
            return known
        pooled = kind in _POOLED_KINDS or len(body) >= COMPRESS_FROM
        number = self._pooled(sha) if pooled else None
        if number is None:
            if self._newest_blob is None:
                found = self._connection.execute("SELECT coalesce(max(id), 0) FROM blob").fetchone()
                self._newest_blob = int(found[0])
            self._newest_blob = number = self._newest_blob + 1
            self._blobs.append((number, sha, pooled, kind, *packed(body)))
        self._recent[sha] = number
        return number

    def _pooled(self, sha: str) -> int | None:
        found = self._connection.execute("SELECT id FROM blob WHERE sha = ? AND pooled", (sha,)).fetchone()
        return None if found is None else int(found[0])

    def _evaluator(self, evaluator: Evaluator) -> str:
        sha = hashlib.sha256(json_bytes(evaluator)).hexdigest()
        values = (evaluator.name, evaluator.version, evaluator.kind, evaluator.model)
        self._connection.execute(_insert("evaluator", 5, ignore=True), (sha, *map(stored, values)))
        return sha

    def _rubric(self, rubric: Rubric) -> int:
        """Number of a rubric, which is collected for storing where it is not one of the latest ones."""
        known = self._rubrics.by_object.get(id(rubric))
        if known is not None and known[0] is rubric:
            return known[1]
        content = (rubric.scope, rubric.threshold, json_text(rubric.criteria))
        number = self._rubrics.by_content.get(content)
        if number is None:
            if self._newest_rubric is None:
                found = self._connection.execute("SELECT coalesce(max(id), 0) FROM rubric").fetchone()
                self._newest_rubric = int(found[0])
            self._newest_rubric = number = self._newest_rubric + 1
            self._new_rubrics.append((number, rubric.lock, *content))
            self._rubrics.by_content[content] = number
        self._rubrics.by_object[id(rubric)] = (rubric, number)  # holding it keeps its id its own
        return number


def _judged(judgement: Judgement) -> tuple[Any, ...]:
    return (
        judgement.score,
        judgement.passed,
        judgement.judged,
        judgement.total,
        *_cost(judgement.cost),
        _verdicts(judgement.verdicts),
    )


def _verdicts(verdicts: tuple[Verdict, ...]) -> str:
    try:
        return VERDICTS.dump_json(verdicts, exclude_none=True).decode()
    except (PydanticSerializationError, ValueError):  # a lone surrogate
        return json_text(VERDICTS.dump_python(verdicts))


def _cost(cost: Cost) -> tuple[Any, ...]:
    return cost.calls, cost.input_tokens, cost.output_tokens, cost.seconds, cost.usd
