"""What an importer cannot keep is said, and what the file says of one thing is not taken for another."""

from __future__ import annotations

from typing import Any

import pytest

from coreact.trace import InMemoryTraceStore
from coreact.trace.importing import read_traces
from coreact.trace.importing.calls import Node, _looping, _scopes
from coreact.trace.importing.flat import numbered
from coreact.trace.importing.replies import one_reply
from coreact.trace.recording import missing_of, record_trajectory

Q = {"role": "user", "content": "q"}
A = {"role": "assistant", "content": "a"}


def nested(depth: int) -> Any:
    value: Any = 1
    for _ in range(depth):
        value = {"a": value}
    return value


def llm(**more: Any) -> dict[str, Any]:
    return {
        "id": "r", "trace_id": "r", "run_type": "llm", "start_time": "2026-01-01T00:00:00",
        "inputs": {"messages": [Q]}, "outputs": {"choices": [{"message": A}]}, **more,
    }  # fmt: skip


def test_what_nobody_answered_is_said(write: Any) -> None:
    imported = read_traces(write({"messages": [Q, A, Q]}, {"messages": [Q]}), "chat")
    assert len(list(imported.trajectories)) == 1
    assert [one.where for one in imported.left_out] == ["line 1", "line 2"]


def test_two_annotators_without_ids_are_two_judgements(write: Any, load: Any) -> None:
    def said(by: str, score: int) -> dict[str, Any]:
        return {"key": "right", "score": score, "feedback_source": {"type": "app", "user_name": by}}

    given = [said("ann", 1), said("bob", 1), said("bob", 0), said("bob", 0)]
    (run,), imported = load(write(llm(feedback=given)))
    assert len({one.id for one in run.judgements}) == 4
    assert imported.left_out == []


def test_the_same_feedback_twice_is_said(write: Any, load: Any) -> None:
    one = {"id": "f", "key": "right", "score": 1, "feedback_source": {"type": "app"}}
    (run,), imported = load(write(llm(feedback=[one, one])))
    assert len(run.judgements) == 1
    assert "stands in the file before" in imported.left_out[0].why


def test_further_prompts_and_choices_are_said(write: Any, load: Any) -> None:
    batch = llm(
        inputs={"messages": [[Q], [Q]]},
        outputs={"generations": [[{"text": "a"}, {"text": "b"}], [{"text": "c"}]]},
    )
    _, imported = load(write(batch))
    assert len(imported.left_out) == 2


@pytest.mark.parametrize(
    ("second", "calls", "left"),
    [
        ({"role": "assistant", "content": "", "tool_calls": [{"name": "f"}]}, 1, 0),
        ({"role": "assistant", "content": "another"}, 0, 1),
        ({"role": "assistant", "content": "", "tool_calls": [{"name": "f"}], "index": 1}, 0, 1),
    ],
)
def test_parts_of_one_response_are_joined_and_choices_are_not(second: Any, calls: int, left: int) -> None:
    remarks: list[str] = []
    reply = one_reply([{"role": "assistant", "content": "Let me see."}, second], remarks)
    assert reply["content"] == "Let me see."
    assert (len(reply.get("tool_calls") or []), len(remarks)) == (calls, left)


@pytest.mark.parametrize("depth", [130, 300, 900])
def test_a_value_nested_too_deep_leaves_its_conversation_out(write: Any, depth: int) -> None:
    call = {"id": "c", "function": {"name": "f", "arguments": nested(depth)}}
    deep = {"messages": [Q, {"role": "assistant", "content": "", "tool_calls": [call]}]}
    imported = read_traces(write(deep, {"messages": [Q, A]}), "chat")
    assert len(list(imported.trajectories)) == 1
    assert imported.left_out[0].where == "line 1"


def test_an_attribute_name_without_end_is_no_recursion() -> None:
    assert numbered({"x." + ".".join(["0"] * 3000): 1}, "x")


def test_other_tools_and_other_malformed_calls_are_other_conversations(write: Any) -> None:
    def told(arguments: str, tool: str) -> dict[str, Any]:
        call = {"id": "c", "function": {"name": "f", "arguments": arguments}}
        tools = [{"type": "function", "function": {"name": tool, "parameters": {"type": "object"}}}]
        return {"messages": [Q, {"role": "assistant", "content": "", "tool_calls": [call]}], "tools": tools}

    imported = read_traces(write(told("{1", "f"), told("[2]", "f"), told("{1", "g")), "chat")
    assert len(list(imported.trajectories)) == 3


def test_scopes_of_a_tree_and_a_circle_through_an_agent() -> None:
    tree = {
        "root": Node(id="root"),
        "agent": Node(id="agent", parent="root", bounds=True),
        "call": Node(id="call", parent="agent"),
        "stray": Node(id="stray", parent="elsewhere"),
    }
    assert _looping(tree) is None
    assert _scopes(tree) == {"root": "", "agent": "root", "call": "agent", "stray": "elsewhere"}
    assert _looping({"a": Node(id="a", parent="b", bounds=True), "b": Node(id="b", parent="a")}) is not None


def test_what_a_store_lacks_of_a_run(conversation: Any, write: Any) -> None:
    (whole,) = read_traces(write({"messages": conversation}), "chat").trajectories
    less = whole.model_copy(update={"steps": whole.steps[:1], "observations": (), "end": None})
    assert missing_of(whole, whole) is None
    assert missing_of(whole, less) is None
    rest = missing_of(less, whole)
    assert rest is not None
    store = InMemoryTraceStore()
    record_trajectory(store, less)
    record_trajectory(store, rest)
    assert store.trajectory(whole.run.id) == whole


def test_observations_of_a_step_that_is_not_there_are_recorded(conversation: Any, write: Any) -> None:
    class Counting(InMemoryTraceStore):
        seen = 0

        def observation(self, record: Any, /) -> None:
            self.seen += 1
            super().observation(record)

    (whole,) = read_traces(write({"messages": conversation}), "chat").trajectories
    store = Counting()
    record_trajectory(store, whole.model_copy(update={"steps": whole.steps[1:]}))
    assert store.seen == len(whole.observations) == 1


def test_a_trimmed_history_keeps_its_results(write: Any, load: Any) -> None:
    call = {
        "role": "assistant",
        "content": "",
        "tool_calls": [{"function": {"name": "f", "arguments": "{}"}}],
    }
    result = {"role": "tool", "content": "RESULT"}
    first = llm(id="a", parent_run_id="root", inputs={"messages": [Q, A, Q]}, outputs={"message": call})
    second = llm(
        id="b", parent_run_id="root", start_time="2026-01-01T00:00:02",
        inputs={"messages": [Q, call, result]}, outputs={"message": A},
    )  # fmt: skip
    path = write(first, second)
    seen = [one.text for run in read_traces(path).trajectories for one in run.observations]
    assert seen == ["RESULT"]
