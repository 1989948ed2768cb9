"""Interrupts and restarts: what was judged is on the checkpoint and is not judged again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from langchain.agents import create_agent
from langchain_core.tools import tool
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.checkpoint.sqlite import SqliteSaver
from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver
from langgraph.types import Command, interrupt

from coreact.refine import VerifyAnswerMiddleware
from coreact.testing.scripted import ScriptedModel, call

KEY = "answer_check"
THREAD = {"configurable": {"thread_id": "1"}}


def confirming(calls: list[str]) -> Any:
    @tool
    def search(query: str) -> str:
        """Search the corpus."""
        calls.append(interrupt("sure?"))
        return f"Found {query}."

    return search


def test_an_interrupt_on_a_round_finds_the_verdict_on_the_checkpoint(
    run: Any, tools: Any, naming: Any, words: Any
) -> None:
    replies: list[Any] = []
    judge, saver = words(), InMemorySaver()
    model = ScriptedModel(script=["mud", "gold"])

    def fresh() -> Any:
        middleware = VerifyAnswerMiddleware(
            naming("gold"), judge, on_round=lambda one: replies.append(interrupt(one.answer))
        )
        return create_agent(model, tools.all, middleware=[middleware], checkpointer=saver)

    stopped = run.ask(fresh(), config=THREAD)
    assert stopped["__interrupt__"][0].value == "mud"
    assert stopped[KEY]["rounds"][0]["passed"] is False
    stopped = run(fresh(), Command(resume="seen"), THREAD)
    assert stopped["__interrupt__"][0].value == "gold"
    out = run(fresh(), Command(resume="seen"), THREAD)
    assert [answer for answer, _ in judge.asked] == ["mud", "gold"], "each answer was judged once"
    assert len(model.requests) == 2
    assert replies == ["seen", "seen"]
    assert (out[KEY]["status"], len(out[KEY]["rounds"])) == ("accepted", 2)


def test_an_interrupt_in_a_tool_of_a_revision_judges_nothing_again(run: Any, naming: Any, words: Any) -> None:
    calls: list[str] = []
    judge, saver = words(), InMemorySaver()
    model = ScriptedModel(script=["mud", call("search", query="gold"), "dust"])

    def fresh() -> Any:
        middleware = VerifyAnswerMiddleware(naming("gold"), judge, max_rounds=2)
        return create_agent(model, [confirming(calls)], middleware=[middleware], checkpointer=saver)

    stopped = run.ask(fresh(), config=THREAD)
    assert stopped["__interrupt__"]
    out = run(fresh(), Command(resume="yes"), THREAD)
    assert [answer for answer, _ in judge.asked] == ["mud", "dust"]
    assert (out[KEY]["run"], out[KEY]["ended"]) == (stopped[KEY]["run"], "rounds"), "the counter survived"


@pytest.mark.parametrize("colour", ["sync", "async"])
async def test_sqlite_checkpoints_hold_everything_a_resume_needs(
    tmp_path: Path, naming: Any, words: Any, colour: str
) -> None:
    calls: list[str] = []
    judge = words()
    model = ScriptedModel(script=["gold", call("search", query="ore"), "mud", "dust"])
    path = str(tmp_path / "threads.db")
    outs = []
    for given in ({"messages": [("user", "Where is gold?")]}, Command(resume="yes")):
        middleware = VerifyAnswerMiddleware(naming("gold", "ore"), judge)
        if colour == "sync":
            with SqliteSaver.from_conn_string(path) as saver:
                agent = create_agent(model, [confirming(calls)], middleware=[middleware], checkpointer=saver)
                outs.append(agent.invoke(given, THREAD))
        else:
            async with AsyncSqliteSaver.from_conn_string(path) as saver:
                agent = create_agent(model, [confirming(calls)], middleware=[middleware], checkpointer=saver)
                outs.append(await agent.ainvoke(given, THREAD))
    assert outs[0]["__interrupt__"]
    assert [answer for answer, _ in judge.asked] == ["gold", "mud", "dust"]
    assert outs[1]["messages"][-1].text == "gold", "the best one was judged before the restart"
    assert outs[1][KEY]["rubric"] == naming("gold", "ore").lock, "the rubric came back as it was"


def test_a_run_that_died_goes_on_where_it_was(run: Any, tools: Any, naming: Any, words: Any) -> None:
    judge, saver = words(), InMemorySaver()
    model = ScriptedModel(script=["mud", RuntimeError("power cut"), "gold"])

    def fresh() -> Any:
        middleware = VerifyAnswerMiddleware(naming("gold"), judge)
        return create_agent(model, tools.all, middleware=[middleware], checkpointer=saver)

    with pytest.raises(RuntimeError, match="power cut"):
        run.ask(fresh(), config=THREAD)
    out = run(fresh(), None, THREAD)
    assert [answer for answer, _ in judge.asked] == ["mud", "gold"]
    assert out[KEY]["status"] == "accepted"
