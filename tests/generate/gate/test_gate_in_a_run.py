"""The gate inside of an agent's run: what is refused does not act, and the record says so."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from langchain.agents import create_agent
from langchain_core.messages import AIMessage
from langchain_core.tools import StructuredTool

from coreact.generate import HeuristicGenerator
from coreact.generate.gate import Gate, GatedGenerator, Ledger, MutingGenerator, qualify_generator
from coreact.guide import CoReActMiddleware
from coreact.testing import ScriptedGenerator, ScriptedModel, call
from coreact.trace import InMemoryTraceStore, Recorder, Trajectory


def search(query: str) -> str:
    """Search the corpus."""
    return f"Found {query}."


TOOL = StructuredTool.from_function(
    search, name="search", description="Search the corpus.", metadata={"role": "search", "read_only": True}
)
SCRIPT = [call("search", query="capital of Jamaica"), AIMessage("Kingston")]


@pytest.fixture(params=["sync", "async"])
def run(request: pytest.FixtureRequest) -> Any:
    def ran(*middleware: CoReActMiddleware) -> ScriptedModel:
        model = ScriptedModel(script=list(SCRIPT))
        agent = create_agent(model, [TOOL], middleware=list(middleware))
        given = {"messages": [("user", "What is the capital of Jamaica?")]}
        if request.param == "sync":
            agent.invoke(given)
        else:
            asyncio.run(agent.ainvoke(given))
        return model

    return ran


def guided(generator: Any, store: InMemoryTraceStore, **settings: Any) -> CoReActMiddleware:
    return CoReActMiddleware(generator=generator, recorder=Recorder(store), **settings)


def only(store: InMemoryTraceStore) -> Trajectory:
    (summary,) = store.runs()
    return store.trajectory(summary.id)


def texts(model: ScriptedModel) -> list[list[str]]:
    return [[str(message.text) for message in request] for request in model.requests]


def test_a_misleading_writer_leaves_the_plain_agent(case: Any, run: Any) -> None:
    report = qualify_generator(ScriptedGenerator(case.misleading), [case.at(n) for n in range(12)])
    assert not report.may_guide
    store = InMemoryTraceStore()
    gated = GatedGenerator(ScriptedGenerator(case.misleading), Gate(), qualified=report)
    model = run(guided(gated, store, fallback="none"))
    assert texts(model) == texts(run())
    for step in only(store).steps:
        assert step.rubric is None
        assert [remark.deed for remark in step.remarks] == ["refused"]
        assert "may not guide" in step.remarks[0].reason


def test_the_record_tells_which_test_failed_and_who_wrote_instead(case: Any, run: Any) -> None:
    store = InMemoryTraceStore()
    gated = GatedGenerator(ScriptedGenerator(case.unknown_tool), Gate(), fallback=HeuristicGenerator())
    run(guided(gated, store))
    for step in only(store).steps:
        assert step.generator == gated.id
        assert step.rubric is not None
        assert {c.provenance.source for c in step.rubric if c.provenance} == {"heuristic.1"}
        refused = [remark for remark in step.remarks if remark.deed == "refused"]
        assert "unknown_tool" in {remark.problem for remark in refused}
        assert step.remarks[-1].reason == "gate: heuristic.1 wrote instead of scripted"


def test_the_record_tells_what_an_admitted_rubric_passed(case: Any, run: Any) -> None:
    store = InMemoryTraceStore()
    run(guided(GatedGenerator(ScriptedGenerator(case.informative), Gate()), store))
    first = only(store).steps[0]
    assert first.rubric == case.informative
    reasons = [remark.reason for remark in first.remarks]
    assert any(reason.startswith("gate: discrimination: ") for reason in reasons)
    assert any(reason.startswith("gate: passed lint") for reason in reasons)


def test_the_record_tells_what_was_muted(case: Any, run: Any) -> None:
    ledger, store = Ledger(), InMemoryTraceStore()
    ledger.decide("check:does_not_stop", "mute", reason="it delays answers")
    run(guided(MutingGenerator(ScriptedGenerator(case.informative), ledger), store))
    first = only(store).steps[0]
    assert first.rubric is not None
    assert [criterion.id for criterion in first.rubric] == ["c1", "c2"]
    assert [(r.deed, r.problem, r.criterion) for r in first.remarks] == [
        ("muted", "harmful", "Search before you answer.")
    ]
