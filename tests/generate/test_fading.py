"""Fading at run time: an agent that passes is told less, judged as before, and told again when it fails."""

from __future__ import annotations

import asyncio

import pytest
from coreact_tools import corpus_tools
from langchain.agents import create_agent
from langchain_core.messages import BaseMessage, HumanMessage

from coreact import CoReActMiddleware
from coreact.generate import HeuristicGenerator
from coreact.generate.fading import FadingGenerator
from coreact.rubric import State
from coreact.testing import ScriptedModel, call
from coreact.trace import InMemoryTraceStore, Recorder
from coreact.worlds import Corpus, World, gazetteer


@pytest.fixture(scope="module")
def world() -> World:
    return gazetteer()


def told(request: tuple[BaseMessage, ...]) -> str:
    ours = (m for m in request if isinstance(m, HumanMessage))
    return "\n".join(m.text for m in ours if m.additional_kwargs.get("lc_source") == "coreact")


def test_an_agent_that_passes_is_told_nothing_and_still_judged(world: World) -> None:
    found = {}
    for name, history in (("new", []), ("able", [True] * 10), ("failing again", [True] * 10 + [False] * 6)):
        model = ScriptedModel(script=[call("search", query="Morocco calling code"), "It is +212."])
        store = InMemoryTraceStore()
        generator = FadingGenerator(HeuristicGenerator(), lambda history=history: history)  # type: ignore[misc]
        middleware = CoReActMiddleware(
            generator=generator, recorder=Recorder(store), step_budget=4, retries=0
        )
        tools = corpus_tools(Corpus(world.passages))
        agent = create_agent(model, tools, middleware=[middleware])
        agent.invoke({"messages": [HumanMessage("What is the calling code of Morocco?")]})
        (run,) = store.trajectories()
        steps = run.steps
        judged = [step.attempts[0].judgements[0].judged for step in steps if step.attempts]
        found[name] = (any(told(request) for request in model.requests), judged)
    assert {name: shown for name, (shown, _) in found.items()} == {
        "new": True,
        "able": False,
        "failing again": True,
    }
    assert found["able"][1] == found["new"][1]  # as many criteria were decided


def test_the_share_falls_with_the_history_and_both_colours_agree() -> None:
    state = State.start("What is the calling code of the country whose capital is Rabat?", limit=4)
    plain = HeuristicGenerator().write(state)
    visible = sum(one.visibility == "policy" for one in plain.rubric)
    counts = []
    for passes in (0, 6, 7, 8, 9, 10):
        history = [True] * passes + [False] * (10 - passes)
        generator = FadingGenerator(HeuristicGenerator(), lambda history=history: history)  # type: ignore[misc]
        written = generator.write(state)
        assert written.rubric == asyncio.run(generator.awrite(state)).rubric
        counts.append(sum(one.visibility == "policy" for one in written.rubric))
        assert (len(written.remarks) > len(plain.remarks)) == (counts[-1] < visible)
    assert counts == sorted(counts, reverse=True)
    assert counts[0] == counts[1] == visible
    assert counts[-1] == 0


def test_impossible_settings_are_refused_at_once() -> None:
    with pytest.raises(ValueError, match="must rise"):
        FadingGenerator(HeuristicGenerator(), list, begin=0.9, end=0.2)
    one = FadingGenerator(HeuristicGenerator(), list)
    other = FadingGenerator(HeuristicGenerator(), list, window=20)
    assert one.id != other.id
