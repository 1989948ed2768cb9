"""The SQLite file under stress: kills, full disks, other programs, forks, foreign and old files."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import time
import warnings
from contextlib import closing
from pathlib import Path

import pytest

from coreact.errors import RunNotFoundError, StoreError
from coreact.testing import record_into, sample_trajectory
from coreact.trace import (
    ObservationRecord,
    RunEnd,
    RunRecord,
    SQLiteTraceStore,
    StepRecord,
    TraceWarning,
    schema,
    sqlite_advice,
)

REPOSITORY = Path(__file__).parents[2]


def program(source: str, *arguments: object) -> list[str]:
    return [sys.executable, "-c", source, *map(str, arguments)]


def run_program(source: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        program(source, *arguments), cwd=REPOSITORY, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    return done


def integrity(path: Path) -> str:
    with closing(sqlite3.connect(path)) as connection:
        return str(connection.execute("PRAGMA integrity_check").fetchone()[0])


def count(path: Path, table: str) -> int:
    with closing(sqlite3.connect(path)) as connection:
        return int(connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0])


# --- the file ---------------------------------------------------------------------------------


def test_the_file_is_marked_strict_and_in_wal_mode(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "er" / "traces.db"
    store = SQLiteTraceStore(path)
    record_into(store, sample_trajectory())
    store.close()
    with closing(sqlite3.connect(path)) as connection:
        pragmas = [
            connection.execute(f"PRAGMA {name}").fetchone()[0]
            for name in ("application_id", "user_version", "journal_mode")
        ]
        assert pragmas == [schema.APPLICATION_ID, schema.CURRENT_SCHEMA, "wal"]
        tables = connection.execute("PRAGMA table_list").fetchall()
    strict = {name: flag for _, name, kind, _, _, flag in tables if kind == "table" and name[:7] != "sqlite_"}
    assert all(strict.values())
    assert {
        "meta", "blob", "run", "step", "rubric", "candidate", "judgment", "evaluator", "observation", "call",
    } == set(strict)  # fmt: skip
    assert integrity(path) == "ok"


def test_only_the_fields_of_an_ended_run_ever_change(tmp_path: Path) -> None:
    path = tmp_path / "traces.db"
    store = SQLiteTraceStore(path)
    whole = sample_trajectory()
    record_into(store, whole)
    store.flush()
    before = {name: count(path, name) for name in ("step", "candidate", "judgment", "observation", "call")}
    store.step(whole.steps[0])
    store.close()
    after = {name: count(path, name) for name in before}
    assert after["step"] == before["step"] + 1
    assert after["observation"] == before["observation"]
    with closing(sqlite3.connect(path)) as connection:
        takes = connection.execute("SELECT idx, take FROM step ORDER BY id").fetchall()
    assert takes == [(0, 0), (1, 0), (2, 0), (0, 1)]


def test_equal_content_is_stored_once_and_long_content_compressed(tmp_path: Path) -> None:
    path = tmp_path / "traces.db"
    store = SQLiteTraceStore(path)
    long = {"content": "the same words " * 1000}
    for run in ("a", "b"):
        store.start(RunRecord(id=run, question="q"))
        store.step(StepRecord(run=run, index=0, prompt_added=(long, long)))
    assert store.trajectory("b").steps[0].prompt_added == (long, long)
    store.close()
    with closing(sqlite3.connect(path)) as connection:
        found = connection.execute("SELECT codec, length(body) FROM blob WHERE kind = 'message'").fetchall()
    assert len(found) == 1
    assert found[0][0] == "zlib"
    assert found[0][1] < 1000


def test_a_long_run_grows_linearly(tmp_path: Path) -> None:
    sizes = []
    for steps in (100, 200, 400):
        path = tmp_path / f"{steps}.db"
        store = SQLiteTraceStore(path)
        store.start(RunRecord(id="r", question="q"))
        for index in range(steps):
            added = (
                {"type": "ai", "content": f"{index} " * 100},
                {"type": "tool", "content": f"{index}!" * 300},
            )
            store.step(StepRecord(run="r", index=index, prompt_kept=2 * index, prompt_added=added))
        assert len(store.trajectory("r").prompt(steps - 1)) == 2 * steps
        store.close()
        sizes.append(path.stat().st_size)
    assert sizes[2] - sizes[1] < 2.3 * (sizes[1] - sizes[0])


def test_a_missing_file_reads_as_an_empty_store_and_is_not_made(tmp_path: Path) -> None:
    store = SQLiteTraceStore(tmp_path / "none" / "traces.db")
    assert store.runs() == ()
    with pytest.raises(RunNotFoundError):
        store.trajectory("r")
    store.close()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("content", [b"no database at all, but a text that is long enough" * 40, b"short"])
def test_a_file_that_is_no_database_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "notes.txt"
    path.write_bytes(content)
    with pytest.raises(StoreError, match="choose another path") as caught:
        SQLiteTraceStore(path)
    assert caught.value.path == path
    assert path.read_bytes() == content


def test_a_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="cannot be read"):
        SQLiteTraceStore(tmp_path)


def test_a_database_of_another_application_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "other.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE run (id TEXT)")
    before = path.read_bytes()
    with pytest.raises(StoreError, match="another application"):
        SQLiteTraceStore(path)
    assert path.read_bytes() == before


def test_a_newer_file_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "traces.db"
    store = SQLiteTraceStore(path)
    record_into(store, sample_trajectory())
    store.close()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(f"PRAGMA user_version = {schema.CURRENT_SCHEMA + 1}")
    with pytest.raises(StoreError, match="Upgrade coreact"):
        SQLiteTraceStore(path)


def test_damaged_content_is_a_store_error(tmp_path: Path) -> None:
    path = tmp_path / "traces.db"
    store = SQLiteTraceStore(path)
    record_into(store, sample_trajectory())
    store.close()
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE blob SET body = x'7b' WHERE kind = 'message'")
    with pytest.raises(StoreError, match="cannot be read"):
        store.trajectory("sample-1")


# --- migrations -------------------------------------------------------------------------------


def test_an_older_file_is_copied_aside_and_migrated(tmp_path: Path) -> None:
    path = tmp_path / "traces.db"
    store = SQLiteTraceStore(path)
    whole = sample_trajectory()
    record_into(store, whole)
    store.close()
    now = schema.CURRENT_SCHEMA

    def add_column(connection: sqlite3.Connection) -> None:
        connection.execute("ALTER TABLE run ADD COLUMN mood TEXT NOT NULL DEFAULT 'calm'")

    def rename(connection: sqlite3.Connection) -> None:
        connection.execute("ALTER TABLE run RENAME COLUMN mood TO temper")

    made_up = {now: add_column, now + 1: rename}
    schema.inspect(path, timeout=1, migrations=made_up)
    schema.inspect(path, timeout=1, migrations=made_up)  # nothing left to do
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (now + 2,)
        assert connection.execute("SELECT temper FROM run").fetchall() == [("calm",)]
    backups = [found for found in tmp_path.iterdir() if found.suffix == ".bak"]
    assert [found.name for found in backups] == [f"traces.db.v{now}.bak"]
    assert SQLiteTraceStore(backups[0]).trajectory("sample-1") == whole


def columns(path: Path) -> dict[str, list[tuple[object, ...]]]:
    """What each table and view of a file looks like: names, types and constraints of its columns in order."""
    with closing(sqlite3.connect(path)) as connection:
        names = [row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE sql IS NOT NULL")]
        return {
            name: connection.execute("SELECT * FROM pragma_table_xinfo(?)", (name,)).fetchall()
            for name in sorted(names)
        }


@pytest.mark.parametrize("version", range(1, schema.CURRENT_SCHEMA))
def test_a_migrated_file_has_the_shape_of_a_new_one(tmp_path: Path, version: int) -> None:
    old, new = tmp_path / "old.db", tmp_path / "new.db"
    script = (REPOSITORY / "traces" / "golden" / f"store_{version}.sql").read_text(encoding="utf-8")
    with closing(sqlite3.connect(old)) as connection:
        connection.executescript(script)
    for path in (old, new):
        store = SQLiteTraceStore(path)
        store.start(RunRecord(id="r", question="q"))
        store.close()
    assert columns(old) == columns(new)
    assert integrity(old) == "ok"
    backup = tmp_path / f"old.db.v{version}.bak"
    with closing(sqlite3.connect(backup)) as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (version,)


def test_verdicts_of_before_version_2_say_nothing_about_what_was_not_asked(tmp_path: Path) -> None:
    path = tmp_path / "traces.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript((REPOSITORY / "traces/golden/store_1.sql").read_text(encoding="utf-8"))
    store = SQLiteTraceStore(path)
    (first, *_) = store.trajectory("golden").steps
    verdicts = first.attempts[0].judgements[0].verdicts
    assert {(v.cause, v.claimed, v.confidence) for v in verdicts} == {(None, None, None)}
    assert {(e.start, e.end) for v in verdicts for e in v.evidence} == {(None, None)}
    store.close()


def test_a_failed_migration_leaves_the_file_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "traces.db"
    store = SQLiteTraceStore(path)
    whole = sample_trajectory()
    record_into(store, whole)
    store.close()

    def break_off(connection: sqlite3.Connection) -> None:
        connection.execute("DELETE FROM step")
        connection.execute("SELECT * FROM no_such_table")

    for _ in range(2):
        with pytest.raises(StoreError, match="no_such_table"):
            schema.inspect(path, timeout=1, migrations={schema.CURRENT_SCHEMA: break_off})
    assert SQLiteTraceStore(path).trajectory("sample-1") == whole
    assert len([found for found in tmp_path.iterdir() if found.suffix == ".bak"]) == 2  # none overwritten


# --- failing disks ----------------------------------------------------------------------------

FULL_DISK = """
import resource, sys, warnings
from coreact.errors import StoreError
from coreact.testing import record_into, sample_trajectory
from coreact.trace import SQLiteTraceStore, StepRecord, TraceWarning
store = SQLiteTraceStore(sys.argv[1])
record_into(store, sample_trajectory("before"))
store.flush()
soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, hard))
whole = sample_trajectory("full")
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    store.start(whole.run)
    for index in range(200):
        step = StepRecord(run="full", index=index, state_digest=str(index) * 2000)
        store.step(step)
    try:
        store.flush()
    except StoreError as error:
        assert error.path.name == "traces.db" and error.remedy, error
    else:
        raise SystemExit("the disk was not full")
    store.end(whole.end)
    store.end(whole.end)
assert all(issubclass(one.category, TraceWarning) for one in caught), caught
assert len(caught) <= 1, caught
resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
store.flush()
found = store.trajectory("full")
assert [step.index for step in found.steps] == list(range(200)), len(found.steps)
assert found.end == whole.end
assert store.trajectory("before") == sample_trajectory("before")
store.close()
"""


def test_a_full_disk_stops_nobody_and_loses_nothing(tmp_path: Path) -> None:
    path = tmp_path / "traces.db"
    run_program(FULL_DISK, path)
    assert integrity(path) == "ok"


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    obstacle = tmp_path / "file"
    obstacle.write_text("in the way")
    store = SQLiteTraceStore(obstacle / "traces.db")
    whole = sample_trajectory()
    record_into(store, whole)
    with pytest.raises(StoreError, match="cannot be written") as caught:
        store.flush()
    assert caught.value.path == obstacle / "traces.db"
    assert caught.value.remedy
    with pytest.raises(StoreError):
        store.trajectory(whole.run.id)
    obstacle.unlink()
    assert store.trajectory(whole.run.id) == whole  # kept in memory, written now
    store.close()


def test_a_lock_that_is_held_warns_once_and_keeps_the_order(tmp_path: Path) -> None:
    path = tmp_path / "traces.db"
    store = SQLiteTraceStore(path, lock_seconds=0.05)
    store.start(RunRecord(id="r", question="q"))
    store.flush()
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        store.step(StepRecord(run="r", index=0))
        time.sleep(0.5)
        with pytest.warns(TraceWarning, match="close that one"):
            store.step(StepRecord(run="r", index=1))
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            for index in range(2, 150):
                store.step(StepRecord(run="r", index=index))
        with pytest.raises(StoreError, match="Another program"):
            store.flush()
        other.execute("ROLLBACK")
    store.flush()
    with closing(sqlite3.connect(path)) as connection:
        order = [row[0] for row in connection.execute("SELECT idx FROM step ORDER BY id")]
    assert order == list(range(150))
    store.close()


def test_beyond_the_bound_whole_tails_are_lost_and_flush_says_so(tmp_path: Path) -> None:
    obstacle = tmp_path / "file"
    obstacle.write_text("in the way")
    store = SQLiteTraceStore(obstacle / "traces.db", keep_bytes=10_000)
    store.start(RunRecord(id="r", question="q"))
    time.sleep(0.2)
    with pytest.warns(TraceWarning, match="kept in memory"):
        store.step(StepRecord(run="r", index=0))
    for index in range(1, 100):
        store.step(StepRecord(run="r", index=index))
    obstacle.unlink()
    with pytest.raises(StoreError, match="records were lost"):
        store.flush()
    store.step(StepRecord(run="r", index=100))
    store.end(RunEnd(run="r", status="done"))
    store.start(RunRecord(id="whole", question="q"))
    with pytest.raises(StoreError, match="2 records were lost and 1 runs"):
        store.flush()
    found = store.trajectory("r")
    assert 0 < len(found.steps) < 100
    assert [step.index for step in found.steps] == list(range(len(found.steps)))  # a prefix, no gap
    assert found.end is None
    assert store.trajectory("whole").run.id == "whole"
    store.close()


def test_a_record_that_can_never_be_stored_costs_its_run_only(tmp_path: Path) -> None:
    store = SQLiteTraceStore(tmp_path / "traces.db")
    store.start(RunRecord(id="bad", question="q"))
    store.start(RunRecord(id="good", question="q"))
    store.step(StepRecord(run="bad", index=0))
    store.step(StepRecord(run="bad", index=2**70))
    store.step(StepRecord(run="bad", index=2))
    store.step(StepRecord(run="good", index=0))
    with pytest.raises(StoreError, match="2 records were lost and 1 runs are cut short"):
        store.flush()
    store.flush()
    assert [step.index for step in store.trajectory("bad").steps] == [0]
    assert [step.index for step in store.trajectory("good").steps] == [0]
    store.close()


READ_ONLY = """
import os, sys
from coreact.errors import StoreError
from coreact.trace import RunRecord, SQLiteTraceStore
if os.getuid() == 0:
    os.setgid(65534)
    os.setuid(65534)
store = SQLiteTraceStore(sys.argv[1])
assert [run.id for run in store.runs()] == ["sample-1"]
assert len(store.trajectory("sample").steps) == 3
store.start(RunRecord(id="new", question="q"))
try:
    store.flush()
except StoreError as error:
    assert "writable" in error.remedy, error
else:
    raise SystemExit("wrote to a read-only file")
try:
    store.close()
except StoreError:
    pass
else:
    raise SystemExit("closed as if nothing were left")
"""


def test_a_read_only_store_can_be_read_and_says_how_to_write(tmp_path: Path) -> None:
    folder = tmp_path / "shared"
    store = SQLiteTraceStore(folder / "traces.db")
    record_into(store, sample_trajectory())
    store.close()
    (folder / "traces.db").chmod(0o444)
    folder.chmod(0o555)
    for parent in (tmp_path, *list(tmp_path.parents)[:3]):  # one more where tests run side by side
        parent.chmod(0o755)
    try:
        run_program(READ_ONLY, folder / "traces.db")
    finally:
        folder.chmod(0o755)


@pytest.mark.parametrize("error", [MemoryError("no memory"), ValueError("a circle"), RuntimeError("a bug")])
def test_whatever_the_writer_raises_is_said_and_the_next_run_is_stored(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    store = SQLiteTraceStore(tmp_path / "traces.db")
    store.start(RunRecord(id="first", question="q"))
    store.flush()

    def breaks(self: object, record: StepRecord, bodies: object) -> None:
        raise error

    with monkeypatch.context() as patch:
        patch.setattr("coreact.trace.rows.writing._Rows.step", breaks)
        store.step(StepRecord(run="first", index=0))
        with pytest.raises(StoreError):
            store.flush()
    store.start(RunRecord(id="second", question="q"))
    store.step(StepRecord(run="second", index=0))
    store.flush()
    assert len(store.trajectory("second").steps) == 1
    store.close()


def test_a_slow_disk_makes_the_producer_wait_and_drops_nothing(tmp_path: Path) -> None:
    store = SQLiteTraceStore(tmp_path / "traces.db", queue_bytes=5_000)
    store.start(RunRecord(id="r", question="q"))
    for index in range(300):
        store.step(StepRecord(run="r", index=index))
        assert store._backlog._bytes <= 5_000 + 2_000
    store.close()
    assert len(store.trajectory("r").steps) == 300


# --- processes --------------------------------------------------------------------------------

KILLED = """
import itertools, sys
from coreact.testing import sample_trajectory
from coreact.trace import RunRecord, SQLiteTraceStore
store = SQLiteTraceStore(sys.argv[1])
whole = sample_trajectory(steps=2)
store.start(whole.run)
for index in itertools.count():
    store.step(whole.steps[0].model_copy(update={"index": index}))
    if index % 10 == 9:
        store.flush()
        print(index, flush=True)
"""


def test_after_kill_9_everything_flushed_is_there(tmp_path: Path) -> None:
    path = tmp_path / "traces.db"
    with subprocess.Popen(
        program(KILLED, path), cwd=REPOSITORY, stdout=subprocess.PIPE, text=True
    ) as running:
        assert running.stdout is not None
        flushed = -1
        for line in running.stdout:
            flushed = int(line)
            if flushed >= 199:
                os.kill(running.pid, signal.SIGKILL)
                break
        flushed = max([flushed, *map(int, running.stdout.read().split())])
    assert integrity(path) == "ok"
    store = SQLiteTraceStore(path)
    found = store.trajectory("sample-1")
    assert len(found.steps) > flushed
    assert [step.index for step in found.steps] == list(range(len(found.steps)))
    assert found.end is None
    store.close()


WRITER = """
import sys
from coreact.testing import record_into, sample_trajectory
from coreact.trace import SQLiteTraceStore
store = SQLiteTraceStore(sys.argv[1])
for number in range(5):
    record_into(store, sample_trajectory(f"{sys.argv[2]}-{number}", steps=10))
    store.flush()
store.close()
"""


def test_four_processes_write_one_file(tmp_path: Path) -> None:
    path = tmp_path / "traces.db"
    running = [
        subprocess.Popen([*program(WRITER, path, name)], cwd=REPOSITORY, stderr=subprocess.PIPE, text=True)
        for name in "abcd"
    ]
    for one in running:
        _, complaints = one.communicate(timeout=120)
        assert (one.returncode, complaints) == (0, "")
    store = SQLiteTraceStore(path)
    assert len(store.runs()) == 20
    for name in "abcd":
        for number in range(5):
            expected = sample_trajectory(f"{name}-{number}", steps=10)
            assert store.trajectory(expected.run.id) == expected
    store.close()
    assert integrity(path) == "ok"


AT_EXIT = """
import sys
from coreact.testing import record_into, sample_trajectory
from coreact.trace import SQLiteTraceStore
record_into(SQLiteTraceStore(sys.argv[1]), sample_trajectory())
"""


def test_what_is_not_flushed_is_written_at_exit(tmp_path: Path) -> None:
    run_program(AT_EXIT, tmp_path / "traces.db")
    assert SQLiteTraceStore(tmp_path / "traces.db").trajectory("sample-1") == sample_trajectory()


def test_what_cannot_be_written_at_exit_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    done = run_program(AT_EXIT, tmp_path / "file" / "traces.db")
    assert "TraceWarning" in done.stderr
    assert "Traceback" not in done.stderr


FORKED = """
import os, sys
from coreact.testing import record_into, sample_trajectory
from coreact.trace import SQLiteTraceStore
store = SQLiteTraceStore(sys.argv[1])
record_into(store, sample_trajectory("before"))
store.flush()
store.start(sample_trajectory("pending").run)  # waiting in the parent's queue while it forks
children = []
for name in ("left", "right"):
    child = os.fork()
    if not child:
        assert store._connection is None
        record_into(store, sample_trajectory(name))
        store.flush()
        os._exit(0)
    children.append(child)
record_into(store, sample_trajectory("parent"))
store.flush()
assert [os.waitpid(child, 0)[1] for child in children] == [0, 0]
for name in ("before", "left", "right", "parent"):
    assert store.trajectory(name) == sample_trajectory(name), name
assert store.trajectory("pending").steps == ()
store.close()
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_forked_child_writes_through_a_connection_of_its_own(tmp_path: Path) -> None:
    run_program(FORKED, tmp_path / "traces.db")
    assert integrity(tmp_path / "traces.db") == "ok"
    assert count(tmp_path / "traces.db", "run") == 5


def test_a_closed_store_takes_nothing_more_but_can_be_read(tmp_path: Path) -> None:
    store = SQLiteTraceStore(tmp_path / "traces.db")
    record_into(store, sample_trajectory())
    store.close()
    with pytest.raises(StoreError, match="closed"):
        store.observation(ObservationRecord(run="sample-1", step=0, call_id="c", tool="t", text=""))
    assert store.trajectory("sample-1") == sample_trajectory()


def test_the_end_of_a_run_is_committed_with_full_synchronisation(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    statements: list[str] = []

    def watched(path: Path, *, timeout: float) -> sqlite3.Connection:
        connection = schema.open_to_write(path, timeout=timeout)
        connection.set_trace_callback(statements.append)
        return connection

    monkeypatch.setattr("coreact.trace.sqlite.open_to_write", watched)
    store = SQLiteTraceStore(tmp_path / "traces.db")
    store.start(RunRecord(id="r", question="q"))
    store.flush()
    statements.clear()
    store.step(StepRecord(run="r", index=0))
    store.flush()
    store.end(RunEnd(run="r", status="done"))
    store.flush()
    store.close()
    modes = [one for one in statements if "synchronous" in one or one.startswith(("BEGIN", "COMMIT"))]
    assert modes == [
        "PRAGMA synchronous = NORMAL", "BEGIN IMMEDIATE", "COMMIT",
        "PRAGMA synchronous = FULL", "BEGIN IMMEDIATE", "COMMIT",
    ]  # fmt: skip


# --- advice -----------------------------------------------------------------------------------


@pytest.mark.parametrize(("version", "warned"), [((3, 7, 0), True), ((3, 51, 2), True), ((3, 51, 3), False)])
def test_advice_about_the_version(
    monkeypatch: pytest.MonkeyPatch, version: tuple[int, int, int], warned: bool
) -> None:
    monkeypatch.setattr(sqlite3, "sqlite_version_info", version)
    assert bool(sqlite_advice()) is warned


def test_advice_about_the_place(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(sqlite3, "sqlite_version_info", (3, 99, 0))
    assert sqlite_advice(tmp_path / "traces.db") == []
    monkeypatch.setattr("coreact.trace.advice._file_system", lambda path: "nfs4")
    assert "network file system (nfs4)" in sqlite_advice(tmp_path / "traces.db")[0]
    with pytest.warns(TraceWarning, match="network file system"):
        SQLiteTraceStore(tmp_path / "traces.db")
