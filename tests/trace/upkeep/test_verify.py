"""Whatever is broken in a file is found and named, and a whole file is called whole."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from coreact.errors import StoreError
from coreact.testing import record_into, sample_trajectory
from coreact.trace import Attempt, RunRecord, SQLiteTraceStore, StepRecord
from coreact.trace.upkeep import Problem, verify


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "traces.db"
    store = SQLiteTraceStore(path)
    for name in ("a", "b"):
        record_into(store, sample_trajectory(name))
    store.step(sample_trajectory("a").steps[2])  # decided again
    store.close()
    return path


def test_a_whole_file(path: Path) -> None:
    found = verify(path)
    assert found.whole
    assert (found.runs, found.steps) == (2, 7)
    assert found.contents > 20


@pytest.mark.parametrize(
    ("damage", "where", "what"),
    [
        ("UPDATE blob SET body = x'7b7d' WHERE id = 1", "content 1", "its hash"),
        ("UPDATE blob SET body = x'00' WHERE codec = 'zlib'", "content", "cannot be unpacked"),
        ("DELETE FROM blob WHERE kind = 'question'", "the question of run a", "is missing"),
        ("DELETE FROM blob WHERE kind = 'guidance'", "the guidance of step row", "is missing"),
        ("UPDATE step SET prompt_added = '[1, 999]' WHERE id = 2", "a prompt message of step row 2", "999"),
        ("UPDATE candidate SET message = 998", "an attempt's message of step row 1", "998"),
        ("UPDATE candidate SET feedback = 997 WHERE pos = 1", "an attempt's feedback of step row 1", "997"),
        ("UPDATE observation SET text = 996", "the text of observation row 1", "996"),
        ("UPDATE call SET response = 995", "the response of call row 1", "995"),
        ("DELETE FROM run WHERE id = 'b'", "step row 4", "the run is missing"),
        ("DELETE FROM rubric", "step row 1", "the rubric is missing"),
        ("DELETE FROM evaluator", "judgement row", "the evaluator is missing"),
        ("DELETE FROM step WHERE id = 1", "attempt of step row 1", "the step is missing"),
        ("UPDATE judgment SET supersedes = 'x' WHERE supersedes IS NOT NULL", "judgement row", "supersedes"),
        ("UPDATE step SET prompt_kept = 50 WHERE id = 2", "run a, step 1", "50 messages of a prompt of 2"),
        ("UPDATE candidate SET selected = 1", "run a, step 0", "more than one attempt is selected"),
        ("UPDATE rubric SET threshold = 0.9", "rubric 1", "not what its lock says"),
        ("UPDATE step SET phase = 'noon' WHERE id = 3", "run a", "cannot be read"),
    ],
)  # fmt: skip
def test_damage_is_found_and_named(path: Path, damage: str, where: str, what: str) -> None:
    with closing(sqlite3.connect(path)) as connection, connection:
        assert connection.execute(damage).rowcount
    if "phase" in damage:  # the newest take of a step is the one that is read
        with closing(sqlite3.connect(path)) as connection, connection:
            connection.execute("UPDATE step SET phase = 'noon'")
    found = verify(path)
    assert not found.whole
    named = [problem for problem in found.problems if where in problem.where and what in problem.what]
    assert named, found.problems


def test_a_store_without_rubrics_or_with_nothing_is_whole(tmp_path: Path) -> None:
    store = SQLiteTraceStore(tmp_path / "bare.db")
    store.start(RunRecord(id="r\udc80", question="q"))
    store.step(StepRecord(run="r\udc80", index=0, attempts=(Attempt(index=0, source="first", message={}),)))
    lost = sample_trajectory("r").judgements[0]
    store.judgement(lost.model_copy(update={"step": 77}))
    store.close()
    assert verify(tmp_path / "bare.db", states=True).problems == (
        Problem(where="judgement row 1", what="the run is missing"),
    )


def test_damaged_messages_are_found_by_their_states(tmp_path: Path) -> None:
    store = SQLiteTraceStore(tmp_path / "odd.db")
    store.start(RunRecord(id="r", question="q"))
    store.step(StepRecord(run="r", index=0, state_digest="x", prompt_added=({"type": "nobody"},)))
    store.close()
    assert "cannot be read" in verify(tmp_path / "odd.db", states=True).problems[0].what


def test_a_file_whose_first_writer_was_killed_at_once_is_an_empty_store(tmp_path: Path) -> None:
    path = tmp_path / "begun.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
    assert path.stat().st_size
    assert verify(path).whole
    store = SQLiteTraceStore(path)
    assert store.runs() == ()
    record_into(store, sample_trajectory())
    store.close()
    assert verify(path).runs == 1


def test_looking_changes_nothing(path: Path) -> None:
    before = path.read_bytes()
    verify(path)
    assert path.read_bytes() == before


def test_a_file_that_is_no_store_is_an_error(tmp_path: Path) -> None:
    foreign = tmp_path / "other.db"
    with closing(sqlite3.connect(foreign)) as connection:
        connection.execute("CREATE TABLE run (id TEXT)")
    with pytest.raises(StoreError, match="another application"):
        verify(foreign)
