"""Reading messages and tools into plain states: incremental, equal to reading everything at once."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from langchain.tools import ToolRuntime
from langchain_core.messages import AIMessage, AnyMessage, HumanMessage, ToolMessage, messages_from_dict
from langchain_core.tools import StructuredTool, tool
from langgraph.types import Command
from pydantic import BaseModel, Field

from coreact.errors import MessagesError, ToolSchemaError
from coreact.host import messages as module
from coreact.host.messages import StateReader, actions_of, contract, injected, is_injected, message_json
from coreact.host.state import without_status

QUESTION = HumanMessage("Where is gold?", id="q")


def exchange(number: int, *queries: str) -> list[AnyMessage]:
    calls = [{"name": "search", "args": {"query": q}, "id": f"{number}-{at}"} for at, q in enumerate(queries)]
    return [
        AIMessage("", tool_calls=calls),
        *(ToolMessage(f"Found {c['args']['query']}.", tool_call_id=c["id"]) for c in calls),
    ]


conversations = st.lists(
    st.lists(st.sampled_from(["gold", "silver", "https://a.example/x"]), min_size=1, max_size=3), max_size=6
).map(lambda rounds: [exchange(number, *queries) for number, queries in enumerate(rounds)])


@settings(deadline=None)
@given(rounds=conversations, limit=st.none() | st.integers(1, 9))
def test_reading_step_by_step_equals_reading_at_once(
    rounds: list[list[AnyMessage]], limit: int | None
) -> None:
    reader, messages = StateReader(), [QUESTION]
    state = reader.read(messages, limit=limit)
    for more in rounds:
        messages = [*messages, *more]
        state = reader.read(messages, limit=limit)
    at_once = StateReader().read(messages, limit=limit)
    assert state == at_once
    assert state.digest == at_once.digest
    assert state.budget.used == len(rounds)
    assert len(state.steps) == sum(len(more) - 1 for more in rounds)


@given(
    histories=st.lists(
        st.tuples(conversations, st.sampled_from(["whole", "orphan", "stray"])), min_size=1, max_size=5
    )
)
def test_any_order_of_histories_reads_as_a_fresh_reader_would(histories: Any) -> None:
    """Rewritten, shortened and broken histories leave nothing behind."""
    reader = StateReader()
    for rounds, fault in histories:
        messages: list[AnyMessage] = [QUESTION, *(m for more in rounds for m in more)]
        if fault == "orphan":
            messages += [exchange(99, "gold")[0], AIMessage("hm")]
        elif fault == "stray":
            messages.append(ToolMessage("x", tool_call_id="nobody's"))
        fresh = StateReader()
        try:
            expected = fresh.read(messages)
        except MessagesError:
            with pytest.raises(MessagesError):
                reader.read(messages)
        else:
            assert reader.read(messages) == expected


def test_reading_costs_only_what_is_new(monkeypatch: Any) -> None:
    read = []
    whole = module._next_steps
    monkeypatch.setattr(module, "_next_steps", lambda messages, at: read.append(at) or whole(messages, at))
    reader, messages = StateReader(), [QUESTION]
    for number in range(50):
        messages = [*messages, *exchange(number, "gold")]
        reader.read(messages)
    assert len(read) == 50


def test_a_new_question_starts_a_new_state_and_keeps_the_old_text() -> None:
    messages = [QUESTION, *exchange(0, "gold"), AIMessage("In the hills."), HumanMessage("And silver?")]
    state = StateReader().read(messages, system="Be brief.")
    assert state.question == "And silver?"
    assert state.steps == ()
    assert "Found gold." in state.given
    assert state.given[0] == "Be brief."
    assert state.knows("hills")


def test_injected_messages_are_no_question() -> None:
    messages = [QUESTION, *exchange(0, "gold"), injected("Next step: …")]
    assert is_injected(messages[-1])
    assert StateReader().read(messages).question == "Where is gold?"


def test_results_may_come_in_any_order() -> None:
    asking, first, second = exchange(0, "gold", "silver")
    state = StateReader().read([QUESTION, asking, second, first])
    assert [(s.call.arguments["query"], s.observation.text) for s in state.steps if s.observation] == [
        ("gold", "Found gold."),
        ("silver", "Found silver."),
    ]


@pytest.mark.parametrize(
    ("messages", "index"),
    [
        ([QUESTION, ToolMessage("x", tool_call_id="1")], 1),
        ([QUESTION, exchange(0, "gold")[0], AIMessage("hm")], 1),
        ([QUESTION, *exchange(0, "gold", "silver")[:2], AIMessage("hm")], 2),
        ([QUESTION, *exchange(0, "gold"), ToolMessage("x", tool_call_id="stray")], 3),
    ],
)
def test_broken_lists_name_the_message(messages: list[AnyMessage], index: int) -> None:
    with pytest.raises(MessagesError) as caught:
        StateReader().read(messages)
    assert caught.value.index == index
    assert caught.value.remedy


def test_actions_of_a_message() -> None:
    message = AIMessage(
        "",
        tool_calls=[
            {"name": "search", "args": {"query": "x"}, "id": "1"},
            {"name": "Out", "args": {"n": 1}, "id": "2"},
        ],
        invalid_tool_calls=[
            {"type": "invalid_tool_call", "name": "search", "args": "{", "id": "3", "error": None}
        ],
    )
    call, answer, bad = actions_of(message, answer_tools=frozenset({"Out"}))
    assert call.call is not None
    assert (call.call.name, call.call.arguments, call.call.id) == ("search", {"query": "x"}, "1")
    assert answer.answer == '{"n": 1}'
    assert bad.call is not None
    assert bad.call.malformed
    (words,) = actions_of(AIMessage([{"type": "text", "text": "hello"}, {"type": "text", "text": " you"}]))
    assert words.answer == "hello you"


# --- contracts ------------------------------------------------------------------------------------------


class Look(BaseModel):
    query: str = Field(description="what to look for")


class Fetch(BaseModel):
    url: str


class Free(BaseModel):
    query: str
    depth: int


def made(schema: type[BaseModel], description: str, **metadata: Any) -> StructuredTool:
    return StructuredTool.from_function(
        lambda **given: "x", name="t", description=description, args_schema=schema, metadata=metadata or None
    )


@pytest.mark.parametrize(
    ("schema", "description", "metadata", "role"),
    [
        (Look, "Search the corpus.", {}, "search"),
        (Look, "Run a query.", {}, None),
        (Fetch, "Get a page.", {}, "read"),
        (Free, "Search the corpus.", {}, None),
        (Look, "Run a query.", {"role": "search"}, "search"),
        (Look, "Search the corpus.", {"role": "nonsense"}, "search"),
        (Fetch, "Get a page.", {"role": "compute"}, "compute"),
    ],
)
def test_roles_are_believed_or_read_where_that_is_safe(
    schema: Any, description: str, metadata: Any, role: Any
) -> None:
    assert contract(made(schema, description, **metadata)).role == role


@pytest.mark.parametrize(
    ("declared", "expected"), [(True, True), (False, False), ("yes", None), (None, None)]
)
def test_read_only_is_never_guessed(declared: Any, expected: Any) -> None:
    assert contract(made(Look, "Search.", read_only=declared)).read_only is expected


def test_arguments_that_the_host_injects_are_not_part_of_the_contract() -> None:
    @tool
    def search(query: str, runtime: ToolRuntime) -> str:
        """Search the corpus."""
        return query

    read = contract(search)
    assert list(read.properties) == ["query"]
    assert read.role == "search"


class WithCallable(BaseModel):
    model_config = {"arbitrary_types_allowed": True}
    callback: Callable[[int], int]


@pytest.mark.parametrize(
    ("broken", "name"),
    [
        (made(WithCallable, "Odd."), "t"),
        ({"type": "function", "function": {"name": "odd", "parameters": "nonsense"}}, "odd"),
        ({"type": "function", "function": {"parameters": {}}}, "without a name"),
        ({"nothing": 1}, "without a name"),
    ],
)
def test_unreadable_tools_are_typed_errors_that_name_the_tool(broken: Any, name: str) -> None:
    with pytest.raises(ToolSchemaError) as caught:
        contract(broken)
    assert caught.value.tool == name
    assert "\n" not in str(caught.value)


# --- what tools hand up -----------------------------------------------------------------------------------


def test_the_status_of_an_agent_behind_a_tool_stays_there() -> None:
    message = ToolMessage("x", tool_call_id="1")
    result = [
        Command(update={"messages": [message], "coreact": {"run": "sub"}, "files": 1}, goto="x"),
        Command(update={"answer_check": {}, "files": 2}),
        message,
    ]
    command, checked, kept = without_status(result)
    assert command.update == {"messages": [message], "files": 1}
    assert command.goto == "x"
    assert checked.update == {"files": 2}
    assert kept is message
    untouched = Command(update={"files": 1})
    assert without_status(untouched) is untouched


# --- as plain JSON ----------------------------------------------------------------------------------------


def nested(levels: int) -> Any:
    value: Any = 1
    for _ in range(levels):
        value = {"a": value}
    return value


def around() -> dict[str, Any]:
    value: dict[str, Any] = {"a": 1}
    value["itself"] = value
    return value


@pytest.mark.parametrize(
    "message",
    [
        AIMessage("Look.", tool_calls=[{"name": "f", "args": nested(300), "id": "i"}]),
        AIMessage("Look.", tool_calls=[{"name": "f", "args": nested(5000), "id": "i"}]),
        AIMessage("Look.", response_metadata=around()),
        HumanMessage([{"type": "text", "text": "Look."}, {"type": "image", "data": b"\xff\xfe\x00"}]),
        HumanMessage([{"type": "text", "text": "Look."}, {"type": "x", "data": around()}]),
        ToolMessage("Look.", tool_call_id="i", artifact=around()),
    ],
)
def test_every_message_has_a_form_as_plain_json_that_can_be_read(message: Any) -> None:
    written = message_json(message)
    (read,) = messages_from_dict([json.loads(json.dumps(written))])
    assert read.type == message.type
    assert read.text == message.text or "itself" in str(message.content)
    if isinstance(read, AIMessage):
        assert [one["name"] for one in read.tool_calls] == [one["name"] for one in message.tool_calls]
