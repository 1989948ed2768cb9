"""Both stores against the conformance suite, against arbitrary records, and against each other."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from coreact.judge import Cost, Evidence, Judgement, Verdict
from coreact.judge.records import Cause, Status
from coreact.rubric import Action, ArgumentEquals, ArgumentInRange, Criterion, Rubric, ToolCall, UnknownCheck
from coreact.testing import STORE_CHECKS, check_store, record_into
from coreact.trace import (
    Attempt,
    InMemoryTraceStore,
    ObservationRecord,
    RunEnd,
    RunRecord,
    SQLiteTraceStore,
    StepRecord,
    TraceStore,
    Trajectory,
    summarize,
)

Factory = Callable[[], TraceStore]
ANY_EXAMPLE = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large]


@pytest.fixture(params=["memory", "sqlite"])
def factory(request: pytest.FixtureRequest, tmp_path: Path) -> Factory:
    if request.param == "memory":
        return InMemoryTraceStore
    numbers = itertools.count()
    return lambda: SQLiteTraceStore(tmp_path / f"{next(numbers)}.db")


@pytest.mark.parametrize("check", STORE_CHECKS, ids=lambda check: check.__name__)
def test_conformance(check: Callable[[Factory], None], factory: Factory) -> None:
    check(factory)


def test_both_are_trace_stores(factory: Factory) -> None:
    store = factory()
    assert isinstance(store, TraceStore)
    store.close()


class _Forgetful(InMemoryTraceStore):
    def observation(self, record: ObservationRecord, /) -> None:
        pass


class _Aliasing(InMemoryTraceStore):
    def step(self, record: StepRecord, /) -> None:
        self._of(record.run).steps[record.index] = record


@pytest.mark.parametrize("broken", [_Forgetful, _Aliasing])
def test_the_suite_finds_broken_stores(broken: Factory) -> None:
    with pytest.raises(AssertionError, match="expected"):
        check_store(broken)


# --- arbitrary records ------------------------------------------------------------------------

texts = st.text(st.characters(), max_size=12) | st.sampled_from(
    ["", "\ud800", "\ud83d\ude00", "\x00hex:1", "é"]
)
counts = st.integers(0, 2**63 - 1)
amounts = st.floats(0, allow_nan=False, allow_infinity=False)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=6,
)
dicts = st.dictionaries(texts, values, max_size=3)
costs = st.builds(
    Cost, calls=counts, input_tokens=counts, output_tokens=counts, seconds=amounts, usd=st.none() | amounts
)
later_checks = st.builds(
    lambda extra, kind: UnknownCheck.model_validate({**extra, "kind": f"later_{kind}"}),
    st.dictionaries(st.text(min_size=1, max_size=5).map(lambda name: f"x{name}"), values, max_size=3),
    st.text(max_size=5),
)
checks = (
    st.none()
    | later_checks
    | st.builds(ArgumentEquals, argument=texts, value=values)
    | st.builds(ArgumentInRange, argument=texts, minimum=st.none() | st.floats(allow_nan=False))
)
places = st.none() | st.integers(0, 2**40)
evidence = st.builds(Evidence, message_id=texts, quote=texts, start=places, end=places)
statuses = st.sampled_from(get_args(Status))
verdicts = st.builds(
    lambda status, fault, **rest: Verdict(
        status="unknown" if fault == "instrument" else status, fault=fault, **rest
    ),
    criterion=texts,
    reason=texts,
    status=statuses,
    evidence=st.lists(evidence, max_size=2).map(tuple),
    decided_by=texts,
    fault=st.sampled_from(["none", "model", "instrument"]),
    cause=st.none() | st.sampled_from(get_args(Cause)),
    claimed=st.none() | statuses,
    confidence=st.none() | st.floats(0, 1),
)
judgements = st.builds(
    lambda judged, more, **rest: Judgement(judged=judged, total=judged + more, **rest),
    judged=st.integers(0, 50),
    more=st.integers(0, 50),
    rubric=texts,
    verdicts=st.lists(verdicts, max_size=3).map(tuple),
    score=st.none() | st.floats(0, 1),
    passed=st.none() | st.booleans(),
    cost=costs,
)
actions = st.builds(Action, answer=texts) | st.builds(
    Action, call=st.builds(ToolCall, name=texts, arguments=dicts, id=texts, malformed=st.none() | texts)
)
attempts = st.builds(
    Attempt,
    index=st.integers(0, 9),
    source=st.sampled_from(["first", "retry", "candidate"]),
    message=dicts,
    actions=st.lists(actions, max_size=2).map(tuple),
    judgements=st.lists(judgements, max_size=2).map(tuple),
    selected=st.booleans(),
    rejected_by=st.none() | texts,
    reason=texts,
    cost=costs,
)


@st.composite
def rubrics(draw: st.DrawFn) -> Rubric:
    ids = draw(st.lists(st.text(min_size=1, max_size=9), min_size=1, max_size=4, unique=True))
    return Rubric(
        criteria=tuple(
            Criterion(
                id=name,
                text=draw(st.text(max_size=12).map(lambda text: f"Do {text}")),
                weight=draw(st.floats(1e-300, 1e300)),
                polarity=draw(st.sampled_from(["require", "forbid"])),
                kind=draw(st.sampled_from(["hard", "fact", "safety"])),
                stage=draw(st.none() | texts),
                visibility=draw(st.sampled_from(["policy", "judge_only"])),
                check=draw(checks),
                veto=draw(st.booleans()),
                depends_on=tuple(ids[:number]) if draw(st.booleans()) else (),
            )
            for number, name in enumerate(ids)
        ),
        scope=draw(st.sampled_from(["step", "answer", "trajectory"])),
        threshold=draw(st.floats(0, 1)),
    )


@st.composite
def trajectories(draw: st.DrawFn) -> Trajectory:
    run = draw(
        st.builds(
            RunRecord,
            id=texts.filter(bool),
            question=texts,
            agent=texts,
            thread_id=st.none() | texts,
            settings=dicts,
            seed=st.none() | st.integers(),
            parent=st.none() | texts,
            forked_at=st.none() | st.integers(0, 99),
            version=texts,
            started_ns=counts,
        )
    )
    steps = tuple(
        draw(
            st.builds(
                StepRecord,
                run=st.just(run.id),
                index=st.just(index),
                node=texts,
                phase=st.sampled_from(["early", "middle", "late"]),
                rung=st.sampled_from(["panel", "judge", "checks", "plain"]),
                state_digest=texts,
                rubric=st.none() | rubrics(),
                generator=texts,
                guidance=texts,
                prompt_kept=st.integers(0, 99),
                prompt_added=st.lists(dicts, max_size=3).map(tuple),
                attempts=st.lists(attempts, max_size=2).map(tuple),
                dispositions=st.lists(st.sampled_from(["run", "blocked", "asked"]), max_size=2).map(tuple),
                error=st.none() | texts,
                checkpoint_id=st.none() | texts,
                checkpoint_ns=st.none() | texts,
                cost=costs.filter(lambda cost: cost.tokens < 2**50),
                at_ns=counts,
            )
        )
        for index in sorted(draw(st.sets(st.integers(0, 400), max_size=2)))
    )
    observations = tuple(
        draw(
            st.builds(
                ObservationRecord,
                run=st.just(run.id),
                step=st.just(step.index),
                call_id=texts,
                tool=texts,
                text=texts | texts.map(lambda text: text * 800),
                failed=st.booleans(),
                blocked=st.booleans(),
                seconds=amounts,
                at_ns=counts,
            )
        )
        for step in steps
        if draw(st.booleans())
    )
    end = draw(
        st.none()
        | st.builds(
            RunEnd,
            run=st.just(run.id),
            status=st.sampled_from(["running", "done", "interrupted", "failed"]),
            answer=texts,
            score=st.none() | st.floats(0, 1),
            error=st.none() | texts,
            ended_ns=counts,
        )
    )
    return Trajectory(run=run, steps=steps, observations=observations, end=end)


@settings(max_examples=40, deadline=None, suppress_health_check=ANY_EXAMPLE)
@given(trajectory=trajectories())
def test_any_trajectory_comes_back_equal(trajectory: Trajectory, factory: Factory) -> None:
    store = factory()
    record_into(store, trajectory)
    try:
        assert store.trajectory(trajectory.run.id) == trajectory
        assert store.runs() == (summarize(trajectory),)
    finally:
        store.close()


def test_a_verdict_comes_back_with_all_that_it_says(factory: Factory) -> None:
    said = Verdict(
        criterion="c1",
        reason="it did not answer in time",
        status="unknown",
        evidence=(Evidence(message_id="m1", quote="so", start=3, end=5), Evidence(message_id="m2", quote="")),
        decided_by="judge-a",
        fault="instrument",
        cause="rate_limit",
        claimed="met",
        confidence=0.625,
    )
    judged = Judgement(rubric="lock", verdicts=(said,), score=None, passed=None, judged=0, total=1)
    step = StepRecord(
        run="r", index=0, attempts=(Attempt(index=0, source="first", message={}, judgements=(judged,)),)
    )
    store = factory()
    store.start(RunRecord(id="r", question="q"))
    store.step(step)
    assert store.trajectory("r").steps == (step,)
    store.close()


happenings = st.lists(
    st.tuples(st.sampled_from(["start", "step", "step", "step", "see", "see", "end"]), st.integers(0, 3)),
    max_size=14,
)


@settings(max_examples=30, deadline=None, suppress_health_check=ANY_EXAMPLE)
@given(happenings)
@example([("step", 2), ("step", 1), ("see", 2), ("step", 1), ("see", 2), ("end", 0), ("start", 0)])
def test_both_stores_agree_whatever_happens(tmp_path: Path, events: list[tuple[str, int]]) -> None:
    file = tmp_path / "agree.db"
    file.unlink(missing_ok=True)
    stores: list[Any] = [InMemoryTraceStore(), SQLiteTraceStore(file)]
    for number, (what, index) in enumerate([("start", 0), *events]):
        text = str(number)
        for store in stores:
            if what == "start":
                store.start(RunRecord(id="r", question=text, started_ns=number))
            elif what == "step":
                store.step(StepRecord(run="r", index=index, node=text, at_ns=number))
            elif what == "see":
                seen = ObservationRecord(run="r", step=index, call_id="", tool="", text=text, at_ns=number)
                store.observation(seen)
            else:
                store.end(RunEnd(run="r", status="done", answer=text, ended_ns=number))
    memory, sqlite = stores
    sqlite.close()
    assert memory.trajectory("r") == sqlite.trajectory("r")
    assert memory.runs() == sqlite.runs()


def test_what_json_cannot_hold_is_kept_as_well_as_it_can_be(factory: Factory) -> None:
    circle: dict[str, Any] = {}
    circle["self"] = circle
    strange = {"keys": {("a", 1): 2}}
    huge = {"digits": 10**5000}
    store = factory()
    if isinstance(store, InMemoryTraceStore):
        pytest.skip("memory keeps objects as they are")
    store.start(RunRecord(id="r", question="q"))
    store.step(
        StepRecord(run="r", index=0, prompt_added=({"a": object(), "b": {2, 1}}, strange, huge, circle))
    )
    added = store.trajectory("r").steps[0].prompt_added
    assert added[0] == {"a": {"$repr": "object"}, "b": [1, 2]}
    assert list(added[1]["keys"].values()) == [2]
    assert set(added[2]["digits"]) == {"$int"}
    assert added[3] == {"$repr": "dict"}
    store.close()


def test_prompts_are_rebuilt_from_what_each_step_added(factory: Factory) -> None:
    store = factory()
    store.start(RunRecord(id="r", question="q"))
    store.step(StepRecord(run="r", index=0, prompt_added=({"n": 0}, {"n": 1})))
    store.step(StepRecord(run="r", index=1, prompt_kept=2, prompt_added=({"n": 2},)))
    store.step(StepRecord(run="r", index=2, prompt_kept=1, prompt_added=({"n": 9},)))  # history was trimmed
    found = store.trajectory("r")
    assert found.prompt(1) == ({"n": 0}, {"n": 1}, {"n": 2})
    assert found.prompt(2) == ({"n": 0}, {"n": 9})
    store.close()
