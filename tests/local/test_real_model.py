"""The real model behind the chat model: valid replies, the same replies again, and a whole tool loop."""

from __future__ import annotations

import json
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from langchain.agents import create_agent
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, ToolMessage
from langchain_core.tools import tool
from langchain_core.utils.function_calling import convert_to_openai_tool
from pydantic import BaseModel

from coreact.errors import LocalServerError
from coreact.local import LocalChatModel, LocalServer
from coreact.local.tool_schema import reply_schema

pytestmark = pytest.mark.local_model

QUESTION = "Which currency is used in the country whose capital is Ouagadougou?"


@tool
def search(query: str) -> str:
    """Search the encyclopedia."""
    if "burkina" in query.lower():
        return "Burkina Faso is a country in West Africa. Its currency is the West African CFA franc."
    return "Ouagadougou is the capital of Burkina Faso and its largest city."


@tool
def today() -> str:
    """Tell the date."""
    return "2026-01-01"


class Place(BaseModel):
    name: str
    kind: str = "city"


@tool
def visit(place: Place, hours: int) -> str:
    """Visit a place."""
    return place.name


ROUTE = {
    "name": "route",
    "description": "Find a way.",
    "parameters": {
        "type": "object",
        "properties": {"start": {"$ref": "#/$defs/Stop"}, "end": {"$ref": "#/$defs/Stop"}},
        "required": ["start", "end"],
        "$defs": {
            "Stop": {
                "type": "object",
                "properties": {"name": {"type": "string"}, "by": {"enum": ["train", "bus"]}},
                "required": ["name", "by"],
            }
        },
    },
}

TREE = {
    "name": "tree",
    "description": "Draw a tree.",
    "parameters": {
        "type": "object",
        "properties": {"name": {"type": "string"}, "leaf": {"anyOf": [{"$ref": "#"}, {"type": "null"}]}},
        "required": ["name", "leaf"],
    },
}


@pytest.fixture
def model(server: LocalServer) -> LocalChatModel:
    return LocalChatModel(base_url=server.base_url, max_tokens=120, max_argument_chars=40)


def searched(query: str, result: str) -> list[BaseMessage]:
    call = {"name": "search", "args": {"query": query}, "id": query}
    return [AIMessage("", tool_calls=[call]), ToolMessage(result, tool_call_id=query)]


FIRST = searched("capital Ouagadougou", "Ouagadougou is the capital of Burkina Faso.")


@pytest.mark.parametrize(
    "text",
    [
        QUESTION,
        "What is 17 times 3?",
        "Hello, how are you?",
        "Write a long story about a dragon.",
        'Repeat: "quotes", \\backslashes\\ and {braces}',
        "¿Dónde está Ouagadougou? 🦎",
        "Do not write JSON. Say only: yes",
        "{",
    ],
)
@pytest.mark.parametrize("tools", [[search], [today, visit, ROUTE]], ids=["one", "many"])
def test_a_reply_is_always_of_the_schema(model: LocalChatModel, tools: list[Any], text: str) -> None:
    reply = model.bind_tools(tools, tool_choice="any", temperature=1.0).invoke(text)
    schema = reply_schema(
        [convert_to_openai_tool(each) for each in tools], tool_choice="any", max_argument_chars=40
    )
    call = reply.tool_calls[0]
    Draft202012Validator(schema).validate({"tool": call["name"], "arguments": call["args"]})


@pytest.mark.parametrize("name", ["today", "visit", "route"])
def test_a_forced_tool_is_called_with_arguments_of_its_schema(model: LocalChatModel, name: str) -> None:
    reply = model.bind_tools([search, today, visit, ROUTE], tool_choice=name).invoke(
        "Go to Paris for 2 hours."
    )
    assert [call["name"] for call in reply.tool_calls] == [name]


def test_a_schema_without_end_ends_with_max_tokens(model: LocalChatModel) -> None:
    reply = model.bind_tools([TREE], tool_choice="any").invoke("Draw the kings of France.")
    assert bool(reply.tool_calls) != (reply.response_metadata["finish_reason"] == "length")


def test_the_same_seed_gives_the_same_reply_and_another_seed_another(model: LocalChatModel) -> None:
    def story(seed: int) -> str:
        return model.invoke("Write a story.", temperature=1.5, seed=seed, max_tokens=30).text

    assert story(1) == story(1)
    assert len({story(seed) for seed in range(1, 4)}) > 1


def test_temperature_0_is_repeatable_with_a_cold_and_a_warm_cache(model: LocalChatModel) -> None:
    bound = model.bind_tools([search])
    replies = []
    for _ in range(2):
        model.invoke("Something else, to push the prefix out of the slot.", max_tokens=1)
        replies += [bound.invoke(QUESTION), bound.invoke(QUESTION)]
    assert len({json.dumps(reply.tool_calls[0]["args"]) for reply in replies}) == 1


def test_the_next_decision_reads_only_what_is_new(model: LocalChatModel) -> None:
    bound = model.bind_tools([search])
    first = bound.invoke([HumanMessage(QUESTION), *FIRST])
    second = bound.invoke([HumanMessage(QUESTION), *FIRST, HumanMessage('Search for "Burkina Faso" next.')])
    assert first.usage_metadata is not None
    assert second.usage_metadata is not None
    cached = second.usage_metadata["input_token_details"]["cache_read"]
    assert cached >= 0.9 * first.usage_metadata["input_tokens"]


@pytest.mark.parametrize("name", ["Burkina Faso", "Lake Chad"])
def test_the_model_follows_the_last_turn_to_the_name_in_it(model: LocalChatModel, name: str) -> None:
    hint = HumanMessage(f'Search for "{name}" next.')
    reply = model.bind_tools([search]).invoke([HumanMessage(QUESTION), *FIRST, hint])
    assert reply.tool_calls[0]["args"] == {"query": name}


def test_a_reply_cut_by_max_tokens_is_no_call(model: LocalChatModel) -> None:
    reply = model.bind_tools([search], tool_choice="any", max_tokens=5).invoke(QUESTION)
    assert reply.tool_calls == []
    assert reply.text.startswith("{")
    assert reply.response_metadata["finish_reason"] == "length"


def test_a_prompt_longer_than_the_context_is_named_as_such(model: LocalChatModel) -> None:
    with pytest.raises(LocalServerError, match=r"does not fit the model's context.*4096") as caught:
        model.invoke("word " * 5000)
    assert "context_tokens" in caught.value.remedy


class Capital(BaseModel):
    """A country and its capital."""

    country: str
    capital: str


def test_structured_output(model: LocalChatModel) -> None:
    found = model.with_structured_output(Capital).invoke("The capital of France is Paris.")
    assert isinstance(found, Capital)
    assert found.capital == "Paris"


def test_an_agent_searches_and_answers(model: LocalChatModel) -> None:
    agent = create_agent(model, [search])
    # Left alone, this small model searches on and on; told how to finish, it does.
    told = HumanMessage('To finish, write {"answer": "West African CFA franc"}')
    searching = agent.stream({"messages": [HumanMessage(QUESTION)]}, stream_mode="values")
    seen: list[BaseMessage] = next(
        state["messages"] for state in searching if isinstance(state["messages"][-1], ToolMessage)
    )
    assert "Burkina Faso" in seen[-1].text
    answer = agent.invoke({"messages": [*seen, told]}, {"recursion_limit": 10})["messages"][-1]
    assert isinstance(answer, AIMessage)
    assert answer.tool_calls == []
    assert answer.text == "West African CFA franc"


async def test_an_agent_reaches_its_tool_asynchronously(model: LocalChatModel) -> None:
    agent = create_agent(model, [search])
    seen: list[BaseMessage] = []
    async for state in agent.astream({"messages": [HumanMessage(QUESTION)]}, stream_mode="values"):
        seen = state["messages"]
        if isinstance(seen[-1], ToolMessage):
            break
    assert "Burkina Faso" in seen[-1].text
