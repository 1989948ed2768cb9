"""`coreact trace list` and `coreact trace show` against a real store."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from coreact.cli.trace import trace_app
from coreact.errors import RunNotFoundError, StoreError
from coreact.testing import record_into, sample_trajectory
from coreact.trace import RunRecord, SQLiteTraceStore, Trajectory


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv("COREACT_STORE", raising=False)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "120")
    store = SQLiteTraceStore(".coreact/traces.db")
    record_into(store, sample_trajectory("aaa-1"))
    store.start(RunRecord(id="aab-2", question="Newest?", started_ns=1_800_000_000_000_000_000))
    store.close()
    return tmp_path / ".coreact" / "traces.db"


def coreact_trace(*arguments: str) -> str:
    result = CliRunner().invoke(trace_app, arguments, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


def test_list_shows_the_newest_run_first(path: Path) -> None:
    lines = coreact_trace("list").splitlines()
    assert "aab-2" in lines[1]
    assert "running" in lines[1]
    assert "aaa-1" in lines[2]
    assert "aaa-1" not in coreact_trace("list", "--limit", "1")


def test_list_as_json_is_one_object_a_line(path: Path) -> None:
    found = [json.loads(line) for line in coreact_trace("list", "--json").splitlines()]
    assert [run["id"] for run in found] == ["aab-2", "aaa-1"]
    assert found[1]["score"] == 0.875


def test_show_takes_the_beginning_of_an_id(path: Path) -> None:
    out = coreact_trace("show", "aaa")
    assert "In the Giant Mountains." in out
    assert "message 0" not in out
    assert "message 0" in coreact_trace("show", "aaa", "--prompts")


def test_show_as_json_is_the_whole_trajectory(path: Path) -> None:
    out = coreact_trace("show", "aaa", "--json")
    assert out.isascii()
    assert Trajectory.model_validate_json(out) == sample_trajectory("aaa-1")


def test_another_store_can_be_named(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    moved = path.rename(tmp_path / "moved.db")
    assert "aaa-1" in coreact_trace("list", "--store", str(moved))
    monkeypatch.setenv("COREACT_STORE", str(moved))
    assert "aaa-1" in coreact_trace("list")


def test_reading_changes_nothing(path: Path) -> None:
    before = path.read_bytes()
    coreact_trace("list")
    coreact_trace("show", "aaa")
    assert path.read_bytes() == before


@pytest.mark.parametrize("run", ["aa", "zzz", ""])
def test_an_unknown_or_ambiguous_run(path: Path, run: str) -> None:
    with pytest.raises(RunNotFoundError) as caught:
        coreact_trace("show", run)
    assert caught.value.exit_code == 2
    assert caught.value.remedy


def test_no_store_at_all(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="no trace store") as caught:
        coreact_trace("list", "--store", str(tmp_path / "none.db"))
    assert caught.value.remedy
    assert not (tmp_path / "none.db").exists()


def test_an_empty_store(tmp_path: Path) -> None:
    (tmp_path / "empty.db").touch()
    assert "No runs" in coreact_trace("list", "--store", str(tmp_path / "empty.db"))
