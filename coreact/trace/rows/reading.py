"""Rows to records: what was written comes back equal."""

from __future__ import annotations

import json
import sqlite3
from collections import defaultdict
from collections.abc import Callable, Iterable
from typing import TypeVar

from pydantic import TypeAdapter

from coreact.errors import RunNotFoundError
from coreact.judge import Cost, Judgement
from coreact.rubric import Action, Criterion, Rubric, ToolContract
from coreact.rubric.remarks import Remark
from coreact.trace.records import (
    Attempt,
    CallRecord,
    Evaluator,
    JudgementRecord,
    ObservationRecord,
    RunEnd,
    RunRecord,
    StepRecord,
    Trajectory,
)
from coreact.trace.rows.encoding import restored, restored_or_none, stored, text_of
from coreact.trace.rows.selecting import condition_of
from coreact.trace.rows.writing import VERDICTS
from coreact.trace.store import RunFilter, RunSummary

K = TypeVar("K")
V = TypeVar("V")

_ACTIONS: TypeAdapter[tuple[Action, ...]] = TypeAdapter(tuple[Action, ...])
_CRITERIA: TypeAdapter[tuple[Criterion, ...]] = TypeAdapter(tuple[Criterion, ...])


def matching_runs(connection: sqlite3.Connection, prefix: str) -> list[str]:
    """The ids of the first 100 runs that begin with `prefix`; none for an empty one."""
    first = stored(prefix)
    rows = connection.execute(
        "SELECT id FROM run WHERE id BETWEEN ? AND ? ORDER BY id LIMIT 100", (first, f"{first}\U0010ffff")
    )
    return [restored(row[0]) for row in rows] if prefix else []


def read_summaries(
    connection: sqlite3.Connection, limit: int | None, where: RunFilter
) -> tuple[RunSummary, ...]:
    """The newest runs that are meant in one line each, newest first; all of them where `limit` is None."""
    condition, values = condition_of(connection, where)
    rows = connection.execute(  # the condition has placeholders only
        "SELECT run.id, blob.codec, blob.body, agent, status,"  # noqa: S608
        " (SELECT count(*) FROM step_latest AS step WHERE step.run = run.id),"
        " (SELECT count(*) FROM step_latest AS step JOIN candidate ON candidate.step = step.id"
        "  WHERE step.run = run.id AND source = 'retry'),"
        " score, (SELECT coalesce(sum(tokens_in + tokens_out), 0) FROM step_latest AS step"
        "  WHERE step.run = run.id), started_ns, ended_ns"
        f" FROM run JOIN blob ON blob.id = question WHERE {condition}"
        " ORDER BY started_ns DESC, run.id DESC LIMIT ?",
        (*values, -1 if limit is None else max(limit, 0)),
    )
    return tuple(
        RunSummary(
            id=restored(run_id),
            question=text_of(codec, body),
            agent=restored(agent),
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


def selected_runs(connection: sqlite3.Connection, where: RunFilter) -> list[str]:
    """Ids of the runs that are meant, oldest first."""
    condition, values = condition_of(connection, where)
    rows = connection.execute(
        "SELECT run.id FROM run JOIN blob ON blob.id = question"  # noqa: S608
        f" WHERE {condition} ORDER BY started_ns, run.id",
        values,
    )
    return [restored(row[0]) for row in rows]


def read_scores(connection: sqlite3.Connection, run_id: str) -> tuple[float | None, ...]:
    """Mean score of the selected attempt of each step, in order."""
    rows = connection.execute(
        "SELECT (SELECT avg(score) FROM judgment JOIN candidate"
        "  ON candidate.step = judgment.step AND candidate.pos = judgment.candidate"
        "  WHERE judgment.step = step.id AND evaluator = 'run' AND selected)"
        " FROM step_latest AS step WHERE step.run = ? ORDER BY idx",
        (stored(run_id),),
    )
    return tuple(row[0] for row in rows)


def read_trajectory(connection: sqlite3.Connection, run_id: str) -> Trajectory:
    """A whole stored run; the id must be a stored one, in full.

    Raises:
        RunNotFoundError: there is none.
    """
    reader = _Reader(connection, stored(run_id))
    run, end = reader.run_and_end()
    return Trajectory(
        run=run,
        steps=reader.steps(),
        observations=reader.observations(),
        end=end,
        calls=reader.calls(),
        judgements=reader.later(),
    )


class _Reader:
    """Reads one run. Each table is read once for the whole run, not once a step."""

    def __init__(self, connection: sqlite3.Connection, run: str) -> None:
        self._connection = connection
        self._run = run
        self._rubrics: dict[int, Rubric] = {}

    def _rows(self, query: str) -> sqlite3.Cursor:
        cursor = self._connection.execute(query, (self._run,))
        cursor.row_factory = sqlite3.Row
        return cursor

    def _blob(self, number: int) -> str:
        row = self._connection.execute("SELECT codec, body FROM blob WHERE id = ?", (number,)).fetchone()
        if row is None:
            raise ValueError(f"the content {number} is missing")
        return text_of(*row)

    def run_and_end(self) -> tuple[RunRecord, RunEnd | None]:
        row = self._rows("SELECT * FROM run WHERE id = ?").fetchone()
        if row is None:
            raise RunNotFoundError(restored(self._run), remedy="It was removed in the meantime.")
        run = RunRecord(
            id=restored(row["id"]),
            question=self._blob(row["question"]),
            agent=restored(row["agent"]),
            thread_id=restored_or_none(row["thread_id"]),
            settings=json.loads(self._blob(row["settings"])),
            seed=None if row["seed"] is None else int(row["seed"]),
            parent=restored_or_none(row["parent_run"]),
            forked_at=row["forked_at"],
            version=restored(row["version"]),
            agent_version=restored(row["agent_version"]),
            origin=restored(row["origin"]),
            capture=row["capture"],
            started_ns=row["started_ns"],
        )
        if row["ended_ns"] is None:
            return run, None
        end = RunEnd(
            run=run.id,
            status=row["status"],
            answer=self._blob(row["answer"]),
            score=row["score"],
            error=restored_or_none(row["error"]),
            ended_ns=row["ended_ns"],
        )
        return run, end

    def observations(self) -> tuple[ObservationRecord, ...]:
        rows = self._rows("SELECT * FROM observation_latest WHERE run = ? ORDER BY id")
        return tuple(
            ObservationRecord(
                run=restored(row["run"]),
                step=row["idx"],
                call_id=restored(row["call_id"]),
                tool=restored(row["tool"]),
                text=self._blob(row["text"]),
                failed=row["failed"],
                blocked=row["blocked"],
                seconds=row["seconds"],
                at_ns=row["at_ns"],
            )
            for row in rows
        )

    def steps(self) -> tuple[StepRecord, ...]:
        attempts = self._attempts()
        rows = self._rows("SELECT * FROM step_latest WHERE run = ? ORDER BY idx")
        return tuple(
            StepRecord(
                run=restored(row["run"]),
                index=row["idx"],
                node=restored(row["node"]),
                phase=row["phase"],
                rung=row["rung"],
                state_digest=restored(row["state_digest"]),
                rubric=None if row["rubric"] is None else self._rubric(row["rubric"]),
                generator=restored(row["generator"]),
                guidance="" if row["guidance"] is None else self._blob(row["guidance"]),
                prompt_kept=row["prompt_kept"],
                prompt_added=tuple(
                    json.loads(self._blob(number)) for number in json.loads(row["prompt_added"])
                ),
                attempts=tuple(attempts[row["id"]]),
                dispositions=tuple(json.loads(row["dispositions"])),
                remarks=tuple(Remark.model_validate(one) for one in json.loads(restored(row["remarks"]))),
                tools=None
                if row["tools"] is None
                else tuple(ToolContract.model_validate(one) for one in json.loads(self._blob(row["tools"]))),
                constraint=None if row["held"] is None else json.loads(self._blob(row["held"])),
                error=restored_or_none(row["error"]),
                checkpoint_id=restored_or_none(row["checkpoint_id"]),
                checkpoint_ns=restored_or_none(row["checkpoint_ns"]),
                trace_id=restored_or_none(row["trace_id"]),
                span_id=restored_or_none(row["span_id"]),
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

    def _attempts(self) -> dict[int, list[Attempt]]:
        judgements = self._judgements()
        return _grouped(
            self._of_steps("candidate", "pos"),
            lambda row: row["step"],
            lambda row: Attempt(
                index=row["idx"],
                source=row["source"],
                message=json.loads(self._blob(row["message"])),
                actions=_validated(_ACTIONS, row["actions"]),
                judgements=tuple(judgements[row["step"], row["pos"], "run"]),
                own=None if row["own"] is None else self._rubric(row["own"]),
                own_judgements=tuple(judgements[row["step"], row["pos"], "own"]),
                feedback="" if row["feedback"] is None else self._blob(row["feedback"]),
                unheld=restored(row["unheld"]),
                selected=row["selected"],
                rejected_by=restored_or_none(row["rejected_by"]),
                reason=restored(row["reason"]),
                cost=_cost_of(row),
            ),
        )

    def _judgements(self) -> dict[tuple[int, int, str], list[Judgement]]:
        return _grouped(
            self._rows(
                "SELECT judgment.* FROM judgment JOIN step_latest AS step ON step.id = judgment.step"
                " WHERE step.run = ? AND uid IS NULL ORDER BY judgment.id"
            ),
            lambda row: (row["step"], row["candidate"], row["evaluator"]),
            _judgement,
        )

    def later(self) -> tuple[JudgementRecord, ...]:
        rows = self._rows(
            "SELECT judgment.*, step.idx, name, evaluator.version, kind, model FROM judgment"
            " JOIN evaluator ON evaluator.sha = judgment.evaluator"
            " LEFT JOIN step_latest AS step ON step.id = judgment.step"
            " JOIN run ON run.id = judgment.run"
            " WHERE judgment.run = ? AND uid IS NOT NULL AND CASE WHEN judgment.step IS NULL"
            "  THEN coalesce(judged_ns = ended_ns, judged_ns IS NULL) ELSE step.id IS NOT NULL END"
            " ORDER BY judgment.id"
        )
        return tuple(
            JudgementRecord(
                id=restored(row["uid"]),
                run=restored(row["run"]),
                step=row["idx"],
                attempt=row["candidate"],
                action=row["action"],
                judged_ns=row["judged_ns"],
                rubric=self._rubric(row["rubric"]),
                judgement=_judgement(row),
                evaluator=Evaluator(
                    name=restored(row["name"]),
                    version=restored(row["version"]),
                    kind=row["kind"],
                    model=restored(row["model"]),
                ),
                sample=row["sample"],
                supersedes=restored_or_none(row["supersedes"]),
                note=restored(row["note"]),
                at_ns=row["created_ns"],
            )
            for row in rows
        )

    def calls(self) -> tuple[CallRecord, ...]:
        return tuple(
            CallRecord(
                run=restored(row["run"]),
                step=row["idx"],
                kind=row["kind"],
                key=restored(row["key"]),
                request=json.loads(self._blob(row["request"])),
                response=None if row["response"] is None else json.loads(self._blob(row["response"])),
                error=restored_or_none(row["error"]),
                seconds=row["seconds"],
                at_ns=row["at_ns"],
            )
            for row in self._rows("SELECT * FROM call_latest WHERE run = ? ORDER BY id")
        )

    def _rubric(self, number: int) -> Rubric:
        if number not in self._rubrics:
            row = self._connection.execute(
                "SELECT scope, threshold, criteria FROM rubric WHERE id = ?", (number,)
            ).fetchone()
            if row is None:
                raise ValueError(f"the rubric {number} is missing")
            scope, threshold, criteria = row
            self._rubrics[number] = Rubric(
                criteria=_validated(_CRITERIA, criteria),
                scope=scope,
                threshold=threshold,
            )
        return self._rubrics[number]


def _judgement(row: sqlite3.Row) -> Judgement:
    return Judgement(
        rubric=restored(row["rubric_lock"]),
        verdicts=_validated(VERDICTS, row["verdicts"]),
        score=row["score"],
        passed=None if row["passed"] is None else bool(row["passed"]),
        judged=row["judged"],
        total=row["total"],
        cost=_cost_of(row),
    )


def _validated(of: TypeAdapter[V], text: str) -> V:
    try:
        return of.validate_json(text)
    except ValueError:  # a lone surrogate makes it no JSON to a strict reader
        return of.validate_python(json.loads(restored(text)))


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
