"""Chat files: any conversation that a provider accepts comes back as its decisions, each with its prompt."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from langchain_core.messages import AIMessage, ToolMessage, convert_to_messages, messages_from_dict

from coreact.trace import InMemoryTraceStore
from coreact.trace.importing import read_traces
from coreact.trace.recording import record_trajectory
from coreact.trace.states import state_at

TEXT = st.text(max_size=12) | st.sampled_from(["<script>alert(1)</script>", "\x1b[31mred", "\x00", "½ 来源"])
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXT,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(TEXT, inner, max_size=2),
    max_leaves=4,
)


@st.composite
def conversations(draw: Any) -> list[dict[str, Any]]:
    """Messages that a provider accepts: every call gets its result, in any order."""
    messages: list[dict[str, Any]] = []
    if draw(st.booleans()):
        messages.append({"role": "system", "content": draw(TEXT)})
    count = 0
    for _ in range(draw(st.integers(1, 3))):
        for _ in range(draw(st.integers(1, 2))):
            messages.append({"role": "user", "content": draw(TEXT)})
        for _ in range(draw(st.integers(0, 3))):
            calls = []
            for _ in range(draw(st.integers(1, 3))):
                count += 1
                arguments = draw(st.dictionaries(TEXT, VALUES, max_size=2))
                calls.append(
                    {
                        "id": f"c{count}",
                        "type": "function",
                        "function": {
                            "name": draw(st.sampled_from(["search", "read"])),
                            "arguments": json.dumps(arguments),
                        },
                    }
                )
            messages.append({"role": "assistant", "content": draw(st.none() | TEXT), "tool_calls": calls})
            results = [{"role": "tool", "tool_call_id": call["id"], "content": draw(TEXT)} for call in calls]
            messages.extend(draw(st.permutations(results)))
        if draw(st.booleans()):
            messages.append({"role": "assistant", "content": draw(TEXT)})
    return messages


def plainly(messages: Any) -> list[Any]:
    """What of a message counts, told apart from how it is kept."""
    return [
        (
            one.type,
            one.content,
            [(call["name"], call["args"], call["id"]) for call in getattr(one, "tool_calls", [])],
            getattr(one, "tool_call_id", None),
        )
        for one in messages
    ]


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(conversations())
def test_every_prompt_is_the_messages_before(tmp_path: Path, messages: list[dict[str, Any]]) -> None:
    path = tmp_path / "chat.jsonl"
    path.write_text(json.dumps({"messages": messages}) + "\n", encoding="utf-8")
    imported = read_traces(path, "chat")
    found = list(imported.trajectories)
    expected = convert_to_messages([{**one, "content": one["content"] or ""} for one in messages])
    decided = [at for at, one in enumerate(expected) if isinstance(one, AIMessage)]
    steps = [(run, step) for run in found for step in run.steps]
    assert len(steps) == len(decided)
    assert bool(imported.left_out) == (not decided or expected[-1].type in ("human", "system"))
    for (run, step), at in zip(steps, decided, strict=True):
        assert plainly(messages_from_dict(list(run.prompt(step.index)))) == plainly(expected[:at])
        assert plainly(messages_from_dict([step.attempts[0].message])) == plainly([expected[at]])
    seen = [(one.call_id, one.text) for run in found for one in run.observations]
    assert sorted(seen) == sorted(
        (one.tool_call_id, one.content) for one in expected if isinstance(one, ToolMessage)
    )
    store = InMemoryTraceStore()
    for run in found:
        record_trajectory(store, run)
        back = store.trajectory(run.run.id)
        for step in back.steps:
            assert state_at(back, step.index).digest == step.state_digest


def test_a_conversation_of_several_turns_is_several_runs(conversation: Any, write: Any, load: Any) -> None:
    more = [{"role": "user", "content": "And the Oder?"}, {"role": "assistant", "content": "Elsewhere."}]
    (first, second), _ = load(write({"id": "c-1", "messages": conversation + more}))
    assert [run.run.question for run in (first, second)] == ["Where does the Elbe rise?", "And the Oder?"]
    assert first.run.thread_id == second.run.thread_id == "c-1"
    assert len(second.prompt(0)) == 6
    assert first.run.started_ns < second.run.started_ns


def test_a_conversation_that_went_on_keeps_the_ids_of_its_turns(
    conversation: Any, write: Any, load: Any
) -> None:
    (before,), _ = load(write({"messages": conversation}))
    more = [{"role": "user", "content": "And the Oder?"}, {"role": "assistant", "content": "Elsewhere."}]
    after = list(read_traces(write({"messages": conversation + more})).trajectories)
    assert after[0].run.id == before.run.id
    assert after[1].run.id != before.run.id


def test_the_same_conversation_twice_is_one_run(conversation: Any, write: Any, load: Any) -> None:
    runs, imported = load(write({"messages": conversation}, {"messages": conversation}))
    assert len(runs) == 1
    assert imported.left_out == [("line 2", "the same conversation stands in line 1")]
    runs, imported = load(write({"id": "a", "messages": conversation}, {"id": "b", "messages": conversation}))
    assert len(runs) == 2
    assert imported.left_out == []


def test_arguments_as_an_object(conversation: Any, write: Any, load: Any) -> None:
    conversation[2]["tool_calls"][0]["function"]["arguments"] = {"query": "Elbe"}
    (run,), _ = load(write({"messages": conversation}))
    assert str(run.steps[0].attempts[0].actions[0]) == "search(query='Elbe')"


@pytest.mark.parametrize("arguments", ['{"query": ', "[1]", "3", "[" * 100_000])
def test_arguments_that_cannot_be_read_are_kept(
    arguments: str, conversation: Any, write: Any, load: Any
) -> None:
    conversation[2]["tool_calls"][0]["function"]["arguments"] = arguments
    (run,), imported = load(write({"messages": conversation}))
    call = run.steps[0].attempts[0].actions[0].call
    assert call is not None
    assert call.malformed == "arguments are no JSON object"
    assert run.steps[0].attempts[0].message["data"]["invalid_tool_calls"][0]["args"] == arguments
    assert imported.left_out == []


def test_calls_and_results_without_ids_are_paired_by_order(conversation: Any, write: Any, load: Any) -> None:
    call = conversation[2]["tool_calls"][0]
    del call["id"], conversation[3]["tool_call_id"]
    conversation[2]["tool_calls"].append(json.loads(json.dumps(call).replace("Elbe", "Oder")))
    conversation.insert(4, {"role": "tool", "content": "About the Oder."})
    (run,), imported = load(write({"messages": conversation}))
    assert imported.left_out == []
    assert [one.text[:14] for one in run.observations] == ["About Elbe: it", "About the Oder"]
    assert len({one.call_id for one in run.observations}) == 2


def test_functions_of_the_first_api(write: Any, load: Any) -> None:
    messages = [
        {"role": "user", "content": "?"},
        {"role": "assistant", "content": None, "function_call": {"name": "now", "arguments": "{}"}},
        {"role": "function", "name": "now", "content": "noon"},
        {"role": "assistant", "content": "Noon."},
    ]
    (run,), _ = load(write({"messages": messages, "functions": [{"name": "now", "parameters": {}}]}))
    assert [one.text for one in run.observations] == ["noon"]
    assert [tool.name for tool in run.tools(0)] == ["now"]


UNFIT: dict[str, tuple[Any, str]] = {
    "a call without a result": (lambda c: c.pop(3), "gets no result"),
    "a result without a call": (lambda c: c.pop(2), "which no message made"),
    "a result of another call": (lambda c: c[3].update(tool_call_id="c9"), "gets no result"),
    "two calls of one id": (lambda c: c[2]["tool_calls"].append(c[2]["tool_calls"][0]), "gets no result"),
    "an unknown role": (lambda c: c[4].update(role="oracle"), "no known role: 'oracle'"),
    "no role": (lambda c: c[4].pop("role"), "cannot be read"),
    "a message that is none": (lambda c: c.insert(1, 7), "it is no object"),
    "a call without a name": (lambda c: c[2]["tool_calls"][0].pop("function"), "has no name"),
}


@pytest.mark.parametrize("name", UNFIT)
def test_what_no_provider_would_accept_is_left_out(
    name: str, conversation: Any, write: Any, load: Any
) -> None:
    change, why = UNFIT[name]
    good = {"id": "good", "messages": json.loads(json.dumps(conversation))}
    change(conversation)
    runs, imported = load(write({"id": "bad", "messages": conversation}, good))
    assert [run.run.thread_id for run in runs] == ["good"]
    (left,) = imported.left_out
    assert left.where.startswith("line 1")
    assert why in left.why


def test_the_turns_before_a_broken_one_are_kept(conversation: Any, write: Any, load: Any) -> None:
    call = {
        "role": "assistant",
        "content": "",
        "tool_calls": [{"id": "x", "function": {"name": "f", "arguments": "{}"}}],
    }
    more = [{"role": "user", "content": "2"}, call, {"role": "assistant", "content": "b"}]
    last = [{"role": "user", "content": "3"}, {"role": "assistant", "content": "c"}]
    runs, imported = load(write({"messages": conversation + more + last}))
    assert len(runs) == 1
    assert [left.where for left in imported.left_out] == ["line 1, from turn 2"]


def test_a_run_that_stops_after_a_call_was_interrupted(conversation: Any, write: Any, load: Any) -> None:
    (called,), _ = load(write({"messages": conversation[:3]}))
    (answered,), _ = load(write({"messages": conversation[:4]}))
    for run, seen in ((called, 0), (answered, 1)):
        assert run.end is not None
        assert run.end.status == "interrupted"
        assert len(run.observations) == seen
        assert run.steps[0].dispositions == ("run",)


def test_hostile_text_and_numbers_are_data(write: Any, load: Any) -> None:
    text = "\x1b]0;owned\x07<img src=x onerror=alert(1)> \ud800 {{7*7}}"
    call = {"id": "c", "function": {"name": "f", "arguments": {"n": 10**400, "x": 1e308, "deep": [[[[]]]]}}}
    line = json.dumps(
        {
            "messages": [
                {"role": "user", "content": text},
                {"role": "assistant", "content": text, "tool_calls": [call]},
                {"role": "tool", "tool_call_id": "c", "content": text},
                {"role": "assistant", "content": text},
            ]
        }
    )
    (run,), _ = load(write(line))
    assert run.run.question == text
    assert run.observations[0].text == text
    assert run.end is not None
    assert run.end.answer == text


def test_tools_that_cannot_be_read_are_said(
    conversation: Any, search_schema: Any, write: Any, load: Any
) -> None:
    tools = [
        search_schema,
        {"type": "function", "function": {"description": "nameless"}},
        7,
        {"type": "web_search"},
    ]
    (run,), imported = load(write({"messages": conversation, "tools": tools}))
    assert [tool.name for tool in run.tools(0)] == ["search"]
    assert len(imported.left_out) == 2


def test_numbers_that_json_does_not_know_are_null(write: Any, load: Any) -> None:
    call = '{"id": "c", "function": {"name": "f", "arguments": %s}}'
    line = (
        '{"messages": [{"role": "user", "content": "?"}, {"role": "assistant", "tool_calls": [%s]}, '
        '{"role": "tool", "tool_call_id": "c", "content": "."}, {"role": "assistant", "content": "!"}]}'
    )
    for arguments in (
        '{"a": NaN, "b": [-Infinity, 1e999]}',
        json.dumps('{"a": NaN, "b": [-Infinity, 1e999]}'),
    ):
        (run,), _ = load(write(line % (call % arguments)))
        called = run.steps[0].attempts[0].actions[0].call
        assert called is not None
        assert called.arguments == {"a": None, "b": [None, None]}
