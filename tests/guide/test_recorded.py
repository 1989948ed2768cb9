"""Tools that answer from a record: the same interface, the same bytes, and misses that say so."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from coreact_tools import corpus_tools
from langchain.agents import create_agent
from langchain_core.messages import AIMessage, ToolMessage
from langchain_core.tools import tool
from langchain_core.utils.function_calling import convert_to_openai_tool

from coreact import CoReActMiddleware
from coreact.errors import ConfigError, ReplayDivergenceError
from coreact.guide.recorded import NOT_RECORDED, recorded_tools
from coreact.host.messages import contract
from coreact.testing import ScriptedModel, call
from coreact.trace import InMemoryTraceStore, Recorder, Trajectory
from coreact.worlds import Corpus, Passage

PASSAGES = [
    Passage(id="a", title="Ouagadougou", text="Ouagadougou is the capital of Burkina Faso."),
    Passage(id="b", title="Burkina Faso", text="Burkina Faso uses the CFA franc.\n  “Zwei”  "),
]
PLAN: list[AIMessage | str] = [
    call("search", query="Ouagadougou capital", id="c1"),
    call("search", query="Burkina currency", id="c2"),
    call("read", passage_id="b", id="c3"),
    "The CFA franc.",
]


@tool
def counter(word: str) -> str:
    """Says how often it was called.

    Args:
        word: any.
    """
    counter.metadata = {"calls": (counter.metadata or {}).get("calls", 0) + 1}
    if word == "broken":
        raise ValueError("no such word")
    return f"{word} {counter.metadata['calls']}"


def live_tools() -> list[Any]:
    return [*corpus_tools(Corpus(PASSAGES)), counter]


def run(
    plan: Sequence[Any], tools: Sequence[Any], *, record: bool = True
) -> tuple[list[Any], Trajectory | None]:
    store = InMemoryTraceStore()
    guidance = [CoReActMiddleware(recorder=Recorder(store), retries=0)] if record else []
    agent = create_agent(ScriptedModel(script=list(plan)), list(tools), middleware=guidance)
    messages = agent.invoke({"messages": [{"role": "user", "content": "Which currency?"}]})["messages"]
    found = [store.trajectory(summary.id) for summary in store.runs()] if record else []
    return messages, found[0] if found else None


def results(messages: Sequence[Any]) -> list[dict[str, Any]]:
    return [m.model_dump(exclude={"id"}) for m in messages if isinstance(m, ToolMessage)]


def recorded(plan: Sequence[Any] = PLAN) -> tuple[list[Any], Trajectory]:
    messages, trajectory = run(plan, live_tools())
    assert trajectory is not None
    return messages, trajectory


def test_the_interface_is_that_of_the_live_tools() -> None:
    _, trajectory = recorded()
    made = recorded_tools([trajectory])
    for live, from_record in zip(live_tools(), made, strict=True):
        assert contract(from_record) == contract(live)
        assert convert_to_openai_tool(from_record) == convert_to_openai_tool(live)


def test_answers_are_those_of_the_record_byte_for_byte() -> None:
    live, trajectory = recorded()
    again, _ = run(PLAN, recorded_tools([trajectory]), record=False)
    assert results(again) == results(live)
    assert [m.text for m in again] == [m.text for m in live]
    assert [r["artifact"] for r in results(again)] == [["a"], ["b", "a"], ["b"]]


async def test_the_same_without_blocking_and_under_another_call_id() -> None:
    live, trajectory = recorded()
    search = recorded_tools([trajectory])[0]
    got = await search.ainvoke(
        {
            "name": "search",
            "args": {"query": "Ouagadougou capital"},
            "id": "other",
            "type": "tool_call",
        }
    )
    assert got.model_dump(exclude={"id"}) == results(live)[0] | {"tool_call_id": "other"}
    assert await search.ainvoke({"query": "Ouagadougou capital"}) == results(live)[0]["content"]


def test_another_agent_may_ask_in_another_order() -> None:
    live, trajectory = recorded()
    plan = [call("read", passage_id="b", id="x1"), call("search", query="Burkina currency", id="x2"), "done"]
    again, _ = run(plan, recorded_tools([trajectory]), record=False)
    assert [r["content"] for r in results(again)] == [results(live)[at]["content"] for at in (2, 1)]


def test_what_is_not_recorded_is_raised_or_told() -> None:
    _, trajectory = recorded()
    plan = [call("search", query="Paris", id="x1"), "done"]
    with pytest.raises(ReplayDivergenceError, match="Paris"):
        run(plan, recorded_tools([trajectory]), record=False)
    tools = recorded_tools([trajectory], on_miss="tell")
    messages, _ = run(plan, tools, record=False)
    (told,) = results(messages)
    assert (told["content"], told["status"]) == (NOT_RECORDED, "error")
    assert tools[0].misses == ({"query": "Paris"},)


def test_equal_calls_come_in_their_order_and_the_last_for_ever() -> None:
    same = [call("counter", word="one", id=f"c{n}") for n in range(2)]
    live, trajectory = recorded([*same, "done"])
    said = [r["content"] for r in results(live)]
    assert said[0] != said[1]
    again, _ = run(
        [*same, call("counter", word="one", id="c9"), "x"], recorded_tools([trajectory]), record=False
    )
    assert [r["content"] for r in results(again)] == [*said, said[1]]


def test_several_runs_answer_together() -> None:
    _, first = recorded([call("search", query="Ouagadougou", id="1"), "x"])
    _, second = recorded([call("search", query="Burkina", id="1"), "x"])
    search = recorded_tools([first, second])[0]
    assert "Ouagadougou" in search.invoke({"query": "Ouagadougou"})
    assert "CFA" in search.invoke({"query": "Burkina"})


def test_a_recorded_failure_fails_again() -> None:
    with pytest.raises(ValueError, match="no such word"):
        recorded([call("counter", word="broken", id="1")])
    store = InMemoryTraceStore()
    agent = create_agent(
        ScriptedModel(script=[call("counter", word="broken", id="1")]),
        live_tools(),
        middleware=[CoReActMiddleware(recorder=Recorder(store))],
    )
    with pytest.raises(ValueError):
        agent.invoke({"messages": [{"role": "user", "content": "?"}]})
    (summary,) = store.runs()
    tools = recorded_tools([store.trajectory(summary.id)])
    with pytest.raises(ValueError, match="no such word"):
        tools[2].invoke({"word": "broken"})


def test_runs_that_cannot_answer_are_refused() -> None:
    _, trajectory = recorded()
    partly = trajectory.model_copy(update={"run": trajectory.run.model_copy(update={"capture": "off"})})
    with pytest.raises(ConfigError, match="in full"):
        recorded_tools([partly])
    with pytest.raises(ConfigError, match="No tool"):
        recorded_tools([])
    other = [corpus_tools(Corpus(PASSAGES), k=1)[0]]
    _, differs = run([call("search", query="Burkina", id="1"), "x"], other)
    assert differs is not None
    with pytest.raises(ConfigError, match="another tool"):
        recorded_tools([trajectory, differs])
