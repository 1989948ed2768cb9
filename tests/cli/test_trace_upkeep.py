"""`coreact trace verify`, `gc` and `merge` as a user meets them."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from typer.testing import CliRunner

from coreact.cli.main import app
from coreact.errors import ConfigError, StoreError
from coreact.testing import record_into, sample_trajectory
from coreact.trace import SQLiteTraceStore


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return filled(tmp_path / "traces.db", "a", "b")


def filled(path: Path, *names: str) -> Path:
    store = SQLiteTraceStore(path)
    for name in names:
        record_into(store, sample_trajectory(name))
    store.close()
    return path


def run(*words: object) -> tuple[int, str]:
    done = CliRunner().invoke(app, ["trace", *map(str, words)])
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done.exit_code, done.output


def test_a_whole_store_is_called_whole(path: Path) -> None:
    code, said = run("verify", "--store", path)
    assert code == 0
    assert "2 runs, 6 steps" in said
    assert "all is whole" in said


def test_damage_ends_with_1_and_is_named(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE blob SET body = x'00' WHERE kind = 'guidance'")
    code, said = run("verify", "--store", path)
    assert code == 1
    assert "not what its hash says" in said
    code, said = run("verify", "--store", path, "--json")
    assert code == 1
    assert json.loads(said)["problems"][0]["where"].startswith("content ")


def test_gc_says_what_would_go_and_then_removes_it(path: Path) -> None:
    code, said = run("gc", "--store", path, "--status", "done", "--dry-run")
    assert (code, "Would remove 2 runs, 6 steps" in said) == (0, True)
    assert len(SQLiteTraceStore(path).runs()) == 2
    code, said = run("gc", "--store", path, "--older-than", "1w", "--agent", "searcher", "--json")
    assert (code, json.loads(said)["runs"]) == (0, 2)
    assert SQLiteTraceStore(path).runs() == ()


def test_gc_without_a_condition_removes_no_run(path: Path) -> None:
    code, said = run("gc", "--store", path)
    assert (code, "Removed 0 runs, 0 steps" in said) == (0, True)
    assert len(SQLiteTraceStore(path).runs()) == 2


def test_an_age_beyond_all_time_removes_nothing(path: Path) -> None:
    code, said = run("gc", "--store", path, "--older-than", "999999w", "--json")
    assert (code, json.loads(said)["runs"]) == (0, 0)


@pytest.mark.parametrize("age", ["soon", "3", "d", "-1d", "1y", "²d"])
def test_an_age_that_is_none_is_refused_before_anything_goes(path: Path, age: str) -> None:
    with pytest.raises(ConfigError, match="is no age"):
        run("gc", "--store", path, f"--older-than={age}")
    assert len(SQLiteTraceStore(path).runs()) == 2


def test_merge_adds_names_what_differs_and_ends_with_1(path: Path, tmp_path: Path) -> None:
    into = filled(tmp_path / "into.db", "b")
    code, said = run("merge", path, "--store", into, "--json")
    assert (code, json.loads(said)["results"][str(path)]["added"]) == (0, 1)
    store = SQLiteTraceStore(tmp_path / "other.db")
    record_into(store, sample_trajectory("a", steps=1))
    store.close()
    code, said = run("merge", path, tmp_path / "other.db", "--store", into)
    assert code == 1
    assert "a differs" in said


def test_a_missing_or_equal_source_is_refused_before_anything_is_written(path: Path, tmp_path: Path) -> None:
    into = tmp_path / "new.db"
    with pytest.raises(StoreError, match="no trace store"):
        run("merge", path, tmp_path / "none.db", "--store", into)
    with pytest.raises(ConfigError, match="into itself"):
        run("merge", path, "--store", path)
    assert not into.exists()
