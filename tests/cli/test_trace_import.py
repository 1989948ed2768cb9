"""`coreact trace import` against real files and a real store."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from coreact.cli.trace import trace_app
from coreact.errors import ConfigError, TraceFileError
from coreact.trace import SQLiteTraceStore
from coreact.trace.importing import read_traces
from coreact.trace.recording import record_trajectory


def conversation(text: str) -> dict[str, Any]:
    call = {"id": "c1", "function": {"name": "search", "arguments": {"query": text}}}
    return {
        "messages": [
            {"role": "user", "content": text},
            {"role": "assistant", "content": "", "tool_calls": [call]},
            {"role": "tool", "tool_call_id": "c1", "content": "found"},
            {"role": "assistant", "content": "answer"},
        ]
    }


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv("COREACT_STORE", raising=False)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "120")
    return tmp_path


def write(name: str, *values: Any, end: str = "\n") -> str:
    lines = [value if isinstance(value, str) else json.dumps(value) for value in values]
    Path(name).write_text("\n".join(lines) + end, encoding="utf-8")
    return name


def run(*arguments: str) -> Any:
    return CliRunner().invoke(trace_app, ["import", *arguments], catch_exceptions=False)


def stored() -> list[str]:
    if not Path(".coreact/traces.db").exists():
        return []
    store = SQLiteTraceStore(".coreact/traces.db")
    try:
        return [one.question for one in store.runs()]
    finally:
        store.close()


def test_a_file_is_imported_and_again_changes_nothing() -> None:
    name = write("t.jsonl", conversation("one"), conversation("two"))
    result = run(name)
    assert result.exit_code == 0
    assert result.output.strip() == "t.jsonl: imported 2 runs, 4 steps."
    assert stored() == ["two", "one"]
    before = sorted(Path(".coreact").rglob("*"))
    result = run(name)
    assert result.exit_code == 0
    assert result.output.strip() == "t.jsonl: imported 0 runs, 0 steps; 2 already there."
    assert stored() == ["two", "one"]
    assert sorted(Path(".coreact").rglob("*")) == before


def test_what_is_new_in_a_grown_file_is_added() -> None:
    run(write("t.jsonl", conversation("one")))
    result = run(write("t.jsonl", conversation("one"), conversation("two")))
    assert result.output.strip() == "t.jsonl: imported 1 run, 2 steps; 1 already there."
    assert stored() == ["two", "one"]


def test_later_judgements_survive_another_import() -> None:
    from coreact.testing import sample_trajectory

    name = write("t.jsonl", conversation("one"))
    run(name)
    store = SQLiteTraceStore(".coreact/traces.db")
    (ident,) = [one.id for one in store.runs()]
    later = (
        sample_trajectory().judgements[0].model_copy(update={"run": ident, "attempt": 0, "judged_ns": None})
    )
    store.judgement(later)
    store.flush()
    before = store.trajectory(ident)
    store.close()
    run(name)
    store = SQLiteTraceStore(".coreact/traces.db")
    assert store.trajectory(ident) == before
    assert store.trajectory(ident).judgements == (later,)
    store.close()


def test_an_import_that_was_killed_is_finished() -> None:
    name = write("t.jsonl", conversation("one"))
    (whole,) = read_traces(name).trajectories
    store = SQLiteTraceStore(".coreact/traces.db")
    record_trajectory(
        store, whole.model_copy(update={"end": None, "steps": whole.steps[:1], "observations": ()})
    )
    store.close()
    assert run(name).output.strip() == "t.jsonl: imported 0 runs, 2 steps; 1 completed."
    store = SQLiteTraceStore(".coreact/traces.db")
    assert store.trajectory(whole.run.id) == whole
    store.close()


def test_nothing_is_stored_where_one_file_is_broken() -> None:
    good = write("good.jsonl", conversation("one"))
    bad = write("bad.jsonl", conversation("two"), '{"messages"', conversation("three"))
    with pytest.raises(TraceFileError, match=r"bad\.jsonl, line 2") as caught:
        run(good, bad)
    assert caught.value.exit_code == 2
    assert stored() == []
    assert not Path(".coreact").exists()
    result = run(good, bad, "--skip-broken")
    assert "bad.jsonl: imported 2 runs, 4 steps; 1 left out:" in result.output
    assert "line 2: broken: no valid JSON" in result.output
    assert len(stored()) == 3


def test_a_torn_line_is_said() -> None:
    name = write("t.jsonl", conversation("one"), '{"messages": [', end="")
    assert "1 left out:\n  line 2: the last line is torn" in run(name).output


def test_a_dry_run_stores_nothing() -> None:
    name = write("t.jsonl", conversation("one"))
    assert run(name, "--dry-run").output.strip() == "t.jsonl: would import 1 run, 2 steps."
    assert not Path(".coreact").exists()
    run(name)
    write("t.jsonl", conversation("one"), conversation("two"))
    assert "would import 1 run, 2 steps; 1 already there." in run(name, "--dry-run").output
    assert stored() == ["one"]


def test_json_is_one_object() -> None:
    stray = conversation("\x1b[31m")
    stray["messages"][2]["tool_call_id"] = "x"
    name = write("t.jsonl", conversation("one"), stray)
    result = run(name, "--json")
    told = json.loads(result.output)
    (report,) = told["files"]
    assert (told["dry_run"], told["store"]) == (False, ".coreact/traces.db")
    assert {key: report[key] for key in ("file", "imported", "already", "steps")} == {
        "file": "t.jsonl", "imported": 1, "already": 0, "steps": 2,
    }  # fmt: skip
    assert [left["where"] for left in report["left_out"]] == ["line 2, from turn 1"]


def test_where_nothing_could_be_imported_the_command_fails() -> None:
    stray = {"messages": [{"role": "user", "content": "?"}, {"role": "robot", "content": "!"}]}
    result = run(write("t.jsonl", stray))
    assert result.exit_code == 2
    assert "imported 0 runs, 0 steps; 1 left out:" in result.output
    assert not Path(".coreact").exists()


def test_many_reasons_are_cut_and_hostile_text_is_cleaned() -> None:
    stray = [{"messages": [{"role": f"\x1b[31m{number}", "content": "?"}]} for number in range(30)]
    output = run(write("t.jsonl", conversation("one"), *stray)).output
    assert "30 left out:" in output
    assert "… and 20 more; --json shows all." in output
    assert "\x1b" not in output


def test_a_format_that_is_not_there() -> None:
    with pytest.raises(ConfigError, match="no trace format 'sharegpt'"):
        run(write("t.jsonl", conversation("one")), "--format", "sharegpt")


def test_another_store_can_be_named(here: Path) -> None:
    run(write("t.jsonl", conversation("one")), "--store", str(here / "other.db"))
    assert (here / "other.db").exists()
    assert stored() == []


def test_the_help_names_the_formats_that_there_are() -> None:
    from typing import get_args

    from coreact.cli.trace.importing import _FORMATS
    from coreact.trace.importing import TraceFormat

    assert get_args(TraceFormat) == _FORMATS
