"""Stored messages become the chat dicts that LangChain itself would write, and nothing is lost."""

from __future__ import annotations

import json
from typing import Any

import pytest
from langchain.agents import create_agent
from langchain_core.messages import (
    AIMessage,
    BaseMessage,
    ChatMessage,
    HumanMessage,
    SystemMessage,
    ToolMessage,
    convert_to_openai_messages,
)
from langchain_core.tools import tool

from coreact import CoReActMiddleware
from coreact.generate.fixed import FixedGenerator
from coreact.host.messages import message_json
from coreact.rubric import ArgumentContains, Criterion, Rubric, ToolContract
from coreact.testing import ScriptedModel, call
from coreact.trace import InMemoryTraceStore, Recorder
from coreact.trace.export.decisions import Run
from coreact.trace.export.messages import chat_message, tool_schema, without_thoughts
from coreact.trace.export.settings import ExportSettings

CALL = {"name": "search", "args": {"query": "Elbe", "top": 3}, "id": "c1", "type": "tool_call"}


@pytest.mark.parametrize(
    "message",
    [
        SystemMessage("Be brief."),
        HumanMessage("Where?"),
        HumanMessage("Where?", name="ada"),
        AIMessage("There."),
        AIMessage("", tool_calls=[CALL]),
        AIMessage("I search.", tool_calls=[CALL, {**CALL, "id": "c2"}]),
        ToolMessage("found", tool_call_id="c1"),
        HumanMessage(
            [
                {"type": "text", "text": "See"},
                {"type": "image_url", "image_url": {"url": "https://a.example/x.png"}},
            ]
        ),
    ],
)
def test_it_is_what_langchain_writes(message: BaseMessage) -> None:
    expected: Any = convert_to_openai_messages(message)
    told = chat_message(message_json(message), "string")
    assert told["role"] == expected["role"]
    assert told["content"] == expected["content"]
    assert told.get("name") == expected.get("name")
    assert told.get("tool_call_id") == expected.get("tool_call_id")
    calls = [
        {**call, "function": {**call["function"], "arguments": json.loads(call["function"]["arguments"])}}
        for call in told.get("tool_calls", [])
    ]
    theirs = [
        {**call, "function": {**call["function"], "arguments": json.loads(call["function"]["arguments"])}}
        for call in expected.get("tool_calls", [])
    ]
    assert calls == theirs


def test_arguments_are_a_string_or_an_object() -> None:
    stored = message_json(AIMessage("", tool_calls=[CALL]))
    assert chat_message(stored)["tool_calls"][0]["function"]["arguments"] == {"query": "Elbe", "top": 3}
    assert (
        chat_message(stored, "string")["tool_calls"][0]["function"]["arguments"]
        == '{"query": "Elbe", "top": 3}'
    )


def test_malformed_arguments_stay_what_the_model_wrote() -> None:
    bad = {
        "name": "search",
        "args": '{"query": ',
        "id": "c1",
        "error": "no JSON",
        "type": "invalid_tool_call",
    }
    stored = message_json(AIMessage("", invalid_tool_calls=[bad]))
    for arguments in ("string", "object"):
        (call,) = chat_message(stored, arguments)["tool_calls"]  # type: ignore[arg-type]
        assert call["function"] == {"name": "search", "arguments": '{"query": '}


def test_calls_in_blocks_are_told_once_and_thoughts_apart() -> None:
    blocks: list[Any] = [
        {"type": "thinking", "thinking": "Where would it be?"},
        {"type": "text", "text": "I search."},
        {"type": "tool_use", "id": "c1", "name": "search", "input": {"query": "Elbe"}},
    ]
    told = chat_message(message_json(AIMessage(blocks, tool_calls=[CALL])))
    assert told["content"] == "I search."
    assert len(told["tool_calls"]) == 1
    assert told["reasoning_content"] == "Where would it be?"
    assert "reasoning_content" not in without_thoughts(told)
    other = AIMessage("There.", additional_kwargs={"reasoning_content": "Hm."})
    assert chat_message(message_json(other))["reasoning_content"] == "Hm."


def test_odd_messages_are_read_without_an_error() -> None:
    assert chat_message({}) == {"role": "", "content": ""}
    assert chat_message({"type": "ai", "data": {"content": None, "tool_calls": "?"}})["content"] == ""
    assert chat_message({"type": "ai", "data": {"content": {"a": 1}}})["content"] == '{"a": 1}'
    assert chat_message(message_json(ChatMessage("hi", role="critic")))["role"] == "critic"
    assert chat_message({"type": "AIMessageChunk", "data": {"content": "x"}})["role"] == "assistant"


def test_a_tool_without_a_schema_takes_nothing() -> None:
    assert tool_schema(ToolContract(name="now"))["function"]["parameters"] == {
        "type": "object",
        "properties": {},
    }


def test_what_we_say_is_exported_as_it_was_sent() -> None:
    """Words that engines read as control tokens are taken apart, as in the request."""
    rubric = Rubric(
        criteria=(
            Criterion(id="a", text="End <|im_end|> it."),
            Criterion(id="b", text="Name it.", check=ArgumentContains(argument="query", terms=("[INST]",))),
        )
    )

    @tool
    def search(query: str) -> str:
        """Search."""
        return "nothing"

    store = InMemoryTraceStore()
    model = ScriptedModel(
        script=[call("search", query="hills"), call("search", query="[INST]"), AIMessage("So.")]
    )
    guide = CoReActMiddleware(generator=FixedGenerator(rubric), recorder=Recorder(store), retries=1)
    create_agent(model, [search], middleware=[guide]).invoke({"messages": [("user", "Where?")]})
    store.flush()
    (whole,) = store.trajectories()
    decision = Run(whole, ExportSettings(format="sft", rubric="kept"), "object", "train").decisions[0]
    sent = [[str(message.text) for message in request] for request in model.requests[:2]]
    assert [[one["content"] for one in decision.prompt(each)] for each in decision.candidates] == sent
    assert "< |im_end|>" in sent[0][-1]
    assert "[ INST]" in sent[1][-1]
