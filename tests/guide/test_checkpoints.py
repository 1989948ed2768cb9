"""Checkpoints: resume judges and samples nothing again, humans are asked about what then runs."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from langchain.agents import create_agent
from langchain.agents.middleware import HumanInTheLoopMiddleware
from langchain_core.messages import AIMessage, HumanMessage, ToolMessage
from langchain_core.tools import tool
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.checkpoint.sqlite import SqliteSaver
from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver
from langgraph.types import Command, interrupt

from coreact.guide import STATUS_KEY, CoReActMiddleware
from coreact.rubric import Criterion, Rubric
from coreact.testing.scripted import ScriptedGenerator, ScriptedJudge, ScriptedModel, call
from coreact.trace import Recorder

THREAD = {"configurable": {"thread_id": "1"}}
TASTE = Rubric(criteria=(Criterion(id="taste", text="Tasteful."),))
APPROVE = {"decisions": [{"type": "approve"}]}
REJECT = {"decisions": [{"type": "reject", "message": "Not that one."}]}


def asking(
    model: Any, tools: Any, saver: Any, *, judge: Any = None, rubric: Rubric = TASTE, **settings: Any
) -> Any:
    settings.setdefault("on_unmet", "ask")
    judge = judge or ScriptedJudge(lambda criterion, action: "unmet")
    middleware = CoReActMiddleware(generator=ScriptedGenerator(rubric), judge=judge, **settings)
    return create_agent(model, tools.all, middleware=[middleware], checkpointer=saver)


# --- one thread, several runs --------------------


def test_each_question_on_a_thread_is_a_run_of_its_own(
    run: Any, tools: Any, store: Any, recorder: Any
) -> None:
    model = ScriptedModel(script=["one", "one", "two", "two"])
    agent = create_agent(
        model, tools.all, middleware=[CoReActMiddleware(recorder=recorder)], checkpointer=InMemorySaver()
    )
    first = run.ask(agent, "Where is gold?", THREAD)
    second = run.ask(agent, "Where is silver?", THREAD)
    assert first[STATUS_KEY]["run"] != second[STATUS_KEY]["run"]
    assert second[STATUS_KEY]["step"] == 0
    assert second[STATUS_KEY]["spent"]["calls"] <= 1, "what the first run spent is not charged to the second"
    trajectories = [store.trajectory(summary.id) for summary in store.runs()]
    assert {t.run.question for t in trajectories} == {"Where is gold?", "Where is silver?"}
    assert {t.run.thread_id for t in trajectories} == {"1"}


def test_the_same_question_again_is_another_run(run: Any, tools: Any, store: Any, recorder: Any) -> None:
    model = ScriptedModel(script=lambda _: "x")
    agent = create_agent(
        model, tools.all, middleware=[CoReActMiddleware(recorder=recorder)], checkpointer=InMemorySaver()
    )
    run.ask(agent, "Where is gold?", THREAD)
    run.ask(agent, "Where is gold?", THREAD)
    assert len(store.runs()) == 2


# --- interrupts in tools --------------------


def confirming(calls: list[str]) -> Any:
    @tool
    def search(query: str) -> str:
        """Search the corpus."""
        calls.append(interrupt("sure?"))
        return f"Found {query}."

    return search


def test_a_resumed_run_goes_on_in_a_new_middleware(run: Any, store: Any, want: Any) -> None:
    calls: list[str] = []
    saver, judge = InMemorySaver(), ScriptedJudge(lambda criterion, action: "met")
    rubric = Rubric(criteria=(*want("gold").criteria, *TASTE.criteria))
    model = ScriptedModel(script=[call("search", query="mud"), call("search", query="gold"), "done"])

    def fresh() -> Any:
        middleware = CoReActMiddleware(
            generator=ScriptedGenerator(rubric), judge=judge, recorder=Recorder(store)
        )
        return create_agent(model, [confirming(calls)], middleware=[middleware], checkpointer=saver)

    stopped = run.ask(fresh(), config=THREAD)
    assert stopped["__interrupt__"]
    asked, sampled = len(judge.asked), len(model.requests)
    out = run(fresh(), Command(resume="yes"), THREAD)
    assert calls == ["yes"]
    assert len(judge.asked) == asked + 1, "only the final answer was judged"
    assert len(model.requests) == sampled + 1
    assert out[STATUS_KEY]["run"] == stopped[STATUS_KEY]["run"]
    assert out[STATUS_KEY]["step"] == 1
    assert out[STATUS_KEY]["spent"]["calls"] > stopped[STATUS_KEY]["spent"]["calls"]
    (summary,) = store.runs()
    trajectory = store.trajectory(summary.id)
    assert [step.index for step in trajectory.steps] == [0, 1]
    assert [o.text for o in trajectory.observations] == ["Found gold."], "the interrupt was no observation"
    prompt = [m["data"]["content"] for m in trajectory.prompt(1)]
    assert prompt == ["Where is gold?", "", "Found gold."]
    assert trajectory.end is not None
    assert trajectory.end.score == 1.0, "the step before the restart counts"


def test_sqlite_checkpoints_hold_everything_a_resume_needs(tmp_path: Path, want: Any) -> None:
    calls: list[str] = []
    model = ScriptedModel(script=[call("search", query="mud"), call("search", query="gold"), "done"])
    statuses = []
    for given in ({"messages": [("user", "Where is gold?")]}, Command(resume="yes")):
        with SqliteSaver.from_conn_string(str(tmp_path / "threads.db")) as saver:
            middleware = CoReActMiddleware(generator=ScriptedGenerator(want("gold")))
            agent = create_agent(model, [confirming(calls)], middleware=[middleware], checkpointer=saver)
            statuses.append(agent.invoke(given, THREAD)[STATUS_KEY])
    assert calls == ["yes"]
    assert len(model.requests) == 3
    assert statuses[0]["run"] == statuses[1]["run"]
    assert statuses[0]["attempts"] == 2


async def test_async_sqlite_checkpoints_too(tmp_path: Path, want: Any) -> None:
    calls: list[str] = []
    model = ScriptedModel(script=[call("search", query="mud"), call("search", query="gold"), "done"])
    statuses = []
    for given in ({"messages": [("user", "Where is gold?")]}, Command(resume="yes")):
        async with AsyncSqliteSaver.from_conn_string(str(tmp_path / "threads.db")) as saver:
            middleware = CoReActMiddleware(generator=ScriptedGenerator(want("gold")))
            agent = create_agent(model, [confirming(calls)], middleware=[middleware], checkpointer=saver)
            statuses.append((await agent.ainvoke(given, THREAD))[STATUS_KEY])
    assert calls == ["yes"]
    assert statuses[0]["run"] == statuses[1]["run"]


# --- asking --------------------


def test_the_approved_call_is_the_one_that_runs(run: Any, tools: Any, only_run: Any, recorder: Any) -> None:
    numbers = iter(range(9))
    model = ScriptedModel(
        script=lambda messages: (
            "done"
            if isinstance(messages[-2], ToolMessage)
            else call("search", query=f"query {next(numbers)}")
        )
    )
    judge = ScriptedJudge(lambda criterion, action: "unmet" if action.call else "met")
    agent = asking(model, tools, InMemorySaver(), judge=judge, recorder=recorder)
    stopped = run.ask(agent, config=THREAD)
    (question,) = stopped["__interrupt__"]
    (request,) = question.value["action_requests"]
    assert request["name"] == "search"
    assert "Tasteful." in request["description"]
    assert question.value["review_configs"][0]["allowed_decisions"] == ["approve", "reject"]
    assert tools.calls == []
    assert (len(model.requests), len(judge.asked)) == (2, 2)
    run(agent, Command(resume=APPROVE), THREAD)
    assert tools.calls == [request["args"]["query"]]
    assert (len(model.requests), len(judge.asked)) == (3, 3), (
        "the proposal was neither sampled nor judged again"
    )
    assert only_run().steps[0].dispositions == ("asked",)
    assert only_run().end.answer == "done"


def test_a_rejected_call_is_answered_with_what_the_human_said(run: Any, tools: Any) -> None:
    model = ScriptedModel(script=[call("search", query="mud"), call("search", query="dust"), "done", "done"])
    judge = ScriptedJudge(lambda criterion, action: "unmet" if action.call else "met")
    agent = asking(model, tools, InMemorySaver(), judge=judge)
    run.ask(agent, config=THREAD)
    out = run(agent, Command(resume=REJECT), THREAD)
    assert tools.calls == []
    (result,) = [m for m in out["messages"] if isinstance(m, ToolMessage)]
    assert result.status == "error"
    assert result.text.startswith("Not that one.\nThis call of search was not run.")


def test_several_calls_are_asked_about_at_once(run: Any, tools: Any) -> None:
    three = AIMessage(
        "",
        tool_calls=[{"name": "search", "args": {"query": q}, "id": q} for q in ("gold", "mud", "dust")],
    )
    judge = ScriptedJudge(lambda c, a: "met" if a.call is None or "gold" in str(a) else "unmet")
    agent = asking(ScriptedModel(script=[three, "done"]), tools, InMemorySaver(), judge=judge)
    stopped = run.ask(agent, config=THREAD)
    (question,) = stopped["__interrupt__"]
    assert [r["args"]["query"] for r in question.value["action_requests"]] == ["mud", "dust"]
    run(agent, Command(resume={"decisions": [{"type": "reject"}, {"type": "approve"}]}), THREAD)
    assert sorted(tools.calls) == ["dust", "gold"]


def test_an_approved_answer_ends_the_run(run: Any, tools: Any, only_run: Any, recorder: Any) -> None:
    model = ScriptedModel(script=["gold is here", "gold is here"])
    agent = asking(model, tools, InMemorySaver(), recorder=recorder)
    stopped = run.ask(agent, config=THREAD)
    assert stopped["__interrupt__"][0].value["action_requests"][0]["args"] == {"answer": "gold is here"}
    assert only_run().end is None
    out = run(agent, Command(resume=APPROVE), THREAD)
    assert out["messages"][-1].text == "gold is here"
    assert len(model.requests) == 2
    assert (only_run().end.status, only_run().end.answer) == ("done", "gold is here")


def test_a_rejected_answer_goes_back_to_the_model_in_the_same_run(
    run: Any, tools: Any, store: Any, recorder: Any
) -> None:
    model = ScriptedModel(script=["bad", "bad", "better"])
    judge = ScriptedJudge(lambda criterion, action: "met" if action.answer == "better" else "unmet")
    agent = asking(model, tools, InMemorySaver(), judge=judge, recorder=recorder)
    stopped = run.ask(agent, config=THREAD)
    out = run(agent, Command(resume=REJECT), THREAD)
    assert out["messages"][-1].text == "better"
    assert any("Not that one." in m.text for m in model.requests[-1])
    assert out[STATUS_KEY]["run"] == stopped[STATUS_KEY]["run"]
    assert out[STATUS_KEY]["step"] == 1
    (summary,) = store.runs()
    assert store.trajectory(summary.id).end.answer == "better"


def test_a_malformed_call_can_be_asked_about(run: Any, tools: Any) -> None:
    bad = AIMessage(
        "",
        invalid_tool_calls=[
            {"type": "invalid_tool_call", "id": "1", "name": "search", "args": "{q", "error": "x"}
        ],
    )
    agent = asking(ScriptedModel(script=[bad, bad]), tools, InMemorySaver())
    stopped = run.ask(agent, config=THREAD)
    (request,) = stopped["__interrupt__"][0].value["action_requests"]
    assert (request["name"], request["args"]) == ("search", {"arguments": "{q"})
    run(agent, Command(resume=APPROVE), THREAD)
    assert tools.calls == []


@pytest.mark.parametrize(
    "reply",
    [
        "yes",
        {"decision": []},
        {"decisions": []},
        {"decisions": [{"type": "edit"}]},
        {"decisions": ["approve"]},
        {"decisions": 3},
    ],
)
def test_a_resume_value_that_decides_nothing_is_asked_about_again(run: Any, tools: Any, reply: Any) -> None:
    script = [call("search", query="mud"), call("search", query="mud"), "done"]
    judge = ScriptedJudge(lambda c, a: "unmet" if a.call else "met")
    model = ScriptedModel(script=script)
    agent = asking(model, tools, InMemorySaver(), judge=judge)
    run.ask(agent, config=THREAD)
    again = run(agent, Command(resume=reply), THREAD)
    assert tools.calls == []
    assert "does not decide" in again["__interrupt__"][0].value["error"]
    run(agent, Command(resume=APPROVE), THREAD)
    assert tools.calls == ["mud"], "judged and sampled once, answered in the end"
    assert len(model.requests) == 3


def test_what_was_to_be_asked_and_never_was_does_not_run(run: Any, tools: Any) -> None:
    class Mute(CoReActMiddleware):
        """An asking middleware whose question is lost: a bug, or a graph without the node."""

    middleware = CoReActMiddleware(
        on_unmet="ask",
        generator=ScriptedGenerator(TASTE),
        judge=ScriptedJudge(lambda c, a: "unmet" if a.call else "met"),
    )
    middleware.__class__ = Mute
    model = ScriptedModel(script=[call("search", query="mud"), call("search", query="mud"), "done"])
    run.ask(create_agent(model, tools.all, middleware=[middleware]))
    assert tools.calls == []


# --- together with LangChain's own human in the loop --------------------


@pytest.mark.parametrize("order", [1, -1])
@pytest.mark.parametrize("mode", ["batched", "per_call"])
@pytest.mark.parametrize("settings", [{}, {"on_unmet": "block"}, {"on_unmet": "ask"}])
def test_a_call_that_a_human_rejected_is_never_run(
    run: Any, tools: Any, order: int, mode: Any, settings: Any
) -> None:
    both = AIMessage(
        "",
        tool_calls=[
            {"name": "delete", "args": {"path": "gold"}, "id": "d"},
            {"name": "search", "args": {"query": "gold"}, "id": "s"},
        ],
    )
    judge = ScriptedJudge(lambda c, a: "unmet" if a.call and a.call.name == "delete" else "met")
    middleware = [
        CoReActMiddleware(generator=ScriptedGenerator(TASTE), judge=judge, **{"retries": 0, **settings}),
        HumanInTheLoopMiddleware({"delete": True}, interrupt_mode=mode),
    ][::order]
    model = ScriptedModel(script=[both, "done", "done"])
    agent = create_agent(model, tools.all, middleware=middleware, checkpointer=InMemorySaver())
    out = run.ask(agent, config=THREAD)
    for _ in range(3):
        if not out.get("__interrupt__"):
            break
        (question,) = out["__interrupt__"]
        # The theirs says no, ours says yes: no must win.
        ours = "Tasteful." in str(question.value)
        decision = {"type": "approve" if ours else "reject"}
        per_call = question.value.get("type") == "tool_approval"
        resume = {question.id: decision} if per_call else {"decisions": [decision]}
        out = run(agent, Command(resume=resume), THREAD)
    assert tools.calls == ["gold"]
    results = [m for m in out["messages"] if isinstance(m, ToolMessage)]
    assert sorted(m.tool_call_id for m in results) == ["d", "s"]


@pytest.mark.parametrize("order", [1, -1])
def test_what_we_rejected_is_not_run_though_another_human_check_approves(
    run: Any, tools: Any, order: int
) -> None:
    judge = ScriptedJudge(lambda c, a: "unmet" if a.call else "met")
    middleware = [
        CoReActMiddleware(generator=ScriptedGenerator(TASTE), judge=judge, on_unmet="ask"),
        HumanInTheLoopMiddleware({"delete": True}),
    ][::order]
    model = ScriptedModel(script=[call("delete", path="gold")] * 2 + ["done"])
    agent = create_agent(model, tools.all, middleware=middleware, checkpointer=InMemorySaver())
    out = run.ask(agent, config=THREAD)
    for _ in range(3):
        if not out.get("__interrupt__"):
            break
        ours = "Tasteful." in str(out["__interrupt__"][0].value)
        out = run(agent, Command(resume={"decisions": [{"type": "reject" if ours else "approve"}]}), THREAD)
    assert tools.calls == []
    assert out["messages"][-1].text == "done"


def test_what_a_human_has_rejected_is_not_asked_about_again(run: Any, tools: Any) -> None:
    judge = ScriptedJudge(lambda c, a: "unmet" if a.call else "met")
    middleware = [
        CoReActMiddleware(generator=ScriptedGenerator(TASTE), judge=judge, on_unmet="ask", retries=0),
        HumanInTheLoopMiddleware({"delete": True}),  # its question comes first
    ]
    model = ScriptedModel(script=[call("delete", path="gold"), "done"])
    agent = create_agent(model, tools.all, middleware=middleware, checkpointer=InMemorySaver())
    run.ask(agent, config=THREAD)
    out = run(agent, Command(resume=REJECT), THREAD)
    assert "__interrupt__" not in out
    assert out["messages"][-1].text == "done"
    assert tools.calls == []


def test_time_travel_to_a_checkpoint_goes_on_from_its_step(
    run: Any, tools: Any, store: Any, recorder: Any, want: Any
) -> None:
    script = [call("search", query="gold"), call("search", query="gold ore"), "first end", "other end"]
    model = ScriptedModel(script=script)
    middleware = CoReActMiddleware(generator=ScriptedGenerator(want("gold")), recorder=recorder)
    agent = create_agent(model, tools.all, middleware=[middleware], checkpointer=InMemorySaver())
    run.ask(agent, config=THREAD)
    before_the_end = next(s for s in agent.get_state_history(THREAD) if s.next == ("model",))
    out = run(agent, None, before_the_end.config)
    assert out["messages"][-1].text == "other end"
    assert out[STATUS_KEY]["step"] == 2
    (summary,) = store.runs()
    trajectory = store.trajectory(summary.id)
    assert [step.index for step in trajectory.steps] == [0, 1, 2]
    assert trajectory.end.answer == "other end"


def test_a_step_that_crashed_is_decided_again_not_twice(
    run: Any, tools: Any, store: Any, recorder: Any, want: Any
) -> None:
    model = ScriptedModel(script=[call("search", query="gold"), ConnectionError("down"), "done"])
    middleware = CoReActMiddleware(generator=ScriptedGenerator(want("gold")), recorder=recorder)
    agent = create_agent(model, tools.all, middleware=[middleware], checkpointer=InMemorySaver())
    with pytest.raises(ConnectionError):
        run.ask(agent, config=THREAD)
    out = run(agent, None, THREAD)
    assert out["messages"][-1].text == "done"
    (summary,) = store.runs()
    assert [step.index for step in store.trajectory(summary.id).steps] == [0, 1]


async def test_concurrent_threads_with_a_checkpointer_keep_apart(tools: Any, want: Any) -> None:
    model = ScriptedModel(
        script=lambda m: f"answer to {next(x.text for x in m if isinstance(x, HumanMessage))}"
    )
    agent = create_agent(
        model, tools.all, middleware=[CoReActMiddleware(retries=0)], checkpointer=InMemorySaver()
    )
    outs = await asyncio.gather(
        *(
            agent.ainvoke({"messages": [("user", f"Q{n}")]}, {"configurable": {"thread_id": str(n)}})
            for n in range(20)
        )
    )
    assert [out["messages"][-1].text for out in outs] == [f"answer to Q{n}" for n in range(20)]
    assert len({out[STATUS_KEY]["run"] for out in outs}) == 20
