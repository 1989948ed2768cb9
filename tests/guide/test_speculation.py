"""Calls that start while they are judged: what may, what is dropped, and that nothing else changes."""

from __future__ import annotations

import asyncio
import gc
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Annotated, Any

import pytest
from langchain.agents import create_agent
from langchain_core.messages import ToolMessage
from langchain_core.tools import BaseTool, StructuredTool
from langgraph.prebuilt import InjectedState
from langgraph.types import interrupt

from coreact.errors import ConfigError
from coreact.guide import CoReActMiddleware, guide
from coreact.guide.speculation import Speculation
from coreact.rubric import Action, Criterion, Rubric, ToolCall
from coreact.testing import ScriptedGenerator, ScriptedJudge, ScriptedModel, call
from coreact.trace import InMemoryTraceStore, Recorder

READ_ONLY = {"role": "search", "read_only": True}
RUBRIC = Rubric(criteria=(Criterion(id="useful", text="The search is useful.", weight=1.0),))


PATIENCE = 60.0
"""Seconds after which one does not believe any more that a call begins."""


class Room:
    """A tool and a judge that see of each other whether they run at the same time."""

    def __init__(self, *, metadata: dict[str, Any] | None = None) -> None:
        self.queries: list[str] = []
        self.begun = threading.Event()
        self.begun_before_judged: list[bool] = []
        self.begun_ahead: list[bool] = []
        self.metadata = READ_ONLY if metadata is None else metadata

    @property
    def tool(self) -> BaseTool:
        def search(query: str) -> tuple[str, list[str]]:
            """Search."""
            self.queries.append(query)
            self.begun_ahead.append(threading.current_thread().name.startswith("coreact-ahead"))
            self.begun.set()
            return f"found {query}", [query]

        async def asearch(query: str) -> tuple[str, list[str]]:
            return search(query)

        return StructuredTool.from_function(
            search, asearch, name="search", metadata=self.metadata, response_format="content_and_artifact"
        )

    def judge(self, refused: str = "wrong", *, waits: float = PATIENCE) -> ScriptedJudge:
        room = self

        class Judge(ScriptedJudge):
            def judge(self, criteria: Any, action: Any, state: Any) -> Any:
                if action.call is not None:
                    room.begun_before_judged.append(room.begun.wait(waits))
                return super().judge(criteria, action, state)

            async def ajudge(self, criteria: Any, action: Any, state: Any) -> Any:
                if action.call is not None:
                    room.begun_before_judged.append(await asyncio.to_thread(room.begun.wait, waits))
                return super().judge(criteria, action, state)

        def decide(criterion: Criterion, action: Action) -> Any:
            return "unmet" if action.call and action.call.arguments["query"] == refused else "met"

        return Judge(decide)


def run(room: Room, script: list[Any], *, colour: str, judge: Any = None, **settings: Any) -> dict[str, Any]:
    agent = create_agent(
        ScriptedModel(script=script),
        [room.tool],
        middleware=[
            CoReActMiddleware(
                generator=ScriptedGenerator(RUBRIC), judge=judge or room.judge(), speculate=True, **settings
            )
        ],
    )
    question = {"messages": [("user", "Where is it?")]}
    return agent.invoke(question) if colour == "sync" else asyncio.run(agent.ainvoke(question))


def observed(result: dict[str, Any]) -> list[tuple[str, Any, str]]:
    return [
        (str(m.text), m.artifact, m.tool_call_id) for m in result["messages"] if isinstance(m, ToolMessage)
    ]


@pytest.mark.parametrize("colour", ["sync", "async"])
def test_a_read_only_call_runs_once_and_while_it_is_judged(colour: str) -> None:
    room = Room()
    result = run(room, [call("search", query="right"), "There."], colour=colour)
    assert room.begun_before_judged == [True]
    assert room.queries == ["right"]
    ((text, artifact, call_id),) = observed(result)
    assert (text, artifact) == ("found right", ["right"])
    assert call_id == result["messages"][1].tool_calls[0]["id"]


@pytest.mark.parametrize("colour", ["sync", "async"])
def test_the_result_of_a_rejected_call_reaches_nobody(colour: str) -> None:
    room = Room()
    script = [call("search", query="wrong"), call("search", query="right"), "There."]
    result = run(room, script, colour=colour)
    assert [text for text, _, _ in observed(result)] == ["found right"]
    assert room.queries == ["wrong", "right"], "the dropped call was made, and is not made again"


@pytest.mark.parametrize(
    "metadata",
    [{}, {"role": "search"}, {"read_only": False}, {"read_only": "yes"}, {"read_only": True, "cost": 0.01}],
)
def test_a_call_that_may_change_or_cost_something_waits_for_its_verdict(metadata: dict[str, Any]) -> None:
    room = Room(metadata=metadata)
    result = run(room, [call("search", query="right"), "There."], colour="sync", judge=room.judge(waits=0))
    assert room.begun_before_judged == [False]
    assert room.begun_ahead == [False], "in no thread of calls that are begun ahead, however late"
    assert room.queries == ["right"]
    assert observed(result)[0][0] == "found right"


def test_a_blocked_call_is_dropped() -> None:
    room = Room()
    result = run(room, [call("search", query="wrong"), "There."], colour="sync", retries=0, on_unmet="block")
    assert "found wrong" not in observed(result)[0][0]


def test_a_call_that_failed_ahead_is_made_as_usual() -> None:
    tries: list[str] = []

    def search(query: str) -> str:
        """Search."""
        tries.append(query)
        if len(tries) == 1:
            raise RuntimeError("busy")
        return "found"

    tool = StructuredTool.from_function(search, metadata=READ_ONLY)
    agent = create_agent(
        ScriptedModel(script=[call("search", query="x"), "There."]),
        [tool],
        middleware=[
            CoReActMiddleware(
                generator=ScriptedGenerator(RUBRIC), judge=Room().judge(waits=0), speculate=True
            )
        ],
    )
    assert observed(agent.invoke({"messages": [("user", "Where?")]}))[0][0] == "found"
    assert tries == ["x", "x"]


def test_a_tool_that_interrupts_or_takes_state_is_left_to_the_tool_node() -> None:
    from langgraph.checkpoint.memory import InMemorySaver

    asked: list[str] = []

    def search(query: str, state: Annotated[dict[str, Any], InjectedState]) -> str:
        """Search."""
        asked.append(query)
        return f"{len(state['messages'])} messages, {interrupt('May I?')}"

    def ask(query: str) -> str:
        """Ask."""
        return str(interrupt("May I?"))

    for function in (search, ask):
        tool = StructuredTool.from_function(function, name="search", metadata=READ_ONLY)
        agent = create_agent(
            ScriptedModel(script=[call("search", query="x"), "There."]),
            [tool],
            middleware=[
                CoReActMiddleware(
                    generator=ScriptedGenerator(RUBRIC), judge=Room().judge(waits=0), speculate=True
                )
            ],
            checkpointer=InMemorySaver(),
        )
        config: Any = {"configurable": {"thread_id": function.__name__}}
        first = agent.invoke({"messages": [("user", "Where?")]}, config)
        assert first["__interrupt__"][0].value == "May I?"
        from langgraph.types import Command

        assert observed(agent.invoke(Command(resume="yes"), config))[0][0].endswith("yes")
    assert asked == ["x", "x"], "once until the interrupt, once after it: never ahead"


def test_the_record_is_that_of_a_run_without() -> None:
    def recorded(speculate: bool) -> Any:
        room, store = Room(), InMemoryTraceStore()
        agent = create_agent(
            ScriptedModel(script=[call("search", query="right"), "There."]),
            [room.tool],
            middleware=[
                CoReActMiddleware(
                    generator=ScriptedGenerator(RUBRIC),
                    judge=room.judge(waits=0),
                    recorder=Recorder(store),
                    speculate=speculate,
                )
            ],
        )
        agent.invoke({"messages": [("user", "Where?")]})
        (trajectory,) = store.trajectories()
        return trajectory

    with_it, without = recorded(True), recorded(False)
    assert [o.text for o in with_it.observations] == [o.text for o in without.observations]
    assert [(c.kind, c.key, c.error) for c in with_it.calls] == [
        (c.kind, c.key, c.error) for c in without.calls
    ]


def test_two_runs_that_make_the_same_call_do_not_get_each_others_result() -> None:
    ahead, answers = Speculation(), iter(["first", "second"])

    def search(query: str) -> str:
        """Search."""
        return next(answers)

    tool = StructuredTool.from_function(search, metadata=READ_ONLY)
    asked = ToolCall(name="search", arguments={"query": "x"}, id="c")
    for number in ("a", "b"):
        ahead.start(number, 0, Action(call=asked), [tool])
        ahead._started[number, 0, asked.key].result()
    second, first = ahead.take("b", 0, asked), ahead.take("a", 0, asked)
    assert first is not None
    assert second is not None
    assert (first.text, second.text) == ("first", "second")
    assert ahead.take("a", 0, asked) is None, "taken once"


def test_what_is_never_asked_for_is_dropped_with_the_next_decision() -> None:
    ahead = Speculation()
    tool = StructuredTool.from_function(
        lambda query: query, name="search", description="S", metadata=READ_ONLY
    )
    for step in range(3):
        ahead.start("a", step, Action(call=ToolCall(name="search", arguments={"query": str(step)})), [tool])
        ahead.settle("a", step, {ToolCall(name="search", arguments={"query": str(step)}).key})
    assert [key[1] for key in ahead._started] == [2]


def test_a_hand_written_graph_cannot_ask_for_it() -> None:
    with pytest.raises(ConfigError, match="start tools early"):
        guide(lambda state: {}, speculate=True)


@pytest.mark.parametrize(
    ("colour", "begins"), [("sync", "at once"), ("sync", "when it is judged"), ("async", "in the loop")]
)
def test_a_dropped_call_writes_to_no_stream(
    colour: str, begins: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whether its thread begins while the call is still being handed over, or long after."""
    from langgraph.config import get_stream_writer

    room, begun, judging = Room(), threading.Event(), threading.Event()

    class Pool(ThreadPoolExecutor):
        def submit(self, function: Any, /, *arguments: Any, **_: Any) -> Any:
            if begins == "when it is judged":
                return super().submit(lambda: judging.wait(PATIENCE) and function(*arguments))
            started = super().submit(function, *arguments)
            assert begun.wait(PATIENCE)
            return started

    monkeypatch.setattr("coreact.guide.speculation.ThreadPoolExecutor", Pool)

    def search(query: str) -> str:
        """Search."""
        begun.set()
        assert judging.wait(PATIENCE)
        try:
            get_stream_writer()({"searched": query})
        finally:
            room.begun.set()  # it is dropped after it tried
        return "found"

    async def asearch(query: str) -> str:
        await asyncio.to_thread(judging.wait, PATIENCE)
        return search(query)

    judge = room.judge()

    class Judge:
        id = "judge"

        def judge(self, *asked: Any) -> Any:
            judging.set()
            return judge.judge(*asked)

        async def ajudge(self, *asked: Any) -> Any:
            judging.set()
            return await judge.ajudge(*asked)

    agent = create_agent(
        ScriptedModel(script=[call("search", query="wrong"), call("search", query="right"), "There."]),
        [StructuredTool.from_function(search, asearch, metadata=READ_ONLY)],
        middleware=[CoReActMiddleware(generator=ScriptedGenerator(RUBRIC), judge=Judge(), speculate=True)],
    )
    asked = {"messages": [("user", "Where?")]}

    async def streamed() -> list[Any]:
        return [event async for event in agent.astream(asked, stream_mode="custom")]

    events = list(agent.stream(asked, stream_mode="custom")) if colour == "sync" else asyncio.run(streamed())
    assert room.begun_before_judged == [True, True]
    assert [event for event in events if "searched" in event] == [{"searched": "right"}]


async def test_a_call_that_nobody_waits_for_any_more_is_ended() -> None:
    begun, ended = asyncio.Event(), asyncio.Event()

    async def search(query: str) -> str:
        """Search."""
        begun.set()
        try:
            await asyncio.Event().wait()  # for ever
        finally:
            ended.set()
        return "late"

    tool = StructuredTool.from_function(coroutine=search, name="search", metadata=READ_ONLY)
    made = ToolCall(name="search", arguments={"query": "x"}, id="1")
    ahead = Speculation()
    ahead.astart("run", 0, Action(call=made), [tool])
    waiting = asyncio.create_task(ahead.atake("run", 0, made))
    await begun.wait()
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    await asyncio.wait_for(ended.wait(), PATIENCE)


async def test_what_a_dropped_call_raises_late_disturbs_nobody() -> None:
    complaints: list[Any] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: complaints.append(context))
    begun = asyncio.Event()

    async def search(query: str) -> str:
        """Search."""
        begun.set()
        try:
            await asyncio.Event().wait()  # for ever
        except asyncio.CancelledError as error:
            raise RuntimeError("ended badly") from error
        return "late"

    tool = StructuredTool.from_function(coroutine=search, name="search", metadata=READ_ONLY)
    ahead = Speculation()
    ahead.astart("run", 0, Action(call=ToolCall(name="search", arguments={"query": "x"}, id="1")), [tool])
    await begun.wait()
    (dropped,) = ahead._started.values()
    assert isinstance(dropped, asyncio.Task)
    ahead.settle("run", 0, [])
    await asyncio.wait([dropped])
    assert not dropped.cancelled(), "it raised"
    del dropped
    gc.collect()  # a loop complains when a task goes whose error nobody looked at
    await asyncio.sleep(0)
    assert complaints == []
