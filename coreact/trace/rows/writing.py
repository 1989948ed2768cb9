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
from collections.abc import Iterable, Iterator, Sequence
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

_KNOWN_RUBRICS = 256
_known_rubrics: OrderedDict[int, tuple[Rubric, str]] = OrderedDict()


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


def write(connection: sqlite3.Connection, batch: Sequence[Snapshot]) -> None:
    """Insert records in their order, inside a transaction that the caller holds.

    Raises:
        sqlite3.Error: SQLite refuses one.
        OverflowError: a number in one is beyond 64 bits.
    """
    rows = _Rows(connection)
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
_JUDGMENT = _insert("judgment", 23)
_OBSERVATION = _insert("observation", 11)
_CALL = _insert("call", 11)
_BLOB = "INSERT OR IGNORE INTO blob (sha, kind, codec, body) VALUES (?, ?, ?, ?)"


class _Rows:
    """The rows of one batch, collected by table."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._newest: int | None = None
        self._blobs: dict[str, tuple[str, str, str, bytes]] = {}
        self._rubrics: set[str] = set()
        self._steps: list[tuple[Any, ...]] = []
        self._candidates: list[tuple[Any, ...]] = []
        self._judgments: list[tuple[Any, ...]] = []
        self._observations: list[tuple[Any, ...]] = []
        self._calls: list[tuple[Any, ...]] = []

    def insert(self) -> None:
        """Put what was collected into the file."""
        for statement, rows in (
            (_BLOB, self._blobs.values()),
            (_STEP, self._steps),
            (_CANDIDATE, self._candidates),
            (_JUDGMENT, self._judgments),
            (_OBSERVATION, self._observations),
            (_CALL, self._calls),
        ):
            if rows:
                self._connection.executemany(statement, rows)
        self._blobs.clear()
        for collected in (self._steps, self._candidates, self._judgments, self._observations, self._calls):
            collected.clear()

    def run(self, run: RunRecord, settings: bytes) -> None:
        self._connection.execute(
            "INSERT INTO run (id, question_sha, agent, thread_id, settings_sha, seed, parent_run, forked_at,"
            " version, started_ns, agent_version, origin, capture)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET"
            " status = 'running', answer_sha = NULL, score = NULL, error = NULL, ended_ns = NULL",
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
            ),
        )

    def end(self, end: RunEnd) -> None:
        self._connection.execute(
            "UPDATE run SET status = ?, answer_sha = ?, score = ?, error = ?, ended_ns = ? WHERE id = ?",
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
                json.dumps(added),
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
                        (None, None, run, row, pos, action, stored(one.rubric), None, *_judged(one),
                         evaluator, 0, None, "", step.at_ns)
                    )  # fmt: skip

    def judgement(self, later: JudgementRecord) -> None:
        self.insert()  # it may be about a step of this batch
        run, step = stored(later.run), None
        if later.step is not None:
            found = self._connection.execute(
                "SELECT id FROM step_latest WHERE run = ? AND idx = ?", (run, later.step)
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
            self._newest = self._connection.execute("SELECT coalesce(max(id), 0) FROM step").fetchone()[0]
        return self._newest or 0

    def _text(self, kind: str, text: str) -> str:
        return self._blob(kind, text.encode("utf-8", "surrogatepass"))

    def _blob(self, kind: str, body: bytes) -> str:
        sha = hashlib.sha256(body).hexdigest()
        if sha not in self._blobs and not (len(body) >= COMPRESS_FROM and self._has("blob", sha)):
            self._blobs[sha] = (sha, kind, *packed(body))
        return sha

    def _has(self, table: str, sha: str) -> bool:
        found = self._connection.execute(f"SELECT 1 FROM {table} WHERE sha = ?", (sha,))  # noqa: S608
        return found.fetchone() is not None

    def _evaluator(self, evaluator: Evaluator) -> str:
        body = json_bytes(evaluator)
        sha = hashlib.sha256(body).hexdigest()
        values = (evaluator.name, evaluator.version, evaluator.kind, evaluator.model)
        self._connection.execute(_insert("evaluator", 5, ignore=True), (sha, *map(stored, values)))
        return sha

    def _rubric(self, rubric: Rubric) -> str:
        sha = _rubric_sha(rubric)
        if sha in self._rubrics:
            return sha
        self._rubrics.add(sha)
        if self._has("rubric", sha):
            return sha
        self._connection.execute(_insert("rubric", 4), (sha, rubric.lock, rubric.scope, rubric.threshold))
        self._connection.executemany(_insert("criterion", 13), _criteria(sha, rubric))
        return sha


def _rubric_sha(rubric: Rubric) -> str:
    """SHA-256 of all of a rubric, defaults included; of the same object it is taken once."""
    known = _known_rubrics.get(id(rubric))
    if known is not None and known[0] is rubric:
        return known[1]
    sha = hashlib.sha256(json_bytes(rubric.model_dump())).hexdigest()
    _known_rubrics[id(rubric)] = (rubric, sha)  # holding it keeps its id from being given away
    while len(_known_rubrics) > _KNOWN_RUBRICS:
        _known_rubrics.popitem(last=False)
    return sha


def _criteria(sha: str, rubric: Rubric) -> Iterable[tuple[Any, ...]]:
    for pos, criterion in enumerate(rubric):
        dumped = criterion.model_dump()
        check, provenance = dumped["check"], dumped["provenance"]
        yield (
            sha,
            pos,
            stored(criterion.id),
            stored(criterion.text),
            criterion.weight,
            criterion.polarity,
            criterion.kind,
            stored_or_none(criterion.stage),
            criterion.visibility,
            None if check is None else json_text(check),
            criterion.veto,
            json.dumps(criterion.depends_on),
            None if provenance is None else json.dumps(provenance),
        )


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
