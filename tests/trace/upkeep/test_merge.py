"""Stores become one; a run is never mixed with another version of itself."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from coreact.testing import record_into, sample_trajectory
from coreact.trace import InMemoryTraceStore, RunFilter, SQLiteTraceStore, TraceStore
from coreact.trace.upkeep import Merged, merge


@pytest.fixture(params=["memory", "sqlite"])
def fresh(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[str], TraceStore]:
    if request.param == "memory":
        return lambda name: InMemoryTraceStore()
    return lambda name: SQLiteTraceStore(tmp_path / f"{name}.db")


def filled(store: TraceStore, *names: str) -> TraceStore:
    for name in names:
        record_into(store, sample_trajectory(name))
    return store


def test_runs_come_over_whole_and_twice_is_once(fresh: Callable[[str], TraceStore]) -> None:
    into, source = filled(fresh("into"), "a"), filled(fresh("source"), "a", "b", "c")
    assert merge(into, source) == Merged(added=2, known=1)
    assert merge(into, source) == Merged(known=3)
    for name in ("a", "b", "c"):
        assert into.trajectory(name) == sample_trajectory(name)
    assert merge(fresh("some"), source, where=RunFilter(ids=("c",))) == Merged(added=1)
    into.close()
    source.close()


def test_a_run_that_differs_is_named_and_left_alone(fresh: Callable[[str], TraceStore]) -> None:
    into, source = filled(fresh("into"), "a"), fresh("source")
    other = sample_trajectory("a", steps=2)
    record_into(source, other)
    assert merge(into, source) == Merged(differing=("a",))
    assert into.trajectory("a") == sample_trajectory("a")
    into.close()
    source.close()


def test_an_interrupted_merge_is_finished_by_the_next_one(fresh: Callable[[str], TraceStore]) -> None:
    into, source = fresh("into"), filled(fresh("source"), "a")
    whole = sample_trajectory("a")
    into.start(whole.run)
    into.step(whole.steps[0])
    assert merge(into, source) == Merged(added=1)
    assert into.trajectory("a") == whole
    assert merge(into, source) == Merged(known=1)
    into.close()
    source.close()


def test_judgements_made_elsewhere_come_over(fresh: Callable[[str], TraceStore]) -> None:
    into, source = filled(fresh("into"), "a"), filled(fresh("source"), "a")
    more = sample_trajectory("a").judgements[0].model_copy(update={"id": "more", "note": "seen again"})
    source.judgement(more)
    assert merge(into, source) == Merged(judged=1)
    assert [one.id for one in into.trajectory("a").judgements] == ["a-j1", "a-j2", "a-j3", "more"]
    into.close()
    source.close()


def test_an_id_that_begins_like_another_is_not_that_run(fresh: Callable[[str], TraceStore]) -> None:
    into, source = filled(fresh("into"), "run-10"), filled(fresh("source"), "run-1")
    assert merge(into, source) == Merged(added=1)
    into.close()
    source.close()
