"""Plain RAG: one search on the bare question, whatever the agent would like."""

from __future__ import annotations

from typing import Any

import pytest
from coreact_tools import corpus_tools
from langchain_core.messages import ToolMessage
from langchain_core.tools import tool

from coreact import CoReActMiddleware
from coreact.errors import ConfigError
from coreact.refine.baselines import PlainRAG
from coreact.worlds import Corpus, Passage


@pytest.fixture
def corpus() -> Corpus:
    return Corpus(
        [Passage(id=f"p{at}", title=f"Hill {at}", text=f"Gold lies under hill {at}.") for at in range(6)]
    )


@pytest.mark.parametrize("wanted", [0, 1, 5])
@pytest.mark.parametrize("guided", [False, True])
def test_the_number_of_searches_is_constant(
    run: Any, searching: Any, react: Any, corpus: Corpus, wanted: int, guided: bool
) -> None:
    search, _ = made = corpus_tools(corpus, k=4)
    model = searching(wanted)
    middleware = [CoReActMiddleware(retries=1)] if guided else []

    def build(tool_calls: int, sample: int) -> Any:
        return react(model, made, middleware=middleware, tool_calls=tool_calls)

    out = run.ask(PlainRAG(build, search), "Where is gold?")
    question, asked, found, answer = out["messages"]
    assert asked.tool_calls[0]["args"] == {"query": "Where is gold?"}
    assert isinstance(found, ToolMessage)
    assert len(found.artifact) == 4, "fixed k"
    assert answer.text == "answer after 1"
    assert not answer.tool_calls
    record = out["baseline"]
    assert (record.tool_calls, record.tool_call_limit, record.chosen) == (1, 1, 0)
    assert len(model.requests) >= 1
    assert question.text == "Where is gold?"


def test_only_the_last_question_is_searched_for(run: Any, searching: Any, react: Any, tools: Any) -> None:
    model = searching(0)
    rag = PlainRAG(lambda tool_calls, sample: react(model, tools.all, tool_calls=tool_calls), tools.all[0])
    run(rag, {"messages": [("user", "Hello"), ("ai", "Hi"), ("user", "Where is gold?")]})
    assert tools.calls == ["Where is gold?"]


def test_a_search_that_fails_is_an_observation(run: Any, searching: Any, react: Any) -> None:
    @tool
    def search(query: str) -> str:
        """Search."""
        raise OSError("disk gone")

    model = searching(0)
    out = run.ask(PlainRAG(lambda calls, _: react(model, [search], tool_calls=calls), search))
    found = out["messages"][2]
    assert (found.status, found.text) == ("error", "Error: OSError: disk gone")
    assert out["messages"][-1].text == "answer after 1"


def test_a_tool_without_a_query_is_refused(react: Any, searching: Any) -> None:
    @tool
    def search(subject: str, place: str) -> str:
        """Search."""
        return subject

    agent = react(searching(0), [search])
    with pytest.raises(ConfigError, match="no single argument"):
        PlainRAG(agent, search)
    assert PlainRAG(agent, search, argument="subject")


def test_an_agent_that_fails_fails(run: Any, policy: Any, react: Any, tools: Any) -> None:
    model = policy(script=lambda messages, must: TimeoutError("late"))
    with pytest.raises(TimeoutError, match="late"):
        run.ask(PlainRAG(react(model, tools.all), tools.all[0]))
    assert tools.calls == ["Where is gold?"]


def test_calls_of_a_conversation_have_ids_of_their_own(
    run: Any, searching: Any, react: Any, tools: Any
) -> None:
    model = searching(0)
    rag = PlainRAG(lambda tool_calls, sample: react(model, tools.all, tool_calls=tool_calls), tools.all[0])
    first = run.ask(rag, "Where is gold?")
    second = run(rag, {"messages": [*first["messages"], ("user", "And silver?")]})
    ids = [one["id"] for message in second["messages"] for one in getattr(message, "tool_calls", ())]
    assert len(set(ids)) == len(ids) == 2
