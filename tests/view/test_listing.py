"""Filters from addresses, and pages that lose and repeat nothing."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coreact.errors import ConfigError
from coreact.trace import InMemoryTraceStore, RunFilter, RunRecord, SQLiteTraceStore
from coreact.view.listing import facets, filter_of, page_of


@given(st.lists(st.integers(1, 3), max_size=14), st.integers(1, 5))
def test_pages_are_the_list_even_where_runs_start_together(starts: list[int], size: int) -> None:
    store = InMemoryTraceStore()
    for number, start in enumerate(starts):
        store.start(RunRecord(id=f"run-{number:02}", question="q", started_ns=start))
    shown: list[str] = []
    after, after_ns = "", None
    while True:
        page = page_of(store, RunFilter(), after=after, after_ns=after_ns, size=size)
        shown += [one.id for one in page.runs]
        assert len(page.runs) <= size
        if not page.further:
            break
        after, after_ns = page.runs[-1].id, page.runs[-1].started_ns
    assert shown == [one.id for one in store.runs()]


def test_an_address_becomes_a_filter() -> None:
    where = filter_of(
        {"question": " Elbe ", "status": "done", "min_score": "0.5", "tool": "", "rubric": "ab12"}
    )
    assert where == RunFilter(question="Elbe", status="done", min_score=0.5, rubric="coreact.json.1:ab12")
    assert filter_of({}) == RunFilter()


@pytest.mark.parametrize(
    "wrong", [{"status": "good"}, {"min_score": "high"}, {"max_score": "2"}, {"min_score": "nan"}]
)
def test_a_filter_that_cannot_be_is_an_error(wrong: dict[str, str]) -> None:
    with pytest.raises(ConfigError):
        filter_of(wrong)


def test_facets_count_runs(store: SQLiteTraceStore) -> None:
    found = facets(store)
    assert found.agents == [("searcher", 2)]
    assert found.tools == [("search", 2), ("fetch", 1)]
    assert dict(found.evaluators) == {"Ada": 2, "judge-b": 2}
    assert all(count == 1 for _, count in found.rubrics)


def test_a_store_without_a_run_has_an_empty_list(tmp_path: Path) -> None:
    empty = SQLiteTraceStore(tmp_path / "none.db")
    assert page_of(empty, RunFilter()).runs == ()
    assert facets(empty).tools == []
    empty.close()
