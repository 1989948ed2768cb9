"""`coreact trace export` as a user runs it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from coreact.cli.trace.exporting import FORMAT_NAMES
from coreact.testing import record_into, sample_trajectory
from coreact.trace import SQLiteTraceStore
from coreact.trace.export import FORMATS


@pytest.fixture
def store(here: Path) -> Path:
    path = here / "traces.db"
    opened = SQLiteTraceStore(path)
    for number in range(4):
        run = sample_trajectory(f"sample-{number}")
        asked = run.run.model_copy(update={"question": f"Question {number}?", "started_ns": number * 10**18})
        record_into(opened, run.model_copy(update={"run": asked}))
    opened.close()
    return path


def test_the_help_names_every_format() -> None:
    assert ", ".join(FORMATS) == FORMAT_NAMES


def test_it_writes_files_and_says_what_was_left_out(store: Path, coreact: Callable[..., Any]) -> None:
    ended = coreact("trace", "export", "--format", "grpo", "--out", "out", "--store", str(store))
    assert ended.code == 0, ended.err
    # Runs of one conversation in one world: all prompts are the same, so they come once.
    assert "out/train.jsonl: 2 rows of 1 runs, 1 tasks" in ended.out
    assert "left out: duplicate 6, no rubric 4" in ended.out
    assert ended.err == ""
    manifest = json.loads(Path("out/manifest.json").read_text())
    assert manifest["command"].startswith("coreact trace export --format grpo --out out")
    assert manifest["store"] == str(store)


def test_filters_splits_and_json(store: Path, coreact: Callable[..., Any]) -> None:
    ended = coreact(
        "trace", "export", "--format", "feedback", "--out", "out", "--store", str(store), "--json",
        "--split", "train=0.5,test=0.5", "--seed", "3", "--question", "QUESTION", "--agent", "searcher",
        "--origin", "coreact", "--status", "done", "--min-score", "0.5", "--max-score", "0.9",
        "--tool", "search",
        "--rubric-lock", "coreact.json.1:", "--judged-by", "Ada", "--since", "2001-01-01", "--until",
        "2060-01-01T00:00+00:00", "--run", "sample-1", "--run", "sample-2", "--run", "sample-3",
    )  # fmt: skip
    assert ended.code == 0, ended.err
    manifest = json.loads(ended.out)
    assert manifest["run_ids"] == ["sample-1", "sample-2"]
    assert set(manifest["splits"]) == {"train", "test"}
    assert manifest["filter"]["agent"] == "searcher"
    assert manifest["settings"]["seed"] == 3


@pytest.mark.parametrize(
    ("options", "remedy"),
    [
        (("--format", "dpoo"), "'dpo'"),
        (("--format", "dpo"), "Judge the runs again"),
        (("--format", "grpo", "--split", "train=2"), "train=0.9,test=0.1"),
        (("--format", "grpo", "--since", "yesterday"), "2026-11-01"),
        (("--format", "grpo", "--since", "9999-12-31T23:59:59-12:00"), "2026-11-01"),
        (("--format", "grpo", "--until", "2300-01-01"), "2026-11-01"),
        (("--format", "atif", "--file", "parquet"), "JSON lines"),
        (("--format", "grpo", "--agent", "nobody"), "coreact trace list"),
    ],
)
def test_errors_say_what_to_do_and_leave_nothing(
    store: Path,
    coreact: Callable[..., Any],
    complaint: Callable[..., str],
    options: tuple[str, ...],
    remedy: str,
) -> None:
    ended = coreact("trace", "export", *options, "--out", "out", "--store", str(store))
    complaint(ended, code=2, remedy=remedy)
    assert not Path("out").exists()
    assert [path.name for path in Path().glob(".out*")] == []


def test_what_is_there_is_not_overwritten(store: Path, coreact: Callable[..., Any], complaint: Any) -> None:
    arguments = ("trace", "export", "--format", "grpo", "--out", "out", "--store", str(store))
    assert coreact(*arguments).code == 0
    before = Path("out/train.jsonl").read_bytes()
    complaint(coreact(*arguments), code=2, remedy="--out")
    assert Path("out/train.jsonl").read_bytes() == before


def test_a_terminal_sees_progress(
    store: Path, coreact: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    ended = coreact("trace", "export", "--format", "grpo", "--out", "out", "--store", str(store))
    assert ended.code == 0
    assert "Exporting" in ended.err
    assert "Exporting" not in ended.out
