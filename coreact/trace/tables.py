"""The tables of a trace file, in its current version.

Rules of the file: STRICT tables; append only, but for how a run ended; bulky content in `blob`, with its
SHA-256, referred to by number; prompts as references, and of each step only the messages it added. What
belongs to one row and is never looked up alone (the verdicts of a judgement, the actions of a candidate, the
criteria of a rubric) is JSON in that row, since one row costs a tenth of ten; views open it up for SQL.

Content is stored once where that pays: an index over all hashes would cost more than everything else, since
hashes fall on pages at random. So bodies that recur across runs (questions, tools, settings, guidance) and
long ones are `pooled`, found again by their hash whoever wrote them; short ones, and rubrics, are found again
only among those that the same writer stored lately, which is where a run repeats itself.
"""

from __future__ import annotations

from typing import Final

COST: Final = (
    "calls INTEGER NOT NULL, tokens_in INTEGER NOT NULL, tokens_out INTEGER NOT NULL, "
    "seconds REAL NOT NULL, usd REAL"
)
"""The columns of a cost."""

RECORDS: Final = (
    # codec: `plain` or `zlib`; sha is taken over the bytes before compression.
    """CREATE TABLE blob (
        id INTEGER PRIMARY KEY, sha TEXT NOT NULL, pooled INTEGER NOT NULL, kind TEXT NOT NULL,
        codec TEXT NOT NULL, body BLOB NOT NULL) STRICT""",
    # status to ended_ns change; nothing else in this file ever does. seed is text because seeds are often
    # unsigned 64-bit numbers, which SQLite has not. question, settings and answer are blobs.
    """CREATE TABLE run (
        id TEXT NOT NULL PRIMARY KEY, question INTEGER NOT NULL, agent TEXT NOT NULL, thread_id TEXT,
        settings INTEGER NOT NULL, seed TEXT, parent_run TEXT, forked_at INTEGER, version TEXT NOT NULL,
        started_ns INTEGER NOT NULL, agent_version TEXT NOT NULL, origin TEXT NOT NULL, capture TEXT NOT NULL,
        status TEXT NOT NULL, answer INTEGER, score REAL, error TEXT, ended_ns INTEGER) STRICT""",
    # take: 0 for the first record of a step, then 1, 2, … where the step was decided again.
    # prompt_added, dispositions, remarks: JSON; the first is a list of blobs. guidance, tools, held: blobs.
    f"""CREATE TABLE step (
        id INTEGER PRIMARY KEY, run TEXT NOT NULL, idx INTEGER NOT NULL, take INTEGER NOT NULL,
        node TEXT NOT NULL, phase TEXT NOT NULL, rung TEXT NOT NULL, state_digest TEXT NOT NULL,
        rubric INTEGER, generator TEXT NOT NULL, guidance INTEGER, prompt_kept INTEGER NOT NULL,
        prompt_added TEXT NOT NULL, dispositions TEXT NOT NULL, error TEXT, checkpoint_id TEXT,
        checkpoint_ns TEXT, trace_id TEXT, span_id TEXT, {COST}, at_ns INTEGER NOT NULL,
        remarks TEXT NOT NULL, tools INTEGER, held INTEGER, UNIQUE (run, idx, take)) STRICT""",
    # criteria: JSON.
    """CREATE TABLE rubric (
        id INTEGER PRIMARY KEY, lock TEXT NOT NULL, scope TEXT NOT NULL, threshold REAL NOT NULL,
        criteria TEXT NOT NULL) STRICT""",
    # message, feedback: blobs; own: a rubric; actions: JSON.
    f"""CREATE TABLE candidate (
        step INTEGER NOT NULL, pos INTEGER NOT NULL, idx INTEGER NOT NULL, source TEXT NOT NULL,
        message INTEGER NOT NULL, actions TEXT NOT NULL, selected INTEGER NOT NULL, rejected_by TEXT,
        reason TEXT NOT NULL, {COST}, own INTEGER, feedback INTEGER, unheld TEXT NOT NULL,
        PRIMARY KEY (step, pos)) STRICT, WITHOUT ROWID""",
    # One row for each judged action of a candidate; step is the row of the step, NULL where the run as a
    # whole is judged. evaluator: `run` for what the run was decided by, `own` for the model's own criteria
    # (both without uid), otherwise the sha of an evaluator. supersedes: the uid of a judgement. judged_ns:
    # the time of what was judged; -1 as step: it was not there when the judgement came.
    f"""CREATE TABLE judgment (
        id INTEGER PRIMARY KEY, uid TEXT, run TEXT NOT NULL, step INTEGER, candidate INTEGER,
        action INTEGER, judged_ns INTEGER, rubric_lock TEXT NOT NULL, rubric INTEGER, score REAL,
        passed INTEGER, judged INTEGER NOT NULL, total INTEGER NOT NULL, {COST}, verdicts TEXT NOT NULL,
        evaluator TEXT NOT NULL, sample INTEGER NOT NULL, supersedes TEXT, note TEXT NOT NULL,
        created_ns INTEGER NOT NULL) STRICT""",
    """CREATE TABLE evaluator (
        sha TEXT NOT NULL PRIMARY KEY, name TEXT NOT NULL, version TEXT NOT NULL, kind TEXT NOT NULL,
        model TEXT NOT NULL) STRICT""",
    # after_step: the newest step row of the file when the record came. text: a blob.
    """CREATE TABLE observation (
        id INTEGER PRIMARY KEY, run TEXT NOT NULL, idx INTEGER NOT NULL, after_step INTEGER NOT NULL,
        call_id TEXT NOT NULL, tool TEXT NOT NULL, text INTEGER NOT NULL, failed INTEGER NOT NULL,
        blocked INTEGER NOT NULL, seconds REAL NOT NULL, at_ns INTEGER NOT NULL) STRICT""",
    # Calls by content, for deterministic replay; which of equal ones a call is follows from the order.
    """CREATE TABLE call (
        id INTEGER PRIMARY KEY, run TEXT NOT NULL, idx INTEGER NOT NULL, after_step INTEGER NOT NULL,
        kind TEXT NOT NULL, key TEXT NOT NULL, request INTEGER NOT NULL, response INTEGER, error TEXT,
        seconds REAL NOT NULL, at_ns INTEGER NOT NULL) STRICT""",
)

INDEXES: Final = (
    "CREATE UNIQUE INDEX blob_pooled ON blob (sha) WHERE pooled",
    "CREATE INDEX run_newest ON run (started_ns, id)",
    "CREATE INDEX step_again ON step (run, idx, id) WHERE take > 0",
    "CREATE INDEX judgment_step ON judgment (step)",
    "CREATE UNIQUE INDEX judgment_later ON judgment (uid) WHERE uid IS NOT NULL",
    "CREATE INDEX judgment_run ON judgment (run) WHERE uid IS NOT NULL",
    "CREATE INDEX judgment_superseded ON judgment (supersedes) WHERE supersedes IS NOT NULL",
    "CREATE INDEX observation_run ON observation (run, idx)",
    "CREATE INDEX call_run ON call (run)",
)

# The index holds only steps that were decided again; left to itself SQLite looks through all of the run's.
_NOT_TAKEN_BACK = """NOT EXISTS (SELECT 1 FROM step AS again INDEXED BY step_again WHERE again.run = this.run
    AND again.take > 0 AND again.idx <= this.idx AND again.id > this.{since})"""
# Text that UTF-8 cannot hold is no JSON to SQLite; such rows are for `rows` alone.
_VERDICTS = "CASE WHEN json_valid(judgment.verdicts) THEN judgment.verdicts ELSE '[]' END"
_CRITERIA = "CASE WHEN json_valid(rubric.criteria) THEN rubric.criteria ELSE '[]' END"


def _latest(table: str, since: str) -> str:
    kept = _NOT_TAKEN_BACK.format(since=since)
    return f"CREATE VIEW {table}_latest AS SELECT * FROM {table} AS this WHERE {kept}"  # noqa: S608 - our own names


def _fields(value: str, *names: str) -> str:
    return ", ".join(f"json_extract({value}, '$.{name}') AS {name}" for name in names)


VIEWS: Final = (
    _latest("step", since="id"),
    _latest("observation", since="after_step"),
    _latest("call", since="after_step"),
    """CREATE VIEW judgment_latest AS SELECT * FROM judgment AS this WHERE uid IS NULL OR NOT EXISTS (
        SELECT 1 FROM judgment AS newer WHERE newer.supersedes = this.uid AND newer.id <> this.id
        AND newer.run = this.run AND newer.step IS this.step AND newer.candidate IS this.candidate
        AND newer.action IS this.action)""",
    f"""CREATE VIEW criterion AS SELECT rubric.id AS rubric, one.key AS pos,
        {_fields("one.value", "id", "text", "weight", "polarity", "kind", "stage", "visibility", "veto")}
        FROM rubric, json_each({_CRITERIA}) AS one""",  # noqa: S608 - our own names
    f"""CREATE VIEW verdict AS SELECT judgment.id AS judgment, one.key AS pos,
        {_fields("one.value", "criterion", "status", "reason", "decided_by", "fault", "cause", "claimed")}
        FROM judgment, json_each({_VERDICTS}) AS one""",  # noqa: S608 - our own names
    f"""CREATE VIEW evidence AS SELECT judgment.id AS judgment, one.key AS verdict, piece.key AS pos,
        {_fields("piece.value", "message_id", "quote", "start", "end")}
        FROM judgment, json_each({_VERDICTS}) AS one, json_each(one.value, '$.evidence') AS piece""",  # noqa: S608
    """CREATE VIEW step_message AS SELECT step.id AS step, step.prompt_kept + one.key AS pos,
        one.value AS message FROM step, json_each(step.prompt_added) AS one""",
)

TABLES: Final = (
    "CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID",
    *RECORDS,
    *INDEXES,
    *VIEWS,
)
"""Every statement that makes an empty file."""
