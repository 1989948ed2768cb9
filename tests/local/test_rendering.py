"""How a conversation is written for a model that knows three roles, and that it only ever grows."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from langchain_core.messages import (
    AIMessage,
    BaseMessage,
    ChatMessage,
    HumanMessage,
    SystemMessage,
    ToolMessage,
)

from coreact.errors import MessagesError
from coreact.local.rendering import render

SEARCH: dict[str, Any] = {
    "type": "function",
    "function": {
        "name": "search",
        "description": "Search the encyclopedia.\n\nLong explanations follow here.",
        "parameters": {
            "type": "object",
            "properties": {"query": {"type": "string"}, "limit": {"type": "integer"}},
            "required": ["query"],
        },
    },
}


def calls(*queries: str) -> AIMessage:
    return AIMessage(
        "", tool_calls=[{"name": "search", "args": {"query": query}, "id": query} for query in queries]
    )


def observed(text: str) -> ToolMessage:
    return ToolMessage(text, tool_call_id="1")


def chatml(messages: list[BaseMessage], tools: list[dict[str, Any]]) -> str:
    """What the model reads, without the end of the last turn, which a merged turn moves."""
    turns = render(messages, tools)
    return "".join(f"<|im_start|>{t['role']}\n{t['content']}<|im_end|>\n" for t in turns)[
        : -len("<|im_end|>\n")
    ]


def test_a_tool_loop_is_written_in_three_roles_and_in_the_form_of_the_reply() -> None:
    turns = render(
        [SystemMessage("Be brief."), HumanMessage("Q?"), calls("a"), observed("A is b."), AIMessage("b")],
        [SEARCH],
    )
    assert [turn["role"] for turn in turns] == ["system", "user", "assistant", "user", "assistant"]
    assert turns[0]["content"].endswith("Be brief.")
    assert json.loads(turns[2]["content"]) == {"tool": "search", "arguments": {"query": "a"}}
    assert turns[3]["content"] == "Observation: A is b."
    assert json.loads(turns[4]["content"]) == {"answer": "b"}


def test_the_text_about_tools_is_short_and_shows_each_call() -> None:
    text = render([HumanMessage("Q?")], [SEARCH])[0]["content"]
    assert "search(query: string, limit?: integer): Search the encyclopedia.\n" in text
    assert 'To use a tool: {"tool": "search", "arguments": {"query": "..."}}' in text
    assert "Long explanations" not in text


def test_a_tool_without_arguments_or_description_is_described() -> None:
    text = render([HumanMessage("Q?")], [{"type": "function", "function": {"name": "today"}}])[0]["content"]
    assert "today()\n" in text
    assert '{"tool": "today", "arguments": {}}' in text


def test_without_tools_nothing_is_added() -> None:
    assert render([HumanMessage("Hi"), AIMessage("Hello")]) == [
        {"role": "user", "content": "Hi"},
        {"role": "assistant", "content": "Hello"},
    ]


def test_neighbours_of_one_role_are_merged() -> None:
    turns = render(
        [HumanMessage("Q?"), calls("a", "b"), observed("A."), observed("B."), HumanMessage("Go on.")]
    )
    assert [turn["role"] for turn in turns] == ["user", "assistant", "user"]
    assert turns[1]["content"].count('"tool"') == 2
    assert turns[2]["content"] == "Observation: A.\n\nObservation: B.\n\nGo on."


def test_a_late_system_message_stays_where_it_came() -> None:
    turns = render(
        [SystemMessage("S"), HumanMessage("Q"), calls("a"), observed("A"), SystemMessage("Now stop.")]
    )
    assert turns[0]["content"] == "S"
    assert turns[-1] == {"role": "user", "content": "Observation: A\n\nNow stop."}


texts = st.text(max_size=20)
messages = st.one_of(
    texts.map(SystemMessage),
    texts.map(HumanMessage),
    texts.map(AIMessage),
    texts.map(calls),
    texts.map(observed),
)


@given(st.lists(messages, min_size=2, max_size=8), st.booleans(), st.data())
def test_a_longer_conversation_starts_with_the_shorter_one(
    conversation: list[BaseMessage], with_tools: bool, data: st.DataObject
) -> None:
    tools = [SEARCH] if with_tools else []
    cut = data.draw(st.integers(1, len(conversation) - 1))
    assert chatml(conversation, tools).startswith(chatml(conversation[:cut], tools))


def test_text_blocks_are_joined_and_an_image_is_refused_by_its_place() -> None:
    blocks = HumanMessage([{"type": "text", "text": "a"}, "b"])
    assert render([blocks])[0]["content"] == "a\nb"
    image = HumanMessage([{"type": "image_url", "image_url": {"url": "data:,"}}])
    with pytest.raises(MessagesError, match="'image_url'") as caught:
        render([blocks, image])
    assert caught.value.index == 1


def test_the_thoughts_of_another_model_are_left_out() -> None:
    thought = AIMessage([{"type": "reasoning", "reasoning": "hm"}, {"type": "text", "text": "yes"}])
    assert render([HumanMessage("Q"), thought])[-1]["content"] == "yes"


def test_a_free_role_is_taken_only_when_the_model_knows_it() -> None:
    assert render([ChatMessage("x", role="user")])[0]["role"] == "user"
    with pytest.raises(MessagesError):
        render([ChatMessage("x", role="critic")])
