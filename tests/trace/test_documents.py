"""The tiers of documents are exact on recorded runs."""

from __future__ import annotations

import pytest
from langchain.agents import create_agent
from langchain_core.messages import AIMessage
from langchain_core.tools import tool

from coreact.guide import CoReActMiddleware
from coreact.rubric import Action, ToolCall, ToolContract
from coreact.testing.scripted import ScriptedModel, call
from coreact.trace import (
    Attempt,
    InMemoryTraceStore,
    ObservationRecord,
    Recorder,
    RunEnd,
    RunRecord,
    StepRecord,
    Trajectory,
)
from coreact.trace.documents import documents

SEARCH = ToolContract(name="search", role="search")
READ = ToolContract(name="read", role="read")
FIND = ToolContract(name="find")

Taken = tuple[str, dict[str, str], str]
"""Tool, arguments, observation."""


def a_run(
    *taken: Taken, answer: str, failed: tuple[int, ...] = (), blocked: tuple[int, ...] = ()
) -> Trajectory:
    def step(at: int, action: Action) -> StepRecord:
        attempt = Attempt(
            index=0, source="first", message={"type": "ai", "data": {}}, actions=(action,), selected=True
        )
        tools = (SEARCH, READ, FIND) if at == 0 else None
        return StepRecord(run="r", index=at, tools=tools, attempts=(attempt,))

    actions = [
        Action(call=ToolCall(name=name, arguments=dict(arguments), id=f"call-{at}"))
        for at, (name, arguments, _) in enumerate(taken)
    ]
    actions.append(Action(answer=answer))
    return Trajectory(
        run=RunRecord(id="r", question="Where does the Elbe rise?"),
        steps=tuple(step(at, action) for at, action in enumerate(actions)),
        observations=tuple(
            ObservationRecord(
                run="r",
                step=at,
                call_id=f"call-{at}",
                tool=name,
                text=text,
                failed=at in failed,
                blocked=at in blocked,
            )
            for at, (name, _, text) in enumerate(taken)
        ),
        end=RunEnd(run="r", status="done", answer=answer),
    )


def tiers(run: Trajectory) -> dict[str, str]:
    return {document.key: document.tier for document in documents(run)}


RESULTS = """[p1] Elbe: a river, https://a.example/elbe
[p2] Oder: a river, https://b.example/oder/
[p3] Main: a river."""


def test_labels_and_addresses_have_one_tier_each() -> None:
    run = a_run(
        ("search", {"query": "Elbe"}, RESULTS),
        ("read", {"id": "p1"}, "[p1] Elbe: it rises in the Giant Mountains, see https://c.example/link."),
        ("read", {"url": "http://www.b.example/oder?utm_source=x"}, "The Oder is another river."),
        answer="It rises in the Giant Mountains [p1].",
    )
    assert tiers(run) == {
        "p1": "cited",
        "https://a.example/elbe": "seen",
        "p2": "seen",
        "https://b.example/oder": "read",
        "p3": "seen",
    }


def test_what_is_cited_counts_once_opened_or_not() -> None:
    run = a_run(
        ("search", {"query": "Elbe"}, RESULTS),
        answer="It rises there (https://a.example/elbe) [p2], says https://nowhere.example/x.",
    )
    found = {document.key: (document.tier, document.source.standing) for document in documents(run)}
    assert found["https://a.example/elbe"] == ("cited", "never_opened")
    assert found["p2"] == ("cited", "never_opened")
    assert found["https://nowhere.example/x"] == ("cited", "invented")
    assert found["p1"] == found["p3"] == ("seen", "never_opened")


def test_a_failed_opening_and_a_blocked_call_open_nothing() -> None:
    run = a_run(
        ("search", {"query": "Elbe"}, RESULTS),
        (
            "read",
            {"id": "p1"},
            "404",
        ),
        ("read", {"id": "p2"}, "Search first: [p9] no document"),
        answer="I do not know.",
        failed=(1,),
        blocked=(2,),
    )
    assert {key: tier for key, tier in tiers(run).items() if key.startswith("p")} == {
        "p1": "seen",
        "p2": "seen",
        "p3": "seen",
    }


def test_a_tool_without_a_role_shows_and_opens() -> None:
    run = a_run(
        ("find", {"what": "rivers"}, "[p1] Elbe: a river.\n[p2] Oder: a river."),
        ("find", {"what": "p1"}, "[p1] Elbe: it rises in the Giant Mountains."),
        answer="In the Giant Mountains.",
    )
    assert tiers(run) == {"p1": "read", "p2": "seen"}


def test_a_run_without_documents_has_none() -> None:
    assert documents(a_run(answer="In the Giant Mountains.")) == ()
    assert documents(Trajectory(run=RunRecord(id="r", question="?"))) == ()


def test_a_read_passage_keeps_its_text_for_contexts() -> None:
    run = a_run(
        ("search", {"query": "Elbe"}, RESULTS),
        ("read", {"id": "p2"}, "[p2] Oder: it rises in the Oder Mountains."),
        answer="In the Giant Mountains.",
    )
    (read,) = [document for document in documents(run) if document.tier == "read"]
    assert [passage.text for passage in read.source.passages if passage.step == 1] == [
        "[p2] Oder: it rises in the Oder Mountains."
    ]


@pytest.mark.parametrize("cited", [True, False])
def test_a_recorded_agent_gives_the_same(cited: bool) -> None:
    @tool
    def search(query: str) -> str:
        """Find passages."""
        return RESULTS

    @tool
    def read(url: str) -> str:
        """Open a page."""
        return "The Oder rises in the Oder Mountains."

    search.metadata = {"role": "search", "read_only": True}
    read.metadata = {"role": "read", "read_only": True}
    answer = "In the Oder Mountains (https://b.example/oder)." if cited else "In the Oder Mountains."
    model = ScriptedModel(
        script=[call("search", query="Oder"), call("read", url="https://b.example/oder"), AIMessage(answer)]
    )
    store = InMemoryTraceStore()
    guide = CoReActMiddleware(recorder=Recorder(store), retries=0)
    create_agent(model, [search, read], middleware=[guide]).invoke(
        {"messages": [("user", "Where does the Oder rise?")]}
    )
    found = tiers(store.trajectory(store.runs()[0].id))
    assert found.pop("https://b.example/oder") == ("cited" if cited else "read")
    assert found == {"p1": "seen", "https://a.example/elbe": "seen", "p2": "seen", "p3": "seen"}
