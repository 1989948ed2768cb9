"""The tables of a trace file, in its current version.

Rules of the file: STRICT tables; append only, but for how a run ended; bulky content
once, in `blob`, under the SHA-256 of its bytes; prompts as references, and of each step only the messages
it added. What belongs to one row and is never looked up alone (the verdicts of a judgement, the actions of
a candidate) is JSON in that row, since one row costs a tenth of ten; views open it up for SQL.
"""

from __future__ import annotations

from typing import Final

COST: Final = (
    "calls INTEGER NOT NULL, tokens_in INTEGER NOT NULL, tokens_out INTEGER NOT NULL, "
    "seconds REAL NOT NULL, usd REAL"
)
"""The columns of a cost."""

STEP: Final = f"""CREATE TABLE step (
    id INTEGER PRIMARY KEY, run TEXT NOT NULL, idx INTEGER NOT NULL, take INTEGER NOT NULL,
    node TEXT NOT NULL, phase TEXT NOT NULL, rung TEXT NOT NULL, state_digest TEXT NOT NULL,
    rubric_sha TEXT, generator TEXT NOT NULL, guidance_sha TEXT, prompt_kept INTEGER NOT NULL,
    prompt_added TEXT NOT NULL, dispositions TEXT NOT NULL, error TEXT, checkpoint_id TEXT,
    checkpoint_ns TEXT, trace_id TEXT, span_id TEXT, {COST}, at_ns INTEGER NOT NULL, remarks TEXT NOT NULL,
    tools_sha TEXT, constraint_sha TEXT, UNIQUE (run, idx, take)) STRICT"""

CANDIDATE: Final = f"""CREATE TABLE candidate (
    step INTEGER NOT NULL, pos INTEGER NOT NULL, idx INTEGER NOT NULL, source TEXT NOT NULL,
    message_sha TEXT NOT NULL, actions TEXT NOT NULL, selected INTEGER NOT NULL, rejected_by TEXT,
    reason TEXT NOT NULL, {COST}, own_sha TEXT, feedback_sha TEXT, unheld TEXT NOT NULL,
    PRIMARY KEY (step, pos)) STRICT, WITHOUT ROWID"""

JUDGMENT: Final = f"""CREATE TABLE judgment (
    id INTEGER PRIMARY KEY, uid TEXT UNIQUE, run TEXT NOT NULL, step INTEGER, candidate INTEGER,
    action INTEGER, rubric_lock TEXT NOT NULL, rubric_sha TEXT, score REAL, passed INTEGER,
    judged INTEGER NOT NULL, total INTEGER NOT NULL, {COST}, verdicts TEXT NOT NULL,
    evaluator TEXT NOT NULL, sample INTEGER NOT NULL, supersedes TEXT, note TEXT NOT NULL,
    created_ns INTEGER NOT NULL) STRICT"""

CALL: Final = """CREATE TABLE call (
    id INTEGER PRIMARY KEY, run TEXT NOT NULL, idx INTEGER NOT NULL, after_step INTEGER NOT NULL,
    kind TEXT NOT NULL, key TEXT NOT NULL, request_sha TEXT NOT NULL, response_sha TEXT, error TEXT,
    seconds REAL NOT NULL, at_ns INTEGER NOT NULL) STRICT"""

EVALUATOR: Final = """CREATE TABLE evaluator (
    sha TEXT NOT NULL PRIMARY KEY, name TEXT NOT NULL, version TEXT NOT NULL, kind TEXT NOT NULL,
    model TEXT NOT NULL) STRICT"""

INDEXES: Final = (
    "CREATE INDEX run_newest ON run (started_ns, id)",
    "CREATE INDEX rubric_lock ON rubric (lock)",
    "CREATE INDEX step_again ON step (run, idx, id) WHERE take > 0",
    "CREATE INDEX judgment_step ON judgment (step)",
    "CREATE INDEX judgment_later ON judgment (run) WHERE uid IS NOT NULL",
    "CREATE INDEX judgment_superseded ON judgment (supersedes) WHERE supersedes IS NOT NULL",
    "CREATE INDEX observation_run ON observation (run, idx)",
    "CREATE INDEX call_run ON call (run)",
)

_NOT_TAKEN_BACK = """NOT EXISTS (SELECT 1 FROM step AS again WHERE again.run = this.run AND again.take > 0
    AND again.idx <= this.idx AND again.id > this.{since})"""

# Text that UTF-8 cannot hold is no JSON to SQLite; such verdicts are for `rows` alone.
_VERDICTS = "CASE WHEN json_valid(judgment.verdicts) THEN judgment.verdicts ELSE '[]' END"


def _latest(table: str, since: str) -> str:
    kept = _NOT_TAKEN_BACK.format(since=since)
    return f"CREATE VIEW {table}_latest AS SELECT * FROM {table} AS this WHERE {kept}"  # noqa: S608 - our own names


VIEWS: Final = (
    _latest("step", since="id"),
    _latest("observation", since="after_step"),
    _latest("call", since="after_step"),
    """CREATE VIEW judgment_latest AS SELECT * FROM judgment AS this WHERE uid IS NULL OR NOT EXISTS (
        SELECT 1 FROM judgment AS newer WHERE newer.supersedes = this.uid)""",
    f"""CREATE VIEW verdict AS SELECT judgment.id AS judgment, one.key AS pos,
        json_extract(one.value, '$.criterion') AS criterion, json_extract(one.value, '$.status') AS status,
        json_extract(one.value, '$.reason') AS reason,
        json_extract(one.value, '$.decided_by') AS decided_by, json_extract(one.value, '$.fault') AS fault,
        json_extract(one.value, '$.cause') AS cause, json_extract(one.value, '$.claimed') AS claimed,
        json_extract(one.value, '$.confidence') AS confidence
        FROM judgment, json_each({_VERDICTS}) AS one""",  # noqa: S608
    f"""CREATE VIEW evidence AS SELECT judgment.id AS judgment, one.key AS verdict, piece.key AS pos,
        json_extract(piece.value, '$.message_id') AS message_id,
        json_extract(piece.value, '$.quote') AS quote, json_extract(piece.value, '$.start') AS begins,
        json_extract(piece.value, '$.end') AS ends
        FROM judgment, json_each({_VERDICTS}) AS one, json_each(one.value, '$.evidence') AS piece""",  # noqa: S608
    """CREATE VIEW step_message AS SELECT step.id AS step, step.prompt_kept + one.key AS pos,
        one.value AS sha FROM step, json_each(step.prompt_added) AS one""",
)

TABLES: Final = (
    "CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID",
    # codec: `plain` or `zlib`; sha is taken over the bytes before compression.
    """CREATE TABLE blob (
        id INTEGER PRIMARY KEY, sha TEXT NOT NULL UNIQUE, kind TEXT NOT NULL, codec TEXT NOT NULL,
        body BLOB NOT NULL) STRICT""",
    # status to ended_ns change; nothing else in this file ever does. seed is text because seeds
    # are often unsigned 64-bit numbers, which SQLite has not. question_sha is also the task's identity.
    """CREATE TABLE run (
        id TEXT NOT NULL PRIMARY KEY, question_sha TEXT NOT NULL, agent TEXT NOT NULL, thread_id TEXT,
        settings_sha TEXT NOT NULL, seed TEXT, parent_run TEXT, forked_at INTEGER, version TEXT NOT NULL,
        started_ns INTEGER NOT NULL,
        status TEXT NOT NULL DEFAULT 'running', answer_sha TEXT, score REAL, error TEXT, ended_ns INTEGER,
        agent_version TEXT NOT NULL DEFAULT '', origin TEXT NOT NULL DEFAULT 'coreact',
        capture TEXT NOT NULL DEFAULT 'full') STRICT""",
    # take: 0 for the first record of a step, then 1, 2, … where the step was decided again.
    # prompt_added, dispositions, remarks: JSON; the first is a list of hashes of messages.
    STEP,
    """CREATE TABLE rubric (
        sha TEXT NOT NULL PRIMARY KEY, lock TEXT NOT NULL, scope TEXT NOT NULL, threshold REAL NOT NULL
        ) STRICT""",
    # check_json, depends_on and provenance are JSON.
    """CREATE TABLE criterion (
        rubric TEXT NOT NULL, pos INTEGER NOT NULL, id TEXT NOT NULL, text TEXT NOT NULL,
        weight REAL NOT NULL, polarity TEXT NOT NULL, kind TEXT NOT NULL, stage TEXT,
        visibility TEXT NOT NULL, check_json TEXT, veto INTEGER NOT NULL, depends_on TEXT NOT NULL,
        provenance TEXT, PRIMARY KEY (rubric, pos)) STRICT, WITHOUT ROWID""",
    CANDIDATE,
    # One row for each judged action of a candidate; step is the row of the step, NULL where the run as a
    # whole is judged. evaluator: `run` for what the run was decided by, `own` for the model's own criteria
    # (both without uid), otherwise the sha of an evaluator. supersedes: the uid of a judgement.
    JUDGMENT,
    EVALUATOR,
    # after_step: the newest step row of the file when the record came.
    """CREATE TABLE observation (
        id INTEGER PRIMARY KEY, run TEXT NOT NULL, idx INTEGER NOT NULL, after_step INTEGER NOT NULL,
        call_id TEXT NOT NULL, tool TEXT NOT NULL, text_sha TEXT NOT NULL, failed INTEGER NOT NULL,
        blocked INTEGER NOT NULL, seconds REAL NOT NULL, at_ns INTEGER NOT NULL) STRICT""",
    # Calls by content, for deterministic replay; which of equal ones a call is follows from the order.
    CALL,
    *INDEXES,
    *VIEWS,
)
"""Every statement that makes an empty file."""
