"""Whatever stands in a file: it is read, or said to be left out, or refused by a typed error."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from coreact.errors import TraceFileError
from coreact.trace import InMemoryTraceStore
from coreact.trace.importing import read_traces
from coreact.trace.recording import record_trajectory
from coreact.trace.states import state_at

RECORDED = Path(__file__).parent / "recorded"
ODD = st.sampled_from(
    [None, True, 0, -1, 2**70, 1e308, float("nan"), "", "\ud800", "[", "{}", '[{"type":""}]', [], [[]], {}]
) | st.recursive(
    st.none() | st.integers() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=4,
)  # fmt: skip


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield path
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in pairs:
        yield from places(inner, (*path, key))


def put(value: Any, path: tuple[Any, ...], odd: Any) -> Any:
    if not path:
        return odd
    at = value
    for key in path[:-1]:
        at = at[key]
    if odd is ...:
        del at[path[-1]]
    else:
        at[path[-1]] = odd
    return value


@pytest.fixture
def whole(request: pytest.FixtureRequest) -> list[Any]:
    """Sound documents of one format."""
    name = request.param
    if name in ("openinference", "dump"):
        text = RECORDED.joinpath("openinference_otlp.jsonl" if name != "dump" else "openinference_dump.json")
        if name == "dump":
            return list(json.loads(text.read_text()))
        return [json.loads(line) for line in text.read_text().splitlines()]
    if name == "langsmith":
        feedback = {"id": "f", "key": "ok", "score": 1, "feedback_source": {"type": "app"}}
        tree = request.getfixturevalue("langsmith_tree")
        return [{**tree, "feedback": [feedback], "feedback_stats": {"ok": {"n": 1}}}]
    conversation, schema = request.getfixturevalue("conversation"), request.getfixturevalue("search_schema")
    if name == "chat":
        return [{"id": "c", "messages": conversation, "tools": [schema]}]
    call = {"tool_call_id": "c1", "function_name": "search", "arguments": {"query": "Elbe"}}
    result = {"source_call_id": "c1", "content": [{"type": "text", "text": "R"}]}
    judged = {"rubric": None, "candidates": [], "dispositions": ["run"], "phase": "early"}
    steps = [
        {"step_id": 1, "source": "user", "message": "Q", "timestamp": "2026-05-01T10:00:00Z"},
        {
            "step_id": 2,
            "source": "agent",
            "message": "",
            "tool_calls": [call],
            "metrics": {"prompt_tokens": 3},
            "observation": {"results": [result]},
            "extra": {"coreact": judged},
        },
        {"step_id": 3, "source": "agent", "message": "A", "is_copied_context": False},
    ]
    return [
        {
            "schema_version": "ATIF-v1.7",
            "session_id": "s",
            "trajectory_id": "t",
            "agent": {"name": "a", "version": "1", "tool_definitions": [schema]},
            "steps": steps,
            "extra": {"coreact": {"status": "done", "answer": "A", "score": 0.5, "judgements": []}},
            "subagent_trajectories": [],
        }
    ]


@pytest.mark.parametrize("whole", ["chat", "atif", "langsmith", "openinference", "dump"], indirect=True)
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(draw=st.data())
def test_any_change_is_read_or_said(whole: list[Any], tmp_path: Path, draw: st.DataObject) -> None:
    values = copy.deepcopy(whole)
    for _ in range(draw.draw(st.integers(1, 3))):
        paths = [path for path in places(values) if path] or [()]
        path = draw.draw(st.sampled_from(paths))
        values = put(values, path, draw.draw(ODD | st.just(...)))
    path = tmp_path / "t.jsonl"
    lines = values if isinstance(values, list) else [values]
    path.write_text("".join(json.dumps(value) + "\n" for value in lines if value is not ...))
    for skip_broken in (True, False):
        try:
            imported = read_traces(path, skip_broken=skip_broken)
            found = list(imported.trajectories)
        except TraceFileError:
            continue
        assert all(left.where and left.why for left in imported.left_out)
        store = InMemoryTraceStore()
        for trajectory in found:
            record_trajectory(store, trajectory)
            back = store.trajectory(trajectory.run.id)
            for step in back.steps:
                assert state_at(back, step.index).digest == step.state_digest
