"""Figures of many runs, held against counting by hand."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterator
from statistics import fmean

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coreact.judge import Cost, Status, Verdict, judgement
from coreact.rubric import Action, Criterion, Rubric, ToolCall
from coreact.testing import record_into, sample_trajectory
from coreact.trace import (
    Attempt,
    InMemoryTraceStore,
    RunEnd,
    RunFilter,
    RunRecord,
    StepRecord,
    Trajectory,
)
from coreact.trace.stats import TraceStats, stats
from coreact.trace.stats.counting import MOST_CRITERIA

RUBRIC = Rubric(criteria=(Criterion(id="a", text="Name the river"),))


def test_the_figures_of_a_sample() -> None:
    found = stats([sample_trajectory("one"), sample_trajectory("two", steps=1)])
    assert found.runs == 2
    assert found.by_status == {"done": 2}
    assert found.by_agent == {"searcher": 2}
    assert found.by_origin == {"coreact": 2}
    assert (found.steps, found.guided, found.failed_steps) == (4, 3, 1)
    assert found.attempts == {"first": 4, "retry": 4}
    assert found.judged_attempts == 8
    assert found.rejected == {"check": 4}
    assert found.rejection_rate == 0.5
    assert found.dispositions == {"answered": 2, "run": 2}
    assert found.statuses == {"met": 4, "not_applicable": 4, "partial": 4, "unknown": 4, "unmet": 4}
    assert found.faults == {"rate_limit": 4}
    assert found.unknown_rate == found.fault_rate == 0.25
    assert (found.run_scores.n, found.run_scores.mean) == (2, 0.875)
    assert found.step_scores.n == 0
    assert found.step_scores.mean is None
    assert found.generators == {"heuristic 1": 3}
    assert found.rungs == {"judge": 4}
    assert found.cost == Cost(calls=8, input_tokens=800, output_tokens=56, seconds=6.0)
    (search,) = found.tools
    assert (search.tool, search.calls, search.failed, search.blocked, search.seconds) == (
        "search",
        4,
        2,
        0,
        1.0,
    )
    assert [(one.evaluator.name, one.judgements, one.runs) for one in found.evaluators] == [
        ("Ada", 2, 2),
        ("judge-b", 2, 2),
    ], "superseded ones do not count"
    first = next(one for one in found.criteria if one.criterion == "c2")
    assert (first.statuses, first.credit) == ({"partial": 4}, 0.5)
    assert TraceStats.model_validate_json(found.model_dump_json()) == found


def test_nothing_is_nothing() -> None:
    found = stats([])
    assert found.runs == found.steps == 0
    assert found.first_ns is found.rejection_rate is found.unknown_rate is found.fault_rate is None
    assert found.criteria == found.tools == ()


def a_run(*scored: Status, rubric: Rubric = RUBRIC, run_id: str = "run") -> Trajectory:
    steps = [
        StepRecord(
            run=run_id,
            index=at,
            rubric=rubric,
            generator="g",
            attempts=(
                Attempt(
                    index=0,
                    source="first",
                    message={},
                    actions=(Action(call=ToolCall(name="search")),),
                    judgements=(
                        judgement(
                            rubric, [Verdict(criterion=one.id, reason="so", status=status) for one in rubric]
                        ),
                    ),
                    selected=True,
                ),
            ),
        )
        for at, status in enumerate(scored)
    ]
    return Trajectory(
        run=RunRecord(id=run_id, question="?", started_ns=5),
        steps=tuple(steps),
        end=RunEnd(run=run_id, status="done", score=None),
    )


@given(st.lists(st.lists(st.sampled_from(["met", "partial", "unmet", "unknown"]), max_size=5), max_size=8))
def test_scores_are_spread_as_they_are(runs: list[list[Status]]) -> None:
    found = stats(a_run(*own) for own in runs)
    credit = {"met": 1.0, "partial": 0.5, "unmet": 0.0}
    scores = sorted(credit[one] for own in runs for one in own if one != "unknown")
    assert found.step_scores.n == len(scores)
    if scores:
        assert found.step_scores.mean == pytest.approx(fmean(scores))
        for share, value in found.step_scores.quantiles.items():
            assert value == next(x for x in scores if sum(y <= x for y in scores) >= share * len(scores))


def test_the_text_of_a_criterion_stands_where_it_is_one() -> None:
    other = Rubric(criteria=(Criterion(id="a", text="Name the lake"),))
    assert stats([a_run("met"), a_run("unmet")]).criteria[0].text == "Name the river"
    (one,) = stats([a_run("met"), a_run("unmet", rubric=other), a_run("met")]).criteria
    assert (one.text, one.statuses) == ("", {"met": 2, "unmet": 1})


def test_a_run_that_goes_on_and_a_step_without_anything() -> None:
    whole = Trajectory(run=RunRecord(id="x", question="?"), steps=(StepRecord(run="x", index=0),))
    found = stats([whole])
    assert found.by_status == {"running": 1}
    assert (found.steps, found.guided, found.judged_attempts) == (1, 0, 0)


def test_only_the_runs_that_are_meant() -> None:
    store = InMemoryTraceStore()
    for name in ("one", "two"):
        record_into(store, sample_trajectory(name))
    assert stats(store.trajectories(RunFilter(ids=("two",)))).runs == 1


def test_memory_does_not_grow_with_the_runs() -> None:
    def many(count: int) -> Iterator[Trajectory]:
        base = a_run("met", "unmet")
        for at in range(count):
            yield base.model_copy(update={"run": base.run.model_copy(update={"id": str(at)})})

    def most(count: int) -> int:
        tracemalloc.start()
        stats(many(count))
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return peak

    most(10)  # what is made once
    assert most(3_000) < 2 * most(100) + 20_000


def test_criteria_without_end_are_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    assert MOST_CRITERIA >= 1_000
    monkeypatch.setattr("coreact.trace.stats.counting.MOST_CRITERIA", 3)
    rubrics = [Rubric(criteria=(Criterion(id=f"c{at}", text="Do it"),)) for at in range(5)]
    found = stats(a_run("met", rubric=rubric) for rubric in rubrics)
    assert len(found.criteria) == 3
    assert found.statuses == {"met": 5}
