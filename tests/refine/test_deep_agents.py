"""Beside deepagents' own middlewares, with checked subagents."""

from __future__ import annotations

from typing import Any

from deepagents import create_deep_agent
from langchain_core.messages import AIMessage, ToolMessage
from langgraph.checkpoint.memory import InMemorySaver

from coreact.refine import VerifyAnswerMiddleware
from coreact.testing.scripted import ScriptedModel, call

KEY = "answer_check"
THREAD = {"configurable": {"thread_id": "1"}}


def tasks(*names: str) -> AIMessage:
    return AIMessage(
        "",
        tool_calls=[
            {"name": "task", "args": {"description": f"Find {name}.", "subagent_type": name}, "id": name}
            for name in names
        ],
    )


def test_the_best_answer_of_a_deep_agent_comes_back(run: Any, tools: Any, naming: Any, words: Any) -> None:
    note = call("write_file", file_path="/note.txt", content="look for gold")
    script = [note, call("search", query="gold"), "gold", "mud", "dust"]
    agent = create_deep_agent(
        model=ScriptedModel(script=script),
        tools=tools.all,
        middleware=[VerifyAnswerMiddleware(naming("gold", "ore"), words())],
        checkpointer=InMemorySaver(),
    )
    out = run.ask(agent, config=THREAD)
    assert "/note.txt" in out["files"]
    assert out["messages"][-1].text == "gold"
    assert (out[KEY]["status"], out[KEY]["best"], out[KEY]["errors"]) == ("unmet", 0, [])
    kept = agent.get_state(THREAD).values["messages"]
    assert [m.text for m in kept] == [m.text for m in out["messages"]]


def test_checked_subagents_keep_their_status_to_themselves(
    run: Any, tools: Any, naming: Any, words: Any
) -> None:
    def worker(name: str) -> dict[str, Any]:
        return {
            "name": name,
            "description": "Finds things.",
            "system_prompt": "Find it.",
            "model": ScriptedModel(script=["mud", f"found {name}"]),
            "tools": tools.all,
            "middleware": [VerifyAnswerMiddleware(naming(name), words())],
        }

    judge = words()
    agent = create_deep_agent(
        model=ScriptedModel(script=["mud", tasks("a", "b"), "gold"]),
        tools=tools.all,
        middleware=[VerifyAnswerMiddleware(naming("gold"), judge, patience=9)],
        subagents=[worker("a"), worker("b")],
    )
    out = run.ask(agent)
    results = [m.text for m in out["messages"] if isinstance(m, ToolMessage)]
    assert sorted(results) == ["found a", "found b"]
    assert [one["answer"] for one in out[KEY]["rounds"]] == ["mud", "gold"], "the counter is the caller's"
    assert out[KEY]["status"] == "accepted"
