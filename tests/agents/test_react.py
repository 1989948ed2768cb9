"""The ReAct agent: what the server configuration names exists, and both arms are the same agent."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.runnables import Runnable
from langchain_core.tools import tool
from pydantic import Field

from coreact import CoReActMiddleware
from coreact.cli import recipes
from coreact.cli.recipes import agents, load_agent
from coreact.errors import ConfigError
from coreact.testing import ScriptedModel, call

ROOT = Path(__file__).parents[2]
GRAPHS: dict[str, str] = json.loads(ROOT.joinpath("langgraph.json").read_text(encoding="utf-8"))["graphs"]


@pytest.fixture
def react() -> ModuleType:
    return load_agent("react")


@tool
def search(query: str) -> str:
    """Search the corpus."""
    return f"Found {query}."


class ToolChoice(ScriptedModel):
    """Remembers the tool choice of each request, and never stops calling tools of its own accord."""

    choices: list[Any] = Field(default_factory=list)

    def bind_tools(self, tools: Sequence[Any], **kwargs: Any) -> Runnable[Any, AIMessage]:
        self.choices.append(kwargs.get("tool_choice"))
        return super().bind_tools(tools, **kwargs)


def relentless() -> ToolChoice:
    model = ToolChoice()

    def reply(messages: Sequence[BaseMessage]) -> AIMessage:
        if model.choices[-1] == "none":
            return AIMessage("Nothing.")
        done = sum(isinstance(message, AIMessage) for message in messages)
        assert done < 10, "nothing ends this run"
        return call("search", query=f"thing {done}", id=f"c{done}")

    model.script = reply
    return model


Ask = Callable[[Any], list[BaseMessage]]


@pytest.fixture(params=["sync", "async"])
def ask(request: pytest.FixtureRequest) -> Ask:
    given = {"messages": [("user", "Where is gold?")]}

    def run(graph: Any) -> list[BaseMessage]:
        out = graph.invoke(given) if request.param == "sync" else asyncio.run(graph.ainvoke(given))
        messages: list[BaseMessage] = out["messages"]
        return messages

    return run


# --- where agents are found -----------------------------------------------------------------------


def test_agents_are_found_in_the_repository() -> None:
    assert agents()["react"] == ROOT / "agents" / "react" / "graph.py"
    assert callable(load_agent("react").build)


@pytest.mark.parametrize("name", ["react", "deep_research"])
def test_agents_on_the_server_get_no_tool_that_shows_nothing_new(name: str) -> None:
    assert [one.name for one in load_agent(name)._tools()] == ["search"], "the gazetteer's passages are short"


def test_an_unknown_agent_names_those_there_are() -> None:
    with pytest.raises(ConfigError, match="nobody") as caught:
        load_agent("nobody")
    assert "react" in caught.value.remedy


def test_an_installed_agent_wins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for place, text in (("inside", "WHERE = 1"), ("beside", "WHERE = 2")):
        folder = tmp_path / place / "own"
        folder.mkdir(parents=True)
        folder.joinpath("graph.py").write_text(text)
    monkeypatch.setattr(recipes, "_PLACES", (tmp_path / "inside", tmp_path / "beside"))
    assert list(agents()) == ["own"]
    assert load_agent("own").WHERE == 1


# --- the server's configuration -------------------------------------------------------------------


def test_every_graph_of_the_server_is_there() -> None:
    for place in GRAPHS.values():
        path, _, attribute = place.partition(":")
        file = (ROOT / path).resolve()
        assert file in agents().values()
        assert callable(getattr(load_agent(file.parent.name), attribute))


@pytest.mark.parametrize("name", [name for name in GRAPHS if name.startswith("react")])
def test_the_graphs_of_the_server_build_and_run(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    path, _, attribute = GRAPHS[name].partition(":")
    file = (ROOT / path).resolve()
    assert file in agents().values()
    module = load_agent(file.parent.name)
    model = ScriptedModel(script=["Nobody knows."])
    asked: list[str] = []

    def opened(name: str) -> ScriptedModel:
        asked.append(name)
        return model

    monkeypatch.setattr(module, "_model", opened)
    graph = getattr(module, attribute)({"configurable": {"model": "provider:some"}})
    assert asked == ["provider:some"]
    out = graph.invoke({"messages": [("user", "Who?")]})
    assert out["messages"][-1].text == "Nobody knows."
    assert {bound["function"]["name"] for bound in model.bound} == {"search"}
    assert ("coreact" in out) == ("guided" in name)


# --- the agent ------------------------------------------------------------------------------------


def requests(react: ModuleType, ask: Ask, middleware: list[Any]) -> tuple[list[Any], list[Any]]:
    model = relentless()
    ask(react.build(model, [search], middleware=middleware, tool_calls=2))
    plain = [[message.model_dump(exclude={"id"}) for message in sent] for sent in model.requests]
    return plain, model.choices


def test_switched_off_guidance_sends_the_requests_of_the_plain_agent(react: ModuleType, ask: Ask) -> None:
    plain = requests(react, ask, [])
    assert requests(react, ask, [CoReActMiddleware(enabled=False)]) == plain
    assert requests(react, ask, [CoReActMiddleware()]) != plain


@pytest.mark.parametrize("guided", [False, True])
@pytest.mark.parametrize("budget", [1, 3])
def test_tools_are_forbidden_after_the_budget(react: ModuleType, ask: Ask, budget: int, guided: bool) -> None:
    model = relentless()
    middleware = [CoReActMiddleware(retries=0, step_budget=budget)] if guided else []
    messages = ask(react.build(model, [search], middleware=middleware, tool_calls=budget))
    assert model.choices == [None] * budget + ["none"]
    assert [message.type for message in messages] == ["human", *(["ai", "tool"] * budget), "ai"]
    assert messages[-1].text == "Nothing."


def test_rejected_proposals_do_not_use_up_the_budget(react: ModuleType, ask: Ask) -> None:
    model = relentless()
    first = call("search", query="thing", id="a")
    script = [first, first, call("search", query="another thing", id="b"), "It is there."]
    model.script = script
    messages = ask(react.build(model, [search], middleware=[CoReActMiddleware()], tool_calls=2))
    assert model.choices[:3] == [None, None, None]
    assert set(model.choices[3:]) == {"none"}
    assert [message.type for message in messages] == ["human", "ai", "tool", "ai", "tool", "ai"]


def test_the_prompt_is_the_same_in_both_arms(react: ModuleType) -> None:
    for middleware in ([], [CoReActMiddleware()]):
        model = ScriptedModel(script=["There."])
        react.build(model, [search], middleware=middleware).invoke({"messages": [("user", "Where?")]})
        assert [m.text for m in model.requests[0] if m.type == "system"] == [react.PROMPT]
