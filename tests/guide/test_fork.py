"""Runs that begin in the middle of another: same prompt, same place in the budget, then live."""

from __future__ import annotations

from typing import Any

import pytest
from langchain.agents import create_agent
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import END, START, StateGraph
from langgraph.prebuilt import ToolNode

from coreact.errors import ConfigError
from coreact.guide import STATUS_KEY, CoReActMiddleware, CoReActState, guide, refuse_held
from coreact.guide.forking import Fork
from coreact.guide.settings import GuideSettings
from coreact.rubric import Criterion, Rubric
from coreact.testing.scripted import ScriptedGenerator, ScriptedJudge, ScriptedModel, call
from coreact.trace import InMemoryTraceStore, Recorder, RunFilter, SQLiteTraceStore, Trajectory

TASTE = Rubric(criteria=(Criterion(id="taste", text="Tasteful."),))
SETTINGS: dict[str, Any] = {"retries": 1, "step_budget": 4, "limits": {"calls": 12}}
SCRIPT = [call("search", query=query) for query in ("mud", "gold", "ore")]


def judged(criterion: Any, action: Any) -> Any:
    return "unmet" if "mud" in str(action) else "met"


def agent(script: Any, tools: Any, recorder: Recorder, **more: Any) -> tuple[Any, ScriptedModel]:
    model = ScriptedModel(script=script)
    middleware = CoReActMiddleware(
        generator=ScriptedGenerator(TASTE),
        judge=ScriptedJudge(judged),
        recorder=recorder,
        agent="a",
        **SETTINGS,
    )
    made = create_agent(model, tools.all, middleware=[middleware], system_prompt="Be brief.", **more)
    return made, model


@pytest.fixture
def parent(run: Any, tools: Any, store: InMemoryTraceStore, recorder: Recorder) -> Trajectory:
    made, _ = agent([*SCRIPT, "In ore."], tools, recorder)
    run.ask(made)
    return store.trajectory(store.runs()[0].id)


@pytest.mark.parametrize("step", [0, 1, 2])
@pytest.mark.parametrize("saver", [None, InMemorySaver])
def test_a_fork_goes_on_where_the_parent_was(
    run: Any, tools: Any, recorder: Recorder, store: Any, parent: Trajectory, step: int, saver: Any
) -> None:
    made, model = agent(["Elsewhere."], tools, recorder, checkpointer=saver() if saver else None)
    given = Fork(parent, step).begin(recorder, GuideSettings.of(**SETTINGS), seed=7)
    out = run(made, given, {"configurable": {"thread_id": "f"}})
    fork = store.trajectory(given[STATUS_KEY]["run"])
    assert out[STATUS_KEY]["run"] == fork.run.id != parent.run.id
    assert (fork.run.parent, fork.run.forked_at, fork.run.seed) == (parent.run.id, step, 7)
    assert fork.run.question == parent.run.question
    assert fork.run.settings == parent.run.settings
    assert [one.index for one in fork.steps] == [step]
    assert fork.prompt(step) == parent.prompt(step), "byte for byte, ids included"
    mine, theirs = fork.steps[0], parent.steps[step]
    for field in ("state_digest", "phase", "rung", "guidance", "rubric"):
        assert getattr(mine, field) == getattr(theirs, field), field
    assert fork.tools(step) == parent.tools(step)
    assert fork.end is not None
    assert fork.end.answer == "Elsewhere."
    assert len(model.requests) == 1


def test_what_the_parent_spent_and_scored_counts_on(
    run: Any, tools: Any, recorder: Recorder, store: Any, parent: Trajectory
) -> None:
    """A fork that does what the parent did ends with the parent's spending and score."""
    made, _ = agent([SCRIPT[2], "In ore."][-1:], tools, recorder)
    out = run(made, Fork(parent, 2).begin(recorder))
    fork = store.trajectory(out[STATUS_KEY]["run"])
    assert parent.end is not None
    assert fork.end is not None
    assert fork.end.score == pytest.approx(parent.end.score)
    spent = sum(step.cost.calls - step.attempts[0].cost.calls for step in parent.steps)
    assert out[STATUS_KEY]["spent"]["calls"] == spent


def test_samples_of_one_place_are_runs_of_their_own(
    run: Any, tools: Any, parent: Trajectory, tmp_path: Any
) -> None:
    store = SQLiteTraceStore(tmp_path / "traces.db")
    recorder, fork = Recorder(store), Fork(parent, 1)
    before = [message.model_dump() for message in fork.messages]
    for answer in ("Here.", "There.", "mud", "Here."):
        made, _ = agent([answer, answer], tools, recorder)
        run(made, fork.begin(recorder))
    store.flush()
    forks = [store.trajectory(one.id) for one in store.runs()]
    assert {(one.run.parent, one.run.forked_at) for one in forks} == {(parent.run.id, 1)}
    assert len({one.run.id for one in forks}) == 4
    assert len({str(one.prompt(1)) for one in forks}) == 1
    assert sorted(one.end.answer for one in forks if one.end) == ["Here.", "Here.", "There.", "mud"]
    assert len(store.runs(where=RunFilter(agent="a"))) == 4
    assert [message.model_dump() for message in fork.messages] == before
    store.close()


def test_a_fork_of_a_fork(run: Any, tools: Any, recorder: Recorder, store: Any, parent: Trajectory) -> None:
    made, _ = agent([SCRIPT[1], SCRIPT[2], "In ore."], tools, recorder)
    out = run(made, Fork(parent, 1).begin(recorder))
    child = store.trajectory(out[STATUS_KEY]["run"])
    made, _ = agent(["Elsewhere."], tools, recorder)
    out = run(made, Fork(child, 2).begin(recorder))
    grandchild = store.trajectory(out[STATUS_KEY]["run"])
    assert (grandchild.run.parent, grandchild.run.forked_at) == (child.run.id, 2)
    assert grandchild.prompt(2) == child.prompt(2)


def test_a_hand_written_graph_that_keeps_its_system_prompt(
    run: Any, tools: Any, recorder: Recorder, store: Any
) -> None:
    def graph(script: Any) -> Any:
        model = ScriptedModel(script=script)
        builder = StateGraph(CoReActState)
        node = guide(
            lambda s: {"messages": [model.invoke(s["messages"])]}, tools=tools.all, recorder=recorder
        )
        builder.add_node("model", node)
        builder.add_node(
            "tools", ToolNode(tools.all, wrap_tool_call=refuse_held, awrap_tool_call=refuse_held)
        )
        builder.add_edge(START, "model")
        builder.add_conditional_edges("model", lambda s: "tools" if s["messages"][-1].tool_calls else END)
        builder.add_edge("tools", "model")
        return builder.compile()

    given = {"messages": [("system", "Be brief."), ("user", "Where is gold?")]}
    graph([SCRIPT[1], "Found gold."]).invoke(given)
    parent = store.trajectory(store.runs()[0].id)
    begun = Fork(parent, 1).begin(recorder, with_system=True)
    graph(["Found gold."]).invoke(begun)
    fork = store.trajectory(begun[STATUS_KEY]["run"])
    assert [one["data"]["content"] for one in fork.prompt(1)] == [
        one["data"]["content"] for one in parent.prompt(1)
    ]
    assert fork.steps[0].state_digest == parent.steps[1].state_digest


def test_places_that_are_not_there_are_refused(parent: Trajectory) -> None:
    with pytest.raises(ConfigError, match="has no step 9"):
        Fork(parent, 9)
    redacted = parent.run.model_copy(update={"capture": "off"})
    with pytest.raises(ConfigError, match="capture='off'"):
        Fork(parent.model_copy(update={"run": redacted}), 0)
