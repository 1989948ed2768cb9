"""States of runs whose secrets were replaced: they come back, and no hash of a secret is kept."""

from __future__ import annotations

from typing import Any

import pytest
from langchain.agents import create_agent
from langchain_core.messages import AIMessage
from langchain_core.tools import tool
from langgraph.checkpoint.memory import InMemorySaver

from coreact.errors import StoreError
from coreact.guide import CoReActMiddleware
from coreact.rubric import ToolContract
from coreact.testing.scripted import ScriptedModel, call
from coreact.trace import InMemoryTraceStore, Recorder, RunRecord, SQLiteTraceStore, StepRecord, Trajectory
from coreact.trace.privacy import Redactor, redacting
from coreact.trace.states import state_at

MAIL = "elbe.guide@example.org"


@tool
def search(query: str) -> str:
    """Find passages."""
    return f"About {query}: the Elbe rises in the Giant Mountains, write to {MAIL}."


def runs(
    capture: Any, question: str, tmp_path: Any = None, *, redactor: Redactor | None = None
) -> tuple[Trajectory, Trajectory]:
    """One run twice: as it was, and as it was captured."""
    found = []
    for how in ("full", capture):
        store: Any = SQLiteTraceStore(tmp_path / f"{how}.db") if tmp_path else InMemoryTraceStore()
        recorder = Recorder(store, capture=how, redactor=None if how == "full" else redactor)
        model = ScriptedModel(
            script=[call("search", query="Elbe"), call("search", query=f"who is {MAIL}"), AIMessage("There.")]
        )
        middleware = CoReActMiddleware(recorder=recorder, step_budget=3, retries=0)
        agent = create_agent(model, [search], system_prompt="Be brief.", middleware=[middleware])
        agent.invoke({"messages": [("user", question)]})
        store.flush()
        found.append(store.trajectory(store.runs()[0].id))
    return found[0], found[1]


@pytest.mark.parametrize("question", ["Where does the Elbe rise?", f"Does {MAIL} know where it rises?"])
@pytest.mark.parametrize("on_disk", [False, True])
def test_states_of_redacted_runs_come_back(question: str, on_disk: bool, tmp_path: Any) -> None:
    full, clean = runs("redacted", question, tmp_path if on_disk else None)
    assert len(clean.steps) == 3
    assert MAIL in full.model_dump_json()
    assert MAIL not in clean.model_dump_json()
    for step, was in zip(clean.steps, full.steps, strict=True):
        state = state_at(clean, step.index)
        assert state.digest == step.state_digest
        seen = MAIL in state_at(full, step.index).model_dump_json()
        assert (step.state_digest != was.state_digest) == seen, "only what holds the secret changes"
    last = state_at(clean, 2)
    assert last.knows(last.steps[1].call.arguments["query"].removeprefix("who is ")), "where it came from"


def test_states_of_runs_without_content_say_why() -> None:
    _, bare = runs("off", "Where does the Elbe rise?")
    with pytest.raises(StoreError, match="capture off"):
        state_at(bare, 0)


def test_a_step_that_is_decided_again_is_redacted_whole() -> None:
    store = InMemoryTraceStore()
    script = [call("search", query="Elbe"), call("search", query=f"who is {MAIL}"), AIMessage("There.")]
    middleware = CoReActMiddleware(recorder=Recorder(store, capture="redacted"), step_budget=3, retries=0)
    agent = create_agent(
        ScriptedModel(script=script * 2), [search], middleware=[middleware], checkpointer=InMemorySaver()
    )
    config: Any = {"configurable": {"thread_id": "t"}}
    agent.invoke({"messages": [("user", "Where does the Elbe rise?")]}, config)
    before = next(
        one
        for one in agent.get_state_history(config)
        if one.next == ("model",) and len(one.values["messages"]) == 3
    )
    agent.invoke(None, before.config)
    trajectory = store.trajectory(store.runs()[0].id)
    assert len(trajectory.steps) >= 3
    for step in trajectory.steps:
        assert state_at(trajectory, step.index).digest == step.state_digest


def a_step(run: str, index: int, *texts: str, kept: int = 0, tools: bool = True) -> StepRecord:
    return StepRecord(
        run=run,
        index=index,
        state_digest=f"original-{index}",
        tools=(ToolContract(name="search"),) if tools else None,
        prompt_kept=kept,
        prompt_added=tuple({"type": "human", "data": {"content": text}} for text in texts),
    )


def test_of_a_run_whose_beginning_nobody_saw_no_digest_is_kept() -> None:
    """It may hold a secret that stands in the part that is not known."""
    store = InMemoryTraceStore()
    recorder = Recorder(store, capture="redacted")
    recorder.start(RunRecord(id="r", question="q"))
    recorder.step(a_step("r", 3, "more", kept=5))
    recorder.step(a_step("r", 4, "still more", kept=6, tools=False))
    recorder.step(a_step("r", 5, "all of it", kept=0))
    digests = [step.state_digest for step in store.trajectory("r").steps]
    assert digests[:2] == ["", ""]
    with pytest.raises(StoreError, match="could not be taken anew"):
        state_at(store.trajectory("r"), 3)
    assert state_at(store.trajectory("r"), 5).digest == digests[2]


def test_runs_are_remembered_up_to_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(redacting, "_RUNS", 2)
    store = InMemoryTraceStore()
    recorder = Recorder(store, capture="redacted")
    for run in ("a", "b", "c"):
        recorder.start(RunRecord(id=run, question="q"))
        recorder.step(a_step(run, 0, MAIL))
    for run in ("a", "c"):
        recorder.step(a_step(run, 1, "next", kept=1, tools=False))
    assert store.trajectory("a").steps[1].state_digest == "", "forgotten: never the hash of a secret"
    assert state_at(store.trajectory("c"), 1).digest == store.trajectory("c").steps[1].state_digest


def test_tools_of_a_forgotten_run_are_not_known_either(monkeypatch: pytest.MonkeyPatch) -> None:
    """Their descriptions are part of the state, and may have held a secret."""
    monkeypatch.setattr(redacting, "_RUNS", 1)
    store = InMemoryTraceStore()
    recorder = Recorder(store, capture="redacted")
    for run in ("a", "b"):
        recorder.start(RunRecord(id=run, question="q"))
        recorder.step(a_step(run, 0, "hello"))
    recorder.step(a_step("a", 1, "all of it", "anew", tools=False))
    assert store.trajectory("a").steps[1].state_digest == ""


def test_each_message_is_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[int] = []
    import langchain_core.messages as messages

    real = messages.messages_from_dict

    def counting(given: Any) -> Any:
        read.append(len(given))
        return real(given)

    monkeypatch.setattr(messages, "messages_from_dict", counting)
    recorder = Recorder(InMemoryTraceStore(), capture="redacted")
    recorder.step(a_step("r", 0, MAIL))
    for index in range(1, 50):
        recorder.step(a_step("r", index, "next", kept=index, tools=False))
    assert read == [1] * 50


def test_messages_that_cannot_be_read_have_no_state() -> None:
    store = InMemoryTraceStore()
    recorder = Recorder(store, capture="redacted")
    recorder.start(RunRecord(id="r", question="q"))
    odd = a_step("r", 0, MAIL)
    recorder.step(odd.model_copy(update={"prompt_added": (*odd.prompt_added, {"type": "no such type"})}))
    assert store.trajectory("r").steps[0].state_digest == ""
