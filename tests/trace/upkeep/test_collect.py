"""What may go goes, what is referred to stays, and a writer notices."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from coreact.testing import record_into, sample_trajectory
from coreact.trace import RunFilter, RunRecord, SQLiteTraceStore, StepRecord, Trajectory
from coreact.trace.upkeep import collect, verify


def counts(path: Path) -> dict[str, int]:
    tables = ("run", "step", "candidate", "judgment", "observation", "call", "blob", "rubric", "evaluator")
    with closing(sqlite3.connect(path)) as connection:
        return {one: connection.execute(f"SELECT count(*) FROM {one}").fetchone()[0] for one in tables}


def stored(path: Path, *names: str) -> list[Trajectory]:
    store = SQLiteTraceStore(path)
    for name in names:
        record_into(store, sample_trajectory(name))
    store.close()
    return [store.trajectory(name) for name in names]


def test_nothing_goes_from_a_file_in_which_all_is_used(tmp_path: Path) -> None:
    path = tmp_path / "traces.db"
    [before] = stored(path, "a")
    there = counts(path)
    gone = collect(path)
    assert (gone.runs, gone.steps, gone.contents, gone.rubrics) == (0, 0, 0, 0)
    assert counts(path) == there
    assert SQLiteTraceStore(path).trajectory("a") == before


def test_a_removed_run_leaves_nothing_and_takes_nothing_along(tmp_path: Path) -> None:
    path, alone = tmp_path / "traces.db", tmp_path / "alone.db"
    [_, kept] = stored(path, "a", "b")
    stored(alone, "b")
    gone = collect(path, runs=RunFilter(ids=("a",)))
    assert (gone.runs, gone.steps) == (1, 3)
    assert gone.bytes_after < gone.bytes_before
    assert gone.compacted
    assert counts(path) == counts(alone)
    assert SQLiteTraceStore(path).trajectory("b") == kept
    assert verify(path).whole


def test_a_trial_counts_and_removes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "traces.db"
    stored(path, "a", "b")
    there = counts(path)
    trial = collect(path, runs=RunFilter(), trial=True)
    assert (trial.runs, trial.steps, trial.contents) == (2, 6, there["blob"])
    assert counts(path) == there


def test_what_was_taken_back_goes_and_what_stands_is_read_as_before(tmp_path: Path) -> None:
    path = tmp_path / "traces.db"
    store = SQLiteTraceStore(path)
    whole = sample_trajectory("a", steps=4)
    record_into(store, whole)
    store.step(whole.steps[1].model_copy(update={"state_digest": "again"}))
    store.observation(whole.observations[2])
    store.close()
    before = store.trajectory("a")
    gone = collect(path)
    assert gone.steps == 3
    assert store.trajectory("a") == before
    # A later decision still takes back what came before it, though the newest rows are gone.
    store = SQLiteTraceStore(path)
    store.step(whole.steps[0])
    assert store.trajectory("a").observations == ()
    assert [step.index for step in store.trajectory("a").steps] == [0]
    store.close()


def test_rows_count_on_past_what_was_removed(tmp_path: Path) -> None:
    path = tmp_path / "traces.db"
    [early] = stored(path, "early")
    stored(path, "late")
    store = SQLiteTraceStore(path)
    store.observation(early.observations[0].model_copy(update={"step": 1, "call_id": "after the late run"}))
    store.close()
    collect(path, runs=RunFilter(ids=("late",)))
    store = SQLiteTraceStore(path)
    store.step(early.steps[1])
    assert "after the late run" not in {seen.call_id for seen in store.trajectory("early").observations}
    store.close()


def test_a_writer_that_lives_on_does_not_refer_to_what_is_gone(tmp_path: Path) -> None:
    path = tmp_path / "traces.db"
    store = SQLiteTraceStore(path)
    whole = sample_trajectory("a")
    record_into(store, whole)
    store.flush()
    collect(path, runs=RunFilter(ids=("a",)))
    again = sample_trajectory("again")  # the same content, which the writer still remembers
    record_into(store, again)
    store.flush()
    assert store.trajectory("again") == again
    store.close()
    assert verify(path).whole


def test_what_a_removed_run_goes_on_to_record_goes_the_next_time(tmp_path: Path) -> None:
    path = tmp_path / "traces.db"
    store = SQLiteTraceStore(path)
    whole = sample_trajectory("a")
    store.start(whole.run)
    store.step(whole.steps[0])
    store.flush()
    collect(path, runs=RunFilter())
    store.step(whole.steps[1])
    store.observation(whole.observations[2])
    store.judgement(whole.judgements[0])
    store.close()
    collect(path)
    assert set(counts(path).values()) == {0}
    assert verify(path).whole


def test_a_run_that_is_removed_while_runs_are_read_is_left_out(tmp_path: Path) -> None:
    path = tmp_path / "traces.db"
    stored(path, "a", "b", "c")
    reading = SQLiteTraceStore(path).trajectories()
    seen = [next(reading).run.id]
    collect(path, runs=RunFilter(ids=("b",)))
    assert seen + [one.run.id for one in reading] == ["a", "c"]


@pytest.mark.parametrize("reading", [False, True])
def test_a_reader_does_not_stop_it(tmp_path: Path, reading: bool) -> None:
    path = tmp_path / "traces.db"
    stored(path, "a")
    with closing(sqlite3.connect(path, isolation_level=None)) as reader:
        if reading:
            reader.execute("BEGIN")
            reader.execute("SELECT count(*) FROM run").fetchone()
        gone = collect(path, runs=RunFilter(ids=("a",)))
    assert gone.runs == 1
    assert gone.compacted is not reading
    assert SQLiteTraceStore(path).runs() == ()


def test_a_fork_is_readable_without_its_parent(tmp_path: Path) -> None:
    path = tmp_path / "traces.db"
    store = SQLiteTraceStore(path)
    prefix = tuple({"type": "human", "data": {"content": f"message {number}"}} for number in range(5))
    store.start(RunRecord(id="parent", question="q"))
    store.step(StepRecord(run="parent", index=0, prompt_added=prefix))
    store.start(RunRecord(id="fork", question="q", parent="parent", forked_at=3))
    store.step(StepRecord(run="fork", index=3, prompt_added=prefix))
    store.close()
    collect(path, runs=RunFilter(ids=("parent",)))
    assert SQLiteTraceStore(path).trajectory("fork").prompt(3) == prefix
