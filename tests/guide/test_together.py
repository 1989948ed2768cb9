"""A rubric that is not shown is written while the model proposes, in both colours."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest
from langchain.agents import create_agent
from langchain_core.messages import BaseMessage
from langchain_core.tools import tool
from langgraph.errors import GraphInterrupt

from coreact.generate import Written
from coreact.guide import CoReActMiddleware
from coreact.guide.replay import Replay
from coreact.judge import Cost
from coreact.rubric import Criterion, NotRepeat, Rubric, State
from coreact.testing import ScriptedModel, call
from coreact.trace import InMemoryTraceStore, Recorder

RUBRIC = Rubric(criteria=(Criterion(id="new", text="Make a new call.", check=NotRepeat(), weight=1.0),))

PATIENCE = 60.0
"""Seconds after which one does not believe any more that the other one has begun."""


@tool
def search(query: str) -> str:
    """Search."""
    return f"found {query}"


class Meeting:
    """A writer and a model that each wait until the other one has begun."""

    id = "meeting"

    def __init__(self) -> None:
        self.writing, self.proposing = threading.Event(), threading.Event()
        self.met: list[bool] = []

    def write(self, state: State) -> Written:
        self.writing.set()
        self.met.append(self.proposing.wait(PATIENCE))
        return Written(RUBRIC, Cost(calls=1))

    async def awrite(self, state: State) -> Written:
        self.writing.set()
        self.met.append(await asyncio.to_thread(self.proposing.wait, PATIENCE))
        return Written(RUBRIC, Cost(calls=1))

    def reply(self, messages: list[BaseMessage]) -> Any:
        self.proposing.set()
        self.met.append(self.writing.wait(PATIENCE))
        return "There." if any(m.type == "tool" for m in messages) else call("search", query="gold")


class AsyncModel(ScriptedModel):
    """The scripted model, in a thread where it is awaited: it may wait without stopping the loop."""

    async def _agenerate(self, messages: list[BaseMessage], *_: Any, **__: Any) -> Any:
        return await asyncio.to_thread(self._generate, messages)


def run(agent: Any, colour: str) -> Any:
    asked = {"messages": [("user", "Where?")]}
    return agent.invoke(asked) if colour == "sync" else asyncio.run(agent.ainvoke(asked))


@pytest.mark.parametrize("colour", ["sync", "async"])
def test_writer_and_model_work_at_the_same_time_and_the_run_can_be_replayed(colour: str) -> None:
    meeting, store = Meeting(), InMemoryTraceStore()
    guidance = CoReActMiddleware(generator=meeting, recorder=Recorder(store), show_rubric=False)
    first = run(create_agent(AsyncModel(script=meeting.reply), [search], middleware=[guidance]), colour)
    assert meeting.met == [True] * 4
    (trajectory,) = store.trajectories()
    assert [step.generator for step in trajectory.steps] == ["meeting"] * 2
    replayed = CoReActMiddleware(replay=Replay(trajectory), show_rubric=False)
    again = run(create_agent(ScriptedModel(), [search], middleware=[replayed]), colour)
    assert [m.text for m in again["messages"]] == [m.text for m in first["messages"]]


class Interrupting:
    """A writer that hands control back to the graph."""

    id = "interrupting"

    def write(self, state: State) -> Written:
        raise GraphInterrupt

    async def awrite(self, state: State) -> Written:
        raise GraphInterrupt


@pytest.mark.parametrize("colour", ["sync", "async"])
def test_control_flow_of_the_writer_and_failures_of_the_model_pass_through(colour: str) -> None:
    from coreact.guide.drivers import _aboth, _both
    from coreact.guide.requests import CallModel, Together, WriteRubric

    both = Together(write=WriteRubric(state=State.start("Where?")), call=CallModel(guidance="", feedback=""))

    def broken(_: CallModel) -> Any:
        raise RuntimeError("the model is down")

    async def abroken(_: CallModel) -> Any:
        raise RuntimeError("the model is down")

    async def proposed(_: CallModel) -> Any:
        return ()

    if colour == "sync":
        with pytest.raises(GraphInterrupt):
            _both(both, Interrupting(), None, lambda _: ())
        with pytest.raises(RuntimeError, match="down"):
            _both(both, Interrupting(), None, broken)
        return
    with pytest.raises(GraphInterrupt):
        asyncio.run(_aboth(both, Interrupting(), None, proposed))
    with pytest.raises(RuntimeError, match="down"):
        asyncio.run(_aboth(both, Interrupting(), None, abroken))
