"""A stored run gives back the state of each decision."""

from __future__ import annotations

from typing import Any

import pytest
from langchain.agents import create_agent
from langchain_core.messages import AIMessage
from langchain_core.tools import tool
from langgraph.checkpoint.memory import InMemorySaver

from coreact.errors import StoreError
from coreact.generate.generator import Written
from coreact.generate.heuristic import HeuristicGenerator
from coreact.guide import CoReActMiddleware
from coreact.rubric import State
from coreact.testing.scripted import ScriptedModel, call
from coreact.trace import InMemoryTraceStore, Recorder, SQLiteTraceStore
from coreact.trace.states import state_at


class Watched(HeuristicGenerator):
    """Remembers the states that it was asked in."""

    def __init__(self) -> None:
        self.states: list[State] = []

    def write(self, state: State) -> Written:
        self.states.append(state)
        return super().write(state)


@tool
def search(query: str) -> str:
    """Find passages."""
    return f"About {query}: the Elbe rises in the Giant Mountains, see https://example.org/elbe."


@pytest.fixture(params=["memory", "sqlite"])
def store(request: pytest.FixtureRequest, tmp_path: Any) -> Any:
    return InMemoryTraceStore() if request.param == "memory" else SQLiteTraceStore(tmp_path / "traces.db")


def a_run(store: Any) -> tuple[Any, list[State]]:
    generator = Watched()
    model = ScriptedModel(
        script=[call("search", query="Elbe"), call("search", query="Giant Mountains"), AIMessage("There.")]
    )
    middleware = CoReActMiddleware(generator=generator, recorder=Recorder(store), step_budget=3, retries=0)
    agent = create_agent(model, [search], system_prompt="Be brief.", middleware=[middleware])
    agent.invoke(
        {"messages": [("user", "An old question"), ("ai", "Yes."), ("user", "Where does the Elbe rise?")]}
    )
    store.flush()
    return store.trajectory(store.runs()[0].id), generator.states


def test_every_state_comes_back_whole(store: Any) -> None:
    trajectory, states = a_run(store)
    assert len(states) == 3
    assert [state_at(trajectory, step) for step in range(3)] == states
    assert trajectory.steps[0].tools is not None
    assert trajectory.steps[1].tools is None, "tools are stored where they change"


def test_a_changed_record_is_told(store: Any) -> None:
    trajectory, _ = a_run(store)
    step = trajectory.steps[1]
    message = {"type": "human", "data": {"content": "Another question"}}
    forged = step.model_copy(update={"prompt_kept": 0, "prompt_added": (message,)})
    with pytest.raises(StoreError, match="another state"):
        state_at(trajectory.model_copy(update={"steps": (trajectory.steps[0], forged)}), 1)


def test_what_is_not_there_is_told(store: Any) -> None:
    trajectory, _ = a_run(store)
    with pytest.raises(IndexError):
        state_at(trajectory, 7)
    blind = trajectory.steps[0].model_copy(update={"state_digest": "", "error": "MessagesError: broken"})
    with pytest.raises(StoreError, match="without a state"):
        state_at(trajectory.model_copy(update={"steps": (blind,)}), 0)


def test_a_step_that_is_decided_again_is_stored_whole(store: Any) -> None:
    """Time travel: the graph goes back to a checkpoint and decides a step anew, in the same process."""
    model = ScriptedModel(
        script=[call("search", query="Elbe"), call("search", query="Giant Mountains"), AIMessage("There.")]
        * 2
    )
    middleware = CoReActMiddleware(recorder=Recorder(store), step_budget=3, retries=0)
    agent = create_agent(model, [search], middleware=[middleware], checkpointer=InMemorySaver())
    config: Any = {"configurable": {"thread_id": "t"}}
    agent.invoke({"messages": [("user", "Where does the Elbe rise?")]}, config)
    before = next(
        one
        for one in agent.get_state_history(config)
        if one.next == ("model",) and len(one.values["messages"]) == 3
    )
    agent.invoke(None, before.config)
    store.flush()
    trajectory = store.trajectory(store.runs()[0].id)
    for step in trajectory.steps:
        assert state_at(trajectory, step.index).digest == step.state_digest
