"""`guide` and `refuse_held` in a hand-written graph behave as the middleware does."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Any

import pytest
from langchain_core.messages import AIMessage, HumanMessage, SystemMessage, ToolMessage
from langchain_core.tools import tool
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.errors import GraphBubbleUp
from langgraph.graph import START, StateGraph
from langgraph.prebuilt import ToolNode, tools_condition
from langgraph.types import Command, interrupt

from coreact.errors import ConfigError, MessagesError
from coreact.guide import STATUS_KEY, CoReActState, arefuse_held, guide, refuse_held
from coreact.rubric import Criterion, Rubric
from coreact.testing.scripted import ScriptedGenerator, ScriptedJudge, ScriptedModel, call

THREAD = {"configurable": {"thread_id": "1"}}
TASTE = Rubric(criteria=(Criterion(id="taste", text="Tasteful."),))


def graph(node: Any, tools: list[Any], *, saver: Any = None, between: Any = None, **settings: Any) -> Any:
    builder = StateGraph(CoReActState)
    builder.add_node("model", guide(node, tools=tools, **settings))
    builder.add_node("tools", ToolNode(tools, wrap_tool_call=refuse_held, awrap_tool_call=arefuse_held))
    builder.add_edge(START, "model")
    if between is None:
        builder.add_conditional_edges("model", tools_condition)
    else:
        builder.add_node("review", between)
        builder.add_edge("model", "review")
        builder.add_conditional_edges("review", tools_condition)
    builder.add_edge("tools", "model")
    return builder.compile(checkpointer=saver)


def calling(model: ScriptedModel) -> Any:
    def node(state: Any) -> dict[str, Any]:
        return {"messages": [model.invoke(state["messages"])]}

    return node


def acalling(model: ScriptedModel) -> Any:
    async def node(state: Any) -> dict[str, Any]:
        return {"messages": [await model.ainvoke(state["messages"])]}

    return node


@pytest.mark.parametrize("node", [calling, acalling])
def test_a_rejected_attempt_never_reaches_the_history(
    run: Any, tools: Any, want: Any, ours: Any, node: Any
) -> None:
    if run.colour == "sync" and node is acalling:
        pytest.skip("a coroutine function needs an async graph")
    model = ScriptedModel(script=[call("search", query="mud"), call("search", query="gold"), "done"])
    out = run.ask(graph(node(model), tools.all, generator=ScriptedGenerator(want("gold"))))
    assert tools.calls == ["gold"]
    assert [len(ours(request)) for request in model.requests] == [1, 2, 1]
    assert "mud" not in str(out["messages"])
    assert (out[STATUS_KEY]["step"], out[STATUS_KEY]["status"]) == (1, "unknown")


def test_an_async_node_in_a_blocking_graph_is_refused(tools: Any) -> None:
    with pytest.raises(ConfigError, match="coroutine function"):
        graph(acalling(ScriptedModel()), tools.all).invoke({"messages": [("user", "q")]})


def test_a_system_prompt_in_the_messages_is_read_as_one(
    run: Any, tools: Any, only_run: Any, recorder: Any
) -> None:
    model = ScriptedModel(script=["x", "x"])
    made = graph(calling(model), tools.all, recorder=recorder)
    run(made, {"messages": [SystemMessage("Be brief."), ("user", "Where is gold?")]})
    trajectory = only_run()
    assert trajectory.run.question == "Where is gold?"
    assert [m["type"] for m in trajectory.prompt(0)] == ["system", "human"]


@pytest.mark.parametrize("policy", ["block", "ask"])
def test_held_calls_are_answered_with_the_feedback(run: Any, tools: Any, want: Any, policy: str) -> None:
    model = ScriptedModel(script=[call("search", query="mud"), call("search", query="dust"), "done"])
    settings = {"generator": ScriptedGenerator(want("gold")), "on_unmet": policy}
    out = run.ask(graph(calling(model), tools.all, **settings))
    assert tools.calls == [], "also what was to be asked and never was"
    (result,) = [m for m in out["messages"] if isinstance(m, ToolMessage)]
    assert result.status == "error"


@pytest.mark.parametrize("approved", [True, False])
def test_a_node_of_the_graph_can_ask(run: Any, tools: Any, want: Any, approved: bool) -> None:
    def review(state: Any) -> dict[str, Any]:
        status = state[STATUS_KEY]
        if status["held"] and interrupt(status["held"]):
            return {STATUS_KEY: {**status, "held": {}}}
        return {}

    model = ScriptedModel(script=[call("search", query="mud"), call("search", query="dust"), "done"])
    made = graph(
        calling(model),
        tools.all,
        saver=InMemorySaver(),
        between=review,
        generator=ScriptedGenerator(want("gold")),
        on_unmet="ask",
    )
    stopped = run.ask(made, config=THREAD)
    (held,) = stopped["__interrupt__"][0].value.values()
    assert held["disposition"] == "asked"
    run(made, Command(resume=approved), THREAD)
    assert tools.calls == (["mud"] if approved else [])
    assert len(model.requests) == 3


def test_resume_samples_and_judges_nothing_again(run: Any, want: Any) -> None:
    sure: list[str] = []

    @tool
    def search(query: str) -> str:
        """Search the corpus."""
        sure.append(interrupt("sure?"))
        return f"Found {query}."

    model = ScriptedModel(script=[call("search", query="gold"), "done"])
    judge = ScriptedJudge(lambda c, a: "met")
    made = graph(
        calling(model), [search], saver=InMemorySaver(), generator=ScriptedGenerator(TASTE), judge=judge
    )
    stopped = run.ask(made, config=THREAD)
    assert (len(model.requests), len(judge.asked)) == (1, 1)
    out = run(made, Command(resume="yes"), THREAD)
    assert sure == ["yes"]
    assert (len(model.requests), len(judge.asked)) == (2, 2)
    assert out[STATUS_KEY]["run"] == stopped[STATUS_KEY]["run"]


def test_async_tools_run_in_an_async_graph(want: Any) -> None:
    seen: list[str] = []

    @tool
    async def search(query: str) -> str:
        """Search the corpus."""
        await asyncio.sleep(0)
        seen.append(query)
        return f"Found {query}."

    model = ScriptedModel(
        script=[call("search", query="gold"), call("search", query="mud"), call("search", query="dust"), "x"]
    )
    made = graph(calling(model), [search], generator=ScriptedGenerator(want("gold")), on_unmet="block")
    asyncio.run(made.ainvoke({"messages": [("user", "q")]}))
    assert seen == ["gold"]


def test_only_accepted_attempts_stream(run: Any, tools: Any, want: Any) -> None:
    model = ScriptedModel(script=[call("search", query="mud"), call("search", query="gold"), "it is done"])
    made = graph(calling(model), tools.all, generator=ScriptedGenerator(want("gold")))
    parts = run.stream(made, stream_mode=["messages", "custom"])
    messages = [part[0] for mode, part in parts if mode == "messages"]
    assert [m.type for m in messages] == ["ai", "tool", "ai"]
    assert "mud" not in str(messages)
    assert [part["type"] for mode, part in parts if mode == "custom"] == [
        "coreact.rubric",
        "coreact.attempt",
        "coreact.attempt",
        "coreact.rubric",
        "coreact.attempt",
    ]


def test_live_streaming_retracts_here_too(run: Any, tools: Any) -> None:
    model = ScriptedModel(script=["a bad draft", "the answer"])
    judge = ScriptedJudge(lambda c, a: "unmet" if "draft" in (a.answer or "") else "met")
    made = graph(calling(model), tools.all, generator=ScriptedGenerator(TASTE), judge=judge, stream="live")
    parts = run.stream(made, stream_mode=["messages", "custom"])
    tokens = [part[0] for mode, part in parts if mode == "messages"]
    (retracted,) = [part for mode, part in parts if mode == "custom" and part["type"] == "coreact.retract"]
    assert "".join(m.text for m in tokens if m.id == retracted["message_id"]) == "a bad draft"
    assert "".join(m.text for m in tokens if m.id != retracted["message_id"]) == "the answer"


def test_a_node_that_returns_the_whole_conversation_leaks_no_rubric(run: Any, tools: Any, want: Any) -> None:
    model = ScriptedModel(script=[call("search", query="mud"), call("search", query="gold"), "done"])

    def node(state: Any) -> dict[str, Any]:
        return {"messages": [*state["messages"], model.invoke(state["messages"])], "jump_to": None}

    out = run.ask(graph(node, tools.all, generator=ScriptedGenerator(want("gold"))))
    assert [m.type for m in out["messages"]] == ["human", "ai", "tool", "ai"]


def test_a_node_may_return_one_message_without_a_list(run: Any, tools: Any) -> None:
    out = run.ask(graph(lambda state: {"messages": AIMessage("hm")}, tools.all))
    assert out["messages"][-1].text == "hm"


@pytest.mark.parametrize(
    "update", [{}, {"messages": []}, None, {"messages": [ToolMessage("x", tool_call_id="1")]}]
)
def test_a_node_without_an_assistant_message_is_an_error(run: Any, tools: Any, update: Any) -> None:
    with pytest.raises(MessagesError, match="no assistant message"):
        run.ask(graph(lambda state: update, tools.all))


def test_candidates_and_failures_as_in_the_middleware(run: Any, tools: Any, want: Any) -> None:
    model = ScriptedModel(script=[ConnectionError("x"), call("search", query="gold"), "a", "b"])
    out = run.ask(graph(calling(model), tools.all, generator=ScriptedGenerator(want("gold")), candidates=2))
    assert tools.calls == ["gold"]
    assert out["messages"][-1].text in "ab"
    with pytest.raises(ConnectionError):
        run.ask(graph(calling(ScriptedModel(script=[ConnectionError("x")])), tools.all))


def test_control_flow_of_the_node_passes_through(run: Any, tools: Any, store: Any, recorder: Any) -> None:
    def node(state: Any) -> dict[str, Any]:
        interrupt("wait")
        return {"messages": [AIMessage("go")]}

    made = graph(node, tools.all, saver=InMemorySaver(), retries=0, recorder=recorder)
    stopped = run.ask(made, config=THREAD)
    assert stopped["__interrupt__"][0].value == "wait"
    assert run(made, Command(resume=1), THREAD)["messages"][-1].text == "go"


@pytest.mark.parametrize("settings", [{}, {"candidates": 2}])
def test_control_flow_is_no_failed_attempt(run: Any, tools: Any, settings: Any) -> None:
    class Stop(GraphBubbleUp):
        pass

    script = [call("search", query="gold"), Stop()] if settings else [Stop()]
    model = ScriptedModel(script=script)
    with suppress(Stop):
        run.ask(graph(calling(model), tools.all, **settings))
    assert tools.calls == []
    assert len(model.requests) == len(script)


def test_a_guided_node_can_be_called_outside_of_a_graph(run: Any, tools: Any) -> None:
    node = guide(calling(ScriptedModel(script=["hm"])), tools=tools.all, retries=0)
    given = {"messages": [HumanMessage("Where is gold?")]}
    update = node.invoke(given) if run.colour == "sync" else asyncio.run(node.ainvoke(given))
    assert update["messages"][0].text == "hm"
    assert update[STATUS_KEY]["step"] == 0


def test_broken_conversations_run_unguided(tools: Any, ours: Any) -> None:
    model = ScriptedModel(script=["hm"])
    given = {"messages": [("user", "q"), ToolMessage("late", tool_call_id="x")]}
    out = graph(calling(model), tools.all).invoke(given)
    assert ours(model.requests[0]) == []
    assert out[STATUS_KEY]["errors"][0].startswith("MessagesError: ")


def test_a_wrong_setting_is_refused(tools: Any) -> None:
    with pytest.raises(ConfigError, match="Did you mean 'retries'"):
        guide(lambda state: {}, retrys=2)
