"""Beside deepagents' own middlewares, with guided and unguided subagents."""

from __future__ import annotations

from typing import Any

from deepagents import create_deep_agent
from langchain.agents import create_agent
from langchain_core.messages import AIMessage, ToolMessage
from langgraph.checkpoint.memory import InMemorySaver

from coreact.guide import STATUS_KEY, CoReActMiddleware
from coreact.testing.scripted import ScriptedGenerator, ScriptedModel, call


def tasks(*names: str) -> AIMessage:
    """A message that gives one task to each of these subagents."""
    return AIMessage(
        "",
        tool_calls=[
            {
                "name": "task",
                "args": {"description": f"Find gold for {name}.", "subagent_type": name},
                "id": name,
            }
            for name in names
        ],
    )


def helper(name: str, model: Any, *, guided: bool, tools: Any, **settings: Any) -> dict[str, Any]:
    return {
        "name": name,
        "description": "Finds things.",
        "system_prompt": "Find it.",
        "model": model,
        "tools": tools.all,
        "middleware": [CoReActMiddleware(**settings)] if guided else [],
    }


def test_it_runs_beside_the_middlewares_of_a_deep_agent(
    run: Any, tools: Any, want: Any, only_run: Any, recorder: Any
) -> None:
    note = call("write_file", file_path="/note.txt", content="look for gold")
    script = [note, call("search", query="mud"), call("search", query="gold"), "done"]
    middleware = CoReActMiddleware(generator=ScriptedGenerator(want("gold")), recorder=recorder, agent="deep")
    agent = create_deep_agent(model=ScriptedModel(script=script), tools=tools.all, middleware=[middleware])
    out = run.ask(agent)
    assert tools.calls == ["gold"]
    assert "/note.txt" in out["files"]
    assert out["messages"][-1].text == "done"
    assert out[STATUS_KEY]["step"] == 2
    assert out[STATUS_KEY]["errors"] == []
    assert [o.tool for o in only_run().observations] == ["write_file", "search"]


def test_the_defaults_suit_a_deep_agent(run: Any, tools: Any) -> None:
    script = [call("search", query="gold"), "done"]
    agent = create_deep_agent(
        model=ScriptedModel(script=script), tools=tools.all, middleware=[CoReActMiddleware(retries=0)]
    )
    assert run.ask(agent)[STATUS_KEY]["errors"] == []
    assert tools.calls == ["gold"]


def test_a_guided_agent_may_have_an_unguided_subagent(
    run: Any, tools: Any, recorder: Any, only_run: Any, ours: Any
) -> None:
    worker = ScriptedModel(script=[call("search", query="gold"), "found it"])
    agent = create_deep_agent(
        model=ScriptedModel(script=[tasks("finder"), "done"]),
        tools=tools.all,
        middleware=[CoReActMiddleware(retries=0, recorder=recorder)],
        subagents=[helper("finder", worker, guided=False, tools=tools)],
    )
    out = run.ask(agent)
    assert not any(ours(request) for request in worker.requests)
    assert out[STATUS_KEY]["step"] == 1
    assert only_run().observations[0].text == "found it"


def test_two_guided_subagents_at_once_keep_their_runs_apart(
    run: Any, tools: Any, store: Any, recorder: Any
) -> None:
    def worker(name: str) -> ScriptedModel:
        return ScriptedModel(script=[call("search", query=f"gold {name}"), f"found by {name}"])

    agent = create_deep_agent(
        model=ScriptedModel(script=[tasks("a", "b"), "done"]),
        tools=tools.all,
        middleware=[CoReActMiddleware(retries=0, recorder=recorder, agent="main")],
        subagents=[
            helper(n, worker(n), guided=True, tools=tools, retries=0, recorder=recorder, agent=n)
            for n in "ab"
        ],
        checkpointer=InMemorySaver(),
    )
    out = run.ask(agent, config={"configurable": {"thread_id": "1"}})
    assert sorted(m.text for m in out["messages"] if isinstance(m, ToolMessage)) == [
        "found by a",
        "found by b",
    ]
    runs = {summary.agent: store.trajectory(summary.id) for summary in store.runs()}
    assert set(runs) == {"main", "a", "b"}
    assert out[STATUS_KEY]["run"] == runs["main"].run.id, "a subagent's status must not replace the caller's"
    assert out[STATUS_KEY]["step"] == 1
    assert len(store.runs()) == 3
    assert runs["a"].run.question == "Find gold for a."
    assert all(t.end is not None and len(t.steps) == 2 for t in runs.values())


def test_a_guided_subagent_of_an_unguided_agent(run: Any, tools: Any) -> None:
    workers = [
        helper(n, ScriptedModel(script=["found"]), guided=True, tools=tools, retries=0) for n in ("a", "b")
    ]
    agent = create_deep_agent(
        model=ScriptedModel(script=[tasks("a", "b"), "done"]), tools=tools.all, subagents=workers
    )
    out = run.ask(agent)
    assert out["messages"][-1].text == "done"
    assert STATUS_KEY not in out


def test_a_compiled_agent_as_subagent_shows_nothing_of_its_rejected_attempts(
    run: Any, tools: Any, want: Any
) -> None:
    inner = create_agent(
        ScriptedModel(script=[call("search", query="mud"), call("search", query="gold"), "found"]),
        tools.all,
        middleware=[CoReActMiddleware(generator=ScriptedGenerator(want("gold")))],
    )
    agent = create_deep_agent(
        model=ScriptedModel(script=[tasks("c"), "done"]),
        tools=tools.all,
        middleware=[CoReActMiddleware(retries=0)],
        subagents=[{"name": "c", "description": "Compiled.", "runnable": inner}],
    )
    parts = run.stream(agent, stream_mode="messages", subgraphs=True)
    assert "mud" not in str(parts)
    assert tools.calls == ["gold"]
