"""Whatever an agent acts on or talks to, its trajectory has the same schema."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from coreact_tools import corpus_tools
from langchain.agents import create_agent
from langchain_core.messages import AIMessage
from langgraph.graph import START, MessagesState, StateGraph

from coreact import CoReActMiddleware
from coreact.testing import ScriptedModel, call
from coreact.trace import Recorder, SQLiteTraceStore
from coreact.worlds import Corpus, Passage
from coreact.worlds.engine import ModelEngine
from coreact.worlds.environment import Case, environment_tools
from coreact.worlds.users import ScriptedUser, user_node

CASE = Case.model_validate(
    {
        "id": "c",
        "task": "Find out.",
        "rows": [{"action": "Quito", "observation": "It is the capital of Ecuador."}],
    }
)
SEARCH = call("search", query="Quito")
ACT = call("act", action="Quito")


def shape(value: Any) -> Any:
    """The keys and types of a JSON value, free content and times aside."""
    free = {"arguments", "prompt_added", "message", "tools", "settings", "rubric", "judgements"}
    if isinstance(value, dict):
        return {key: type(one).__name__ if key in free else shape(one) for key, one in sorted(value.items())}
    if isinstance(value, list):
        return [shape(value[0])] if value else []
    return (
        "number" if isinstance(value, int | float) and not isinstance(value, bool) else type(value).__name__
    )


def recorded(folder: Path, first: AIMessage, tools: list[Any], *, user: Any = None) -> dict[str, Any]:
    folder.mkdir()
    store = SQLiteTraceStore(folder / "traces.db")
    recorder = Recorder(store)
    agent: Any = create_agent(
        ScriptedModel(script=[first, AIMessage("Ecuador")]),
        tools,
        middleware=[CoReActMiddleware(recorder=recorder, retries=0, agent="a")],
    )
    state: Any = {"messages": [("user", "Which country is Quito the capital of?")]}
    if user is not None:
        graph = StateGraph(MessagesState)
        graph.add_node("user", user_node(user), destinations=("agent", "__end__"))
        graph.add_node("agent", agent)
        graph.add_edge(START, "user")
        graph.add_edge("agent", "user")
        agent, state = graph.compile(), {"messages": []}
    agent.invoke(state)
    recorder.flush()
    (trajectory,) = store.trajectories()
    store.close()
    assert [len(trajectory.steps), len(trajectory.observations)] == [2, 1]
    assert trajectory.run.question == "Which country is Quito the capital of?"
    assert trajectory.end is not None
    return trajectory.model_dump(mode="json")


def test_trajectories_have_one_schema(tmp_path: Path) -> None:
    passage = Passage(id="p1", title="Quito", text="It is the capital of Ecuador.")
    corpus = corpus_tools(Corpus([passage]))
    engine = corpus_tools(ModelEngine(ScriptedModel(script=["Quito: It is the capital of Ecuador."])))
    user = ScriptedUser("Which country is Quito the capital of?")
    runs = {
        "corpus": recorded(tmp_path / "a", SEARCH, corpus),
        "model": recorded(tmp_path / "b", SEARCH, engine),
        "environment": recorded(tmp_path / "c", ACT, environment_tools(CASE)),
        "user": recorded(tmp_path / "d", SEARCH, corpus, user=user),
    }
    for run in runs.values():
        assert "the capital of Ecuador" in run["observations"][0]["text"]
        assert shape(run) == shape(runs["corpus"])
