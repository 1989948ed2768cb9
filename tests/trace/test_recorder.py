"""The recorder: an agent goes on whatever its store or its watchers do."""

from __future__ import annotations

import warnings
from threading import Thread

import pytest

from coreact.errors import StoreError
from coreact.testing import record_into, sample_trajectory
from coreact.trace import (
    InMemoryTraceStore,
    Recorder,
    RunEnd,
    RunRecord,
    StepRecord,
    TraceRecord,
    TraceWarning,
    default_store_path,
)


class Broken(InMemoryTraceStore):
    def step(self, record: StepRecord, /) -> None:
        raise StoreError("The disk is gone.", remedy="Find it.")

    def flush(self) -> None:
        raise StoreError("The disk is gone.", remedy="Find it.")


def test_records_reach_store_and_listeners_in_order() -> None:
    seen: list[TraceRecord] = []
    recorder = Recorder(InMemoryTraceStore(), listeners=[seen.append])
    whole = sample_trajectory()
    recorder.start(whole.run)
    for step in whole.steps:
        recorder.step(step)
    for observation in whole.observations:
        recorder.observation(observation)
    for call in whole.calls:
        recorder.call(call)
    assert whole.end is not None
    recorder.end(whole.end)
    for judgement in whole.judgements:
        recorder.judgement(judgement)
    recorder.flush()
    assert seen == [
        whole.run, *whole.steps, *whole.observations, *whole.calls, whole.end, *whole.judgements
    ]  # fmt: skip
    assert recorder.store.trajectory(whole.run.id) == whole


def test_a_failing_store_warns_once_and_listeners_still_hear() -> None:
    seen: list[TraceRecord] = []
    recorder = Recorder(Broken(), listeners=[seen.append])
    recorder.start(RunRecord(id="r", question="q"))
    with pytest.warns(TraceWarning, match="The disk is gone"):
        recorder.step(StepRecord(run="r", index=0))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        recorder.step(StepRecord(run="r", index=1))
    assert len(seen) == 3
    with pytest.raises(StoreError, match="Find it"):
        recorder.flush()


def test_a_listener_that_breaks_is_dropped_with_a_warning() -> None:
    seen: list[TraceRecord] = []

    def breaks(record: TraceRecord) -> None:
        raise KeyError("no such panel")

    recorder = Recorder(InMemoryTraceStore(), listeners=[breaks, seen.append])
    with pytest.warns(TraceWarning, match="KeyError"):
        recorder.start(RunRecord(id="r", question="q"))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        recorder.end(RunEnd(run="r", status="done"))
    assert len(seen) == 2


def test_several_threads_may_record() -> None:
    store = InMemoryTraceStore()
    recorder = Recorder(store)
    wholes = [sample_trajectory(f"r{number}", steps=6) for number in range(4)]
    threads = [Thread(target=record_into, args=(recorder, whole)) for whole in wholes]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [store.trajectory(whole.run.id) for whole in wholes] == wholes


def test_the_default_path(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("COREACT_STORE", raising=False)
    assert default_store_path().parts == (".coreact", "traces.db")
    monkeypatch.setenv("COREACT_STORE", "~/elsewhere.db")
    assert default_store_path().is_absolute()
    assert default_store_path().name == "elsewhere.db"
