"""`coreact trace diff` and `coreact trace stats` against a real store."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from coreact.testing import record_into, sample_trajectory
from coreact.trace import SQLiteTraceStore, Trajectory
from coreact.trace.diff import TrajectoryDiff, diff
from coreact.trace.stats import TraceStats, stats

Coreact = Callable[..., Any]
Complaint = Callable[..., str]


def other() -> Trajectory:
    """The sample, forked from itself, with another call in its second step and another answer."""
    whole = sample_trajectory("bbb-2")
    step = whole.steps[1]
    chosen = step.attempts[1]
    action = chosen.actions[0]
    assert action.call is not None
    call = action.call.model_copy(update={"arguments": {"query": "[bold]Oder[/bold] \x1b[31msource"}})
    attempts = (
        step.attempts[0],
        chosen.model_copy(update={"actions": (action.model_copy(update={"call": call}),)}),
    )
    steps = (whole.steps[0], step.model_copy(update={"attempts": attempts}), whole.steps[2])
    assert whole.end is not None
    return whole.model_copy(
        update={
            "run": whole.run.model_copy(update={"parent": "aaa-1", "forked_at": 1, "agent": "digger"}),
            "steps": steps,
            "end": whole.end.model_copy(update={"answer": "Nowhere."}),
        }
    )


@pytest.fixture
def store(here: Path) -> SQLiteTraceStore:
    opened = SQLiteTraceStore(".coreact/traces.db")
    record_into(opened, sample_trajectory("aaa-1"))
    record_into(opened, other())
    opened.close()
    return opened


def test_runs_are_shown_side_by_side(coreact: Coreact, store: SQLiteTraceStore) -> None:
    ended = coreact("trace", "diff", "aaa", "bbb")
    assert ended.code == 0, ended.err
    assert "2 actions in common, 1 steps by descent" in ended.out
    assert "they part at @1: action" in ended.out
    assert "search(query='[bold]Oder[/bold] " in ended.out
    assert "\x1b" not in ended.out
    assert "@0 same" in ended.out
    assert "copied" in ended.out
    assert "Nowhere." in ended.out
    assert "from aaa-1@1" in ended.out


def test_the_whole_comparison_as_json(coreact: Coreact, store: SQLiteTraceStore) -> None:
    out = coreact("trace", "diff", "aaa", "bbb", "aaa", "--json").out
    runs = [store.trajectory(name) for name in ("aaa-1", "bbb-2", "aaa-1")]
    assert TrajectoryDiff.model_validate_json(out) == diff(*runs)


def test_one_run_as_two_evaluators_see_it(coreact: Coreact, store: SQLiteTraceStore) -> None:
    out = coreact("trace", "diff", "aaa", "--by", "Ada", "--json").out
    assert [column["judged_by"] for column in json.loads(out)["columns"]] == [None, "Ada"]
    out = coreact("trace", "diff", "aaa", "--by", "Ada", "--by", "judge-b", "--json").out
    assert [column["judged_by"] for column in json.loads(out)["columns"]] == ["Ada", "judge-b"]
    out = coreact("trace", "diff", "aaa", "bbb", "--by", "Ada", "--json").out
    assert [column["judged_by"] for column in json.loads(out)["columns"]] == ["Ada", "Ada"]
    assert "Ada" in coreact("trace", "diff", "aaa", "--by", "Ada").out


@pytest.mark.parametrize(
    ("arguments", "remedy"),
    [
        (("aaa",), "at least two runs"),
        (("aaa", "zzz"), "coreact trace list"),
        (("aaa", "--by", "Eve"), "Ada, judge-b"),
        (("aaa", "bbb", "aaa", "--by", "Ada", "--by", "Ada"), "one for each"),
    ],
)
def test_what_cannot_be_compared_is_told(
    coreact: Coreact,
    store: SQLiteTraceStore,
    complaint: Complaint,
    arguments: tuple[str, ...],
    remedy: str,
) -> None:
    complaint(coreact("trace", "diff", *arguments), code=2, remedy=remedy)


def test_stats_of_all_runs(coreact: Coreact, store: SQLiteTraceStore) -> None:
    ended = coreact("trace", "stats")
    assert ended.code == 0, ended.err
    for told in (
        "2  done 2",
        "digger 1, searcher 1",
        "rejected by",
        "check 6",
        "judge-b",
        "search",
        "25%: 0.88",
    ):
        assert told in ended.out, told


def test_stats_as_json_of_the_runs_that_are_meant(coreact: Coreact, store: SQLiteTraceStore) -> None:
    found = TraceStats.model_validate_json(coreact("trace", "stats", "--json").out)
    assert found == stats(store.trajectories())
    one = coreact("trace", "stats", "--agent", "digger", "--min-score", "0.5", "--json").out
    assert TraceStats.model_validate_json(one) == stats([store.trajectory("bbb-2")])


def test_stats_of_nothing(coreact: Coreact, store: SQLiteTraceStore, complaint: Complaint) -> None:
    assert "No such runs" in coreact("trace", "stats", "--tool", "none").out
    complaint(coreact("trace", "stats", "--since", "soon"), code=2, remedy="2026-11-01")
    complaint(coreact("trace", "stats", "--store", "none.db"), code=1, remedy="COREACT_STORE")
