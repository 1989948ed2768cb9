"""Recorded calls, and agents that run again against them: real agents and graphs, nothing is called."""

from __future__ import annotations

import asyncio
import itertools
import threading
from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
from langchain.agents import create_agent
from langchain.agents.middleware import ModelRetryMiddleware, ToolRetryMiddleware
from langchain.agents.middleware.types import AgentMiddleware
from langchain.agents.structured_output import AutoStrategy, ProviderStrategy, ToolStrategy
from langchain.chat_models import init_chat_model
from langchain_core.messages import AIMessage, HumanMessage, ToolMessage
from langchain_core.tools import StructuredTool, tool
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import END, START, StateGraph
from langgraph.prebuilt import ToolNode
from langgraph.types import Command, interrupt
from pydantic import BaseModel

from coreact.errors import ConfigError, ReplayDivergenceError
from coreact.generate.contracts import ContractGenerator
from coreact.guide import CoReActMiddleware, CoReActState, guide
from coreact.guide.replay import Replay, Said
from coreact.guide.session import identity_or_none
from coreact.guide.tools import ToolCalls
from coreact.judge import Cost
from coreact.rubric import Criterion, Rubric
from coreact.testing.scripted import ScriptedGenerator, ScriptedJudge, ScriptedModel, call
from coreact.trace import CallRecord, InMemoryTraceStore, Recorder, SQLiteTraceStore, Trajectory
from coreact.trace.calls import UNRECORDED
from coreact.trace.comparing import run_difference

TASTE = Rubric(criteria=(Criterion(id="taste", text="Tasteful."),))
THREAD = {"configurable": {"thread_id": "1"}}
NOBODY = ScriptedModel(script=[])
"""A model that must not be called."""


def never(*_: Any, **__: Any) -> Any:
    raise AssertionError("a tool ran in a replay")


def dead(tools: Any) -> list[StructuredTool]:
    """The same tools, which must not run."""
    return [
        StructuredTool.from_function(
            never,
            name=one.name,
            description=one.description,
            args_schema=one.args_schema,
            metadata=one.metadata,
        )
        for one in tools
    ]


class Rerun:
    """Records a run of an agent, runs the same agent against the record, and compares."""

    def __init__(self, run: Any, tmp_path: Any) -> None:
        self.run = run
        self._path = tmp_path / "traces.db"

    def record(self, make: Callable[..., Any], drive: Callable[[Any], Any] | None = None) -> Trajectory:
        store = SQLiteTraceStore(self._path)  # what cannot be stored cannot be replayed
        agent = make(recorder=Recorder(store))
        _ = drive(agent) if drive is not None else self.run.ask(agent)
        store.flush()
        (summary,) = store.runs()
        recorded = store.trajectory(summary.id)
        store.close()
        return recorded

    def replay(
        self, recorded: Trajectory, make: Callable[..., Any], drive: Callable[[Any], Any] | None = None
    ) -> tuple[Any, Trajectory]:
        store = InMemoryTraceStore()
        agent = make(recorder=Recorder(store), replay=Replay(recorded))
        out = drive(agent) if drive is not None else self.run.ask(agent)
        (summary,) = store.runs()
        return out, store.trajectory(summary.id)

    @staticmethod
    def _calls(run: Trajectory) -> list[Any]:
        """The calls, those of tools sorted: parallel ones end in any order."""
        made = [(c.step, c.kind, c.key, c.error) for c in run.calls]
        return [one for one in made if one[1] != "tool"] + sorted(one for one in made if one[1] == "tool")

    def __call__(self, recorded: Trajectory, make: Callable[..., Any], drive: Any = None) -> Any:
        out, again = self.replay(recorded, make, drive)
        assert run_difference(recorded, again) is None
        assert again.run.id != recorded.run.id
        assert self._calls(again) == self._calls(recorded)
        assert [s.cost.calls for s in again.steps] == [s.cost.calls for s in recorded.steps]
        return out


@pytest.fixture
def rerun(run: Any, tmp_path: Any) -> Rerun:
    return Rerun(run, tmp_path)


def kinds(recorded: Trajectory) -> list[tuple[int, str]]:
    return [(one.step, one.kind) for one in recorded.calls]


# --- what is recorded ---------------------------------------------------------------------------------------


def test_every_call_to_something_outside_is_recorded_once(rerun: Rerun, tools: Any) -> None:
    model = ScriptedModel(script=[call("search", query="mud"), call("search", query="gold"), "In the hills."])
    judge = ScriptedJudge(lambda _, action: "unmet" if "mud" in str(action) else "met")
    recorded = rerun.record(
        lambda **given: create_agent(
            model,
            tools.all,
            middleware=[CoReActMiddleware(generator=ScriptedGenerator(TASTE), judge=judge, **given)],
        )
    )
    assert kinds(recorded) == [
        *((0, kind) for kind in ("generator", "model", "judge", "model", "judge", "tool")),
        *((1, kind) for kind in ("generator", "model", "judge")),
    ]
    first = recorded.calls[1]
    assert first.response == {"messages": [{"attempt": 0}]}, "the message stands in the attempt already"
    assert recorded.calls[3].response == {"messages": [{"attempt": 1}]}
    assert len({one.key for one in recorded.calls}) == len(recorded.calls)
    assert "Where is gold?" not in str([one.request for one in recorded.calls]), "prompts are not repeated"


def test_code_generators_are_run_again_and_not_recorded(rerun: Rerun, tools: Any) -> None:
    for generator in (None, ContractGenerator()):
        recorded = Rerun(rerun.run, rerun._path.parent / str(generator is None)).record(
            lambda generator=generator, **given: create_agent(
                ScriptedModel(script=["x", "x"]),
                tools.all,
                middleware=[CoReActMiddleware(generator=generator, **given)],
            )
        )
        assert {one.kind for one in recorded.calls} == {"model"}


def test_nothing_is_noted_without_a_recorder(run: Any, tools: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("coreact.guide.session.Tape", never)
    run.ask(create_agent(ScriptedModel(script=["x", "x"]), tools.all, middleware=[CoReActMiddleware()]))


def test_a_long_run_hashes_and_writes_each_message_once(
    tools: Any, recorder: Recorder, only_run: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    import coreact.trace.calls as module

    hashed: list[int] = []
    real = module.message_key
    monkeypatch.setattr(module, "message_key", lambda message: hashed.append(1) or real(message))
    steps = 60
    script = [call("search", query=f"gold {n}") for n in range(steps)]
    agent = create_agent(
        ScriptedModel(script=[*script, "Found."]),
        tools.all,
        middleware=[CoReActMiddleware(recorder=recorder, retries=0)],
    )
    agent.invoke({"messages": [("user", "Where is gold?")]}, {"recursion_limit": 500})
    assert len(hashed) == 2 * steps + 1
    sizes = [len(one.model_dump_json()) for one in only_run().calls]
    assert max(sizes[:10]) + 50 > max(sizes[-10:])


def test_the_current_span_is_on_the_record(run: Any, tools: Any, recorder: Recorder, only_run: Any) -> None:
    from opentelemetry.sdk.trace import TracerProvider

    agent = create_agent(
        ScriptedModel(script=["x"]), tools.all, middleware=[CoReActMiddleware(recorder=recorder, retries=0)]
    )
    with TracerProvider().get_tracer("t").start_as_current_span("s") as span:
        run.ask(agent)
    context = span.get_span_context()
    (step,) = only_run().steps
    assert step.trace_id == f"{context.trace_id:032x}"
    assert step.span_id == f"{context.span_id:016x}"


def test_without_a_span_there_is_none_on_the_record(
    run: Any, tools: Any, recorder: Recorder, only_run: Any
) -> None:
    middleware = CoReActMiddleware(recorder=recorder, retries=0)
    run.ask(create_agent(ScriptedModel(script=["x"]), tools.all, middleware=[middleware]))
    assert [(step.trace_id, step.span_id) for step in only_run().steps] == [(None, None)]


# --- a whole agent ------------------------------------------------------------------------------------------


def judged(model: Any, tools: Any, **given: Any) -> Any:
    generator = None if "replay" in given else ScriptedGenerator(TASTE)
    judge = None
    if "replay" not in given:
        judge = ScriptedJudge(lambda _, action: "unmet" if "mud" in str(action) else "met")
    return create_agent(
        model, tools, middleware=[CoReActMiddleware(generator=generator, judge=judge, **given)]
    )


def test_a_run_replays_without_model_tools_generator_or_judge(rerun: Rerun, tools: Any) -> None:
    script = [call("search", query="mud"), call("search", query="gold"), "In the hills."]
    recorded = rerun.record(lambda **given: judged(ScriptedModel(script=script), tools.all, **given))
    out = rerun(recorded, lambda **given: judged(NOBODY, dead(tools.all), **given))
    assert out["messages"][-1].text == "In the hills."
    assert [m.text for m in out["messages"] if isinstance(m, ToolMessage)] == ["Found gold."]
    assert NOBODY.requests == []


def test_a_replay_is_itself_a_recording(rerun: Rerun, tools: Any) -> None:
    script = [call("search", query="mud"), call("search", query="gold"), "In the hills."]
    recorded = rerun.record(lambda **given: judged(ScriptedModel(script=script), tools.all, **given))
    _, second = rerun.replay(recorded, lambda **given: judged(NOBODY, dead(tools.all), **given))
    _, third = rerun.replay(second, lambda **given: judged(NOBODY, dead(tools.all), **given))
    assert run_difference(recorded, third) is None


def test_heuristic_guidance_with_parallel_and_failing_calls_replays(rerun: Rerun, tools: Any) -> None:
    both = AIMessage(
        "Both.",
        tool_calls=[
            {"name": "search", "args": {"query": "gold"}, "id": "1"},
            {"name": "search", "args": {"query": "gold"}, "id": "2"},
            {"name": "delete", "args": {"path": "x"}, "id": "3"},
        ],
    )
    model = ScriptedModel(script=lambda ms: "Found gold." if any(m.type == "tool" for m in ms) else both)
    recorded = rerun.record(
        lambda **given: create_agent(model, tools.all, middleware=[CoReActMiddleware(**given)])
    )
    assert sum(one.kind == "tool" for one in recorded.calls) >= 2
    rerun(
        recorded,
        lambda **given: create_agent(NOBODY, dead(tools.all), middleware=[CoReActMiddleware(**given)]),
    )


def test_a_run_recorded_before_control_tokens_were_taken_out_replays(
    rerun: Rerun, tools: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Calls are known by what the record holds, not by how a version of ours shows it."""
    rubric = Rubric(criteria=(Criterion(id="taste", text="As tasteful as `cp <filename>`."),))

    def make(**given: Any) -> Any:
        model = ScriptedModel(script=[call("search", query="gold"), "In the hills."])
        judge = ScriptedJudge(lambda *_: "met")
        guide = CoReActMiddleware(generator=ScriptedGenerator(rubric), judge=judge, **given)
        return create_agent(model, tools.all, middleware=[guide])

    with monkeypatch.context() as before:
        before.setattr("coreact.host.messages.without_control_tokens", str)
        recorded = rerun.record(make)
    assert "<filename>" in recorded.steps[0].guidance
    assert rerun(recorded, make)["messages"][-1].text == "In the hills."


def test_equal_parallel_calls_get_their_own_results(rerun: Rerun) -> None:
    """The results come in another order than the calls, and differ."""
    numbers, others_done = itertools.count(1), threading.Semaphore(0)

    def next_ticket(kind: str) -> str:
        """Draw a ticket."""
        number = next(numbers)
        if number > 1:
            others_done.release()
        elif not all(others_done.acquire(timeout=60) for _ in range(3)):
            raise TimeoutError("the calls do not run at the same time")
        return f"ticket {number}"

    calls = [{"name": "next_ticket", "args": {"kind": "a"}, "id": f"c{n}"} for n in range(4)]
    tickets = tool(next_ticket)
    model = ScriptedModel(script=[AIMessage("", tool_calls=calls), "Done."])
    settings = {"retries": 0, "show_rubric": False, "on_unmet": "allow"}
    recorded = rerun.record(
        lambda **given: create_agent(model, [tickets], middleware=[CoReActMiddleware(**settings, **given)])
    )
    assert len({seen.text for seen in recorded.observations}) == 4
    rerun(
        recorded,
        lambda **given: create_agent(
            NOBODY, dead([tickets]), middleware=[CoReActMiddleware(**settings, **given)]
        ),
    )


def test_candidates_come_in_the_recorded_order(rerun: Rerun, tools: Any, want: Any) -> None:
    """Equal requests at once, each with another reply; the threads end in the opposite order."""
    turn, ended = itertools.count(), [threading.Event() for _ in range(4)]

    def reply(messages: Any) -> Any:
        if any(message.type == "tool" for message in messages):
            return "In the hills."
        at = next(turn)
        if at < 3 and not ended[at + 1].wait(60):
            raise TimeoutError("the candidates are not asked for at the same time")
        if at < 4:
            ended[at].set()
        return call("search", query=f"mud {at}")

    settings = {"candidates": 4, "retries": 1}
    rubric = want("gold", threshold=1.0)
    recorded = rerun.record(
        lambda **given: create_agent(
            ScriptedModel(script=reply),
            tools.all,
            middleware=[CoReActMiddleware(generator=ScriptedGenerator(rubric), **settings, **given)],
        )
    )
    first = [one for one in recorded.calls if one.step == 0 and one.kind == "model"]
    assert [one.response for one in first] == [{"messages": [{"attempt": n}]} for n in range(5)]
    assert len({one.key for one in first}) == 2, "four equal requests and a retry"
    rerun(
        recorded,
        lambda **given: create_agent(
            NOBODY, dead(tools.all), middleware=[CoReActMiddleware(**settings, **given)]
        ),
    )


def test_a_replay_asks_for_candidates_one_after_the_other(
    rerun: Rerun, tools: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Threads that race for the answers to equal requests would now and then swap them."""

    def make(model: Any, given_tools: Any, **given: Any) -> Any:
        return create_agent(model, given_tools, middleware=[CoReActMiddleware(candidates=3, **given)])

    recorded = rerun.record(lambda **given: make(ScriptedModel(script=lambda _: "x"), tools.all, **given))
    monkeypatch.setattr("coreact.guide.calls.ThreadPoolExecutor", never)
    monkeypatch.setattr("coreact.guide.calls.asyncio", SimpleNamespace(gather=never))
    rerun(recorded, lambda **given: make(NOBODY, dead(tools.all), **given))


class Loud(AgentMiddleware[Any, Any, Any]):
    """Stands behind the guidance and changes what the model says."""

    def wrap_model_call(self, request: Any, handler: Any) -> Any:
        return self._louder(handler(request))

    async def awrap_model_call(self, request: Any, handler: Any) -> Any:
        return self._louder(await handler(request))

    def _louder(self, response: Any) -> Any:
        (message,) = response.result
        return replace(response, result=[message.model_copy(update={"content": f"{message.content}!"})])


def test_what_a_middleware_behind_us_changed_is_not_changed_twice(rerun: Rerun, tools: Any) -> None:
    def make(model: Any, given_tools: Any, **given: Any) -> Any:
        return create_agent(model, given_tools, middleware=[CoReActMiddleware(retries=0, **given), Loud()])

    recorded = rerun.record(lambda **given: make(ScriptedModel(script=["Gold"]), tools.all, **given))
    out = rerun(recorded, lambda **given: make(NOBODY, dead(tools.all), **given))
    assert out["messages"][-1].text == "Gold!"


# --- failures -----------------------------------------------------------------------------------------------


def test_failures_are_recorded_and_raised_again(rerun: Rerun, tools: Any, want: Any) -> None:
    """A retry that fails, a generator that fails, a judge that fails, a candidate that fails."""

    def make(model: Any, given_tools: Any, **given: Any) -> Any:
        here = "replay" not in given
        generator = ScriptedGenerator(TASTE, ValueError("no idea")) if here else None
        judge = ScriptedJudge(TimeoutError("slow")) if here else None
        middleware = CoReActMiddleware(generator=generator, judge=judge, candidates=2, **given)
        return create_agent(model, given_tools, middleware=[middleware])

    script = [call("search", query="a"), KeyError("gone"), "x", "x", RuntimeError("down")]
    recorded = rerun.record(lambda **given: make(ScriptedModel(script=script), tools.all, **given))
    errors = {(one.kind, one.error) for one in recorded.calls if one.error}
    assert ("model", "KeyError: 'gone'") in errors
    assert ("generator", "GenerationError: Generator 'scripted' raised ValueError: no idea.") in errors
    assert recorded.steps[0].error is not None
    assert "KeyError: 'gone'" in recorded.steps[0].error
    rerun(recorded, lambda **given: make(NOBODY, dead(tools.all), **given))


def test_a_failed_retry_is_recorded_with_what_it_was_told(rerun: Rerun, tools: Any, want: Any) -> None:
    script = [call("search", query="mud"), ConnectionError("reset"), "x"]

    def make(model: Any, given_tools: Any, **given: Any) -> Any:
        generator = ScriptedGenerator(want("gold")) if "replay" not in given else None
        return create_agent(
            model, given_tools, middleware=[CoReActMiddleware(generator=generator, retries=1, **given)]
        )

    recorded = rerun.record(lambda **given: make(ScriptedModel(script=script), tools.all, **given))
    (failed,) = [one for one in recorded.calls if one.error]
    assert failed.error == "ConnectionError: reset"
    assert "gold" in failed.request["feedback"]
    rerun(recorded, lambda **given: make(NOBODY, dead(tools.all), **given))


class OddError(Exception):
    pass


@pytest.mark.parametrize("error", [KeyError("x"), OddError("y"), OSError(5, "disk"), ValueError("z")])
def test_a_tool_that_raised_raises_again(rerun: Rerun, error: Exception) -> None:
    """The graph fails in the same words, and a retry of it goes on."""

    @tool
    def search(query: str) -> str:
        """Search the corpus."""
        raise error

    def make(model: Any, tools: Any, **given: Any) -> Any:
        middleware = CoReActMiddleware(retries=0, **given)
        return create_agent(model, tools, middleware=[middleware])

    def drive(agent: Any) -> Any:
        with pytest.raises(Exception, match=r".") as raised:
            rerun.run.ask(agent)
        assert type(raised.value).__name__ == type(error).__name__
        assert str(raised.value) == str(error)
        return raised.value

    recorded = rerun.record(
        lambda **given: make(ScriptedModel(script=[call("search", query="x")]), [search], **given), drive
    )
    (failed,) = [one for one in recorded.calls if one.kind == "tool"]
    assert failed.error == f"{type(error).__name__}: {error}"
    again = rerun(recorded, lambda **given: make(NOBODY, dead([search]), **given), drive)
    assert isinstance(again, type(error)) or type(error) is OddError


# --- results that are more than text ------------------------------------------------------------------------


class Thing:
    pass


def artifact_tool(artifact: Any) -> Any:
    @tool(response_format="content_and_artifact")
    def search(query: str) -> Any:
        """Search the corpus."""
        return f"Found {query}.", artifact

    return search


def guided(model: Any, tools: Any, **given: Any) -> Any:
    return create_agent(model, tools, middleware=[CoReActMiddleware(retries=0, **given)])


def test_artifacts_and_states_of_results_come_back(rerun: Rerun) -> None:
    search = artifact_tool({"ids": ["a", 1, None, 2.5, True]})
    model = ScriptedModel(script=[call("search", query="gold"), "x"])
    recorded = rerun.record(lambda **given: guided(model, [search], **given))
    out = rerun(recorded, lambda **given: guided(NOBODY, dead([search]), **given))
    (result,) = [m for m in out["messages"] if isinstance(m, ToolMessage)]
    assert result.artifact == {"ids": ["a", 1, None, 2.5, True]}


@pytest.mark.parametrize("artifact", [Thing(), (1, 2), {1: "x"}, {"x": {2}}])
def test_what_is_no_plain_json_is_recorded_as_lost_and_says_so(rerun: Rerun, artifact: Any) -> None:
    search = artifact_tool(artifact)
    model = ScriptedModel(script=[call("search", query="gold"), "x"])
    recorded = rerun.record(lambda **given: guided(model, [search], **given))
    (lost,) = [one for one in recorded.calls if one.kind == "tool"]
    assert lost.response is None
    assert lost.error is not None
    assert lost.error.startswith(UNRECORDED)
    with pytest.raises(ReplayDivergenceError, match="result was not recorded") as raised:
        rerun.replay(recorded, lambda **given: guided(NOBODY, dead([search]), **given))
    assert raised.value.step == 0


def test_commands_of_tools_come_back(rerun: Rerun) -> None:
    class Noted(CoReActState):
        notes: list[str]

    @tool
    def note(text: str) -> Any:
        """Note something."""
        message = ToolMessage("Noted.", tool_call_id="n1", name="note")
        return Command(update={"notes": [text], "messages": [message]})

    def make(model: Any, tools: Any, **given: Any) -> Any:
        return create_agent(
            model, tools, middleware=[CoReActMiddleware(retries=0, **given)], state_schema=Noted
        )

    model = ScriptedModel(script=[call("note", text="gold", id="n1"), "x"])
    recorded = rerun.record(lambda **given: make(model, [note], **given))
    out = rerun(recorded, lambda **given: make(NOBODY, dead([note]), **given))
    assert out["notes"] == ["gold"]


class City(BaseModel):
    """A city."""

    name: str


@pytest.mark.parametrize("strategy", [ToolStrategy(City), AutoStrategy(City), ProviderStrategy(City)])
def test_structured_answers_are_parsed_again_by_the_host(rerun: Rerun, tools: Any, strategy: Any) -> None:
    answer: Any = '{"name": "Oslo"}' if isinstance(strategy, ProviderStrategy) else call("City", name="Oslo")

    def make(model: Any, given_tools: Any, **given: Any) -> Any:
        middleware = CoReActMiddleware(retries=0, **given)
        return create_agent(model, given_tools, middleware=[middleware], response_format=strategy)

    model = ScriptedModel(script=[call("search", query="gold"), answer])
    recorded = rerun.record(lambda **given: make(model, tools.all, **given))
    out = rerun(recorded, lambda **given: make(NOBODY, dead(tools.all), **given))
    assert out["structured_response"] == City(name="Oslo")


# --- interrupts ---------------------------------------------------------------------------------------------


def test_a_tool_that_asked_a_human_answers_at_once(rerun: Rerun) -> None:
    @tool
    def search(query: str) -> str:
        """Search the corpus."""
        return f"{interrupt('sure?')}: found {query}."

    def make(model: Any, tools: Any, **given: Any) -> Any:
        middleware = CoReActMiddleware(retries=0, **given)
        return create_agent(model, tools, middleware=[middleware], checkpointer=InMemorySaver())

    def resumed(agent: Any) -> Any:
        assert rerun.run.ask(agent, "Where is gold?", THREAD)["__interrupt__"]
        return rerun.run(agent, Command(resume="yes"), THREAD)

    model = ScriptedModel(script=[call("search", query="gold"), "x"])
    recorded = rerun.record(lambda **given: make(model, [search], **given), resumed)
    out = rerun(
        recorded,
        lambda **given: make(NOBODY, dead([search]), **given),
        lambda agent: rerun.run.ask(agent, "Where is gold?", THREAD),
    )
    assert [m.text for m in out["messages"] if isinstance(m, ToolMessage)] == ["yes: found gold."]


def test_a_human_is_asked_again_and_the_run_goes_on(rerun: Rerun, tools: Any) -> None:
    def make(model: Any, given_tools: Any, **given: Any) -> Any:
        here = "replay" not in given
        middleware = CoReActMiddleware(
            generator=ScriptedGenerator(TASTE) if here else None,
            judge=ScriptedJudge(lambda c, action: "unmet" if action.call else "met") if here else None,
            on_unmet="ask",
            retries=0,
            **given,
        )
        return create_agent(model, given_tools, middleware=[middleware], checkpointer=InMemorySaver())

    def approved(agent: Any) -> Any:
        assert rerun.run.ask(agent, "Where is gold?", THREAD)["__interrupt__"]
        return rerun.run(agent, Command(resume={"decisions": [{"type": "approve"}]}), THREAD)

    model = ScriptedModel(script=[call("search", query="gold"), "x"])
    recorded = rerun.record(lambda **given: make(model, tools.all, **given), approved)
    rerun(recorded, lambda **given: make(NOBODY, dead(tools.all), **given), approved)


# --- hand-written graphs ------------------------------------------------------------------------------------


def graph(model: Any, tools: Any, *, whole: bool = False, **given: Any) -> Any:
    def answer(state: Any) -> Any:
        message = model.invoke(state["messages"])
        return {"messages": [*state["messages"], message] if whole else [message], "mood": {"calm": 1}}

    class Moody(CoReActState):
        mood: dict[str, int]

    wraps = ToolCalls(**given)
    builder = StateGraph(Moody)
    builder.add_node("model", guide(answer, tools=tools, retries=1, **given))
    builder.add_node("tools", ToolNode(tools, wrap_tool_call=wraps.run, awrap_tool_call=wraps.arun))
    builder.add_edge(START, "model")
    builder.add_conditional_edges("model", lambda s: "tools" if s["messages"][-1].tool_calls else END)
    builder.add_edge("tools", "model")
    return builder.compile()


@pytest.mark.parametrize("whole", [False, True])
def test_a_hand_written_graph_replays(rerun: Rerun, tools: Any, whole: bool) -> None:
    script = [
        call("search", query="gold"),
        call("search", query="gold"),
        call("search", query="ore"),
        "In ore.",
    ]
    recorded = rerun.record(
        lambda **given: graph(ScriptedModel(script=script), tools.all, whole=whole, **given)
    )
    assert [one.kind for one in recorded.calls].count("tool") == 2
    out = rerun(recorded, lambda **given: graph(NOBODY, dead(tools.all), whole=whole, **given))
    assert out["mood"] == {"calm": 1}
    if whole:
        assert "Where is gold?" not in str([one.response for one in recorded.calls if one.kind == "model"])


# --- where a replay leaves the record -----------------------------------------------------------------------


SCRIPT = [call("search", query="gold"), "In the hills."]


@pytest.fixture
def recorded(rerun: Rerun, tools: Any) -> Trajectory:
    return rerun.record(lambda **given: guided(ScriptedModel(script=SCRIPT), tools.all, **given))


def diverges(agent: Any, run: Any, question: str = "Where is gold?") -> ReplayDivergenceError:
    with pytest.raises(ReplayDivergenceError) as raised:
        run.ask(agent, question)
    return raised.value


def test_another_question_is_named(run: Any, tools: Any, recorded: Trajectory) -> None:
    error = diverges(guided(NOBODY, tools.all, replay=Replay(recorded)), run, "Where is silver?")
    assert (error.run, error.step) == (recorded.run.id, 0)
    assert "message 0: (human) content was 'Where is gold?', is 'Where is silver?'" in str(error)
    assert NOBODY.requests == []


def test_another_system_prompt_is_named(run: Any, tools: Any, recorded: Trajectory) -> None:
    middleware = CoReActMiddleware(retries=0, replay=Replay(recorded))
    error = diverges(create_agent(NOBODY, tools.all, middleware=[middleware], system_prompt="Be brief."), run)
    assert "message 0: kind was 'human', is 'system'" in str(error)


def test_other_guidance_is_named(run: Any, tools: Any, recorded: Trajectory) -> None:
    middleware = CoReActMiddleware(retries=0, replay=Replay(recorded), generator=ContractGenerator())
    error = diverges(create_agent(NOBODY, tools.all, middleware=[middleware]), run)
    assert "other text of ours after it" in str(error)


def test_other_tools_are_named(run: Any, tools: Any, recorded: Trajectory) -> None:
    error = diverges(guided(NOBODY, tools.all[:1], replay=Replay(recorded)), run)
    assert "other tools" in str(error)


def test_a_second_run_needs_a_second_replay(run: Any, tools: Any, recorded: Trajectory) -> None:
    agent = guided(NOBODY, dead(tools.all), replay=Replay(recorded))
    run.ask(agent)
    assert "once more than the recorded run did" in str(diverges(agent, run))


def test_on_a_miss_the_agent_may_go_on_live(run: Any, tools: Any, recorded: Trajectory) -> None:
    replay = Replay(recorded, on_miss="live")
    model = ScriptedModel(script=[call("search", query="silver"), "There."])
    out = run.ask(guided(model, tools.all, replay=replay), "Where is silver?")
    assert out["messages"][-1].text == "There."
    assert len(model.requests) == 2


def test_a_run_without_calls_or_content_is_refused(recorded: Trajectory) -> None:
    with pytest.raises(ConfigError, match="without its calls"):
        Replay(recorded.model_copy(update={"calls": ()}))
    redacted = recorded.run.model_copy(update={"capture": "redacted"})
    with pytest.raises(ConfigError, match="capture='redacted'"):
        Replay(recorded.model_copy(update={"run": redacted}))
    imported = recorded.run.model_copy(update={"origin": "atif", "capture": "redacted"})
    with pytest.raises(ConfigError, match="was imported") as refused:
        Replay(recorded.model_copy(update={"run": imported, "calls": ()}))
    assert "trace replay" not in refused.value.remedy, "it cannot make its decisions again either"


# --- what stands around guidance ----------------------------------------------------------------------------


class Choose(AgentMiddleware[Any, Any, Any]):
    """Has another model answer than the agent's."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.chosen = model

    def wrap_model_call(self, request: Any, handler: Any) -> Any:
        return handler(request.override(model=self.chosen))

    async def awrap_model_call(self, request: Any, handler: Any) -> Any:
        return await handler(request.override(model=self.chosen))


def test_a_model_that_a_middleware_behind_us_chooses_is_not_called(rerun: Rerun, tools: Any) -> None:
    paid = ScriptedModel(script=["It is gold."])

    def make(given_tools: Any, **given: Any) -> Any:
        ours = CoReActMiddleware(retries=0, **given)
        return create_agent(NOBODY, given_tools, middleware=[ours, Choose(paid)])

    recorded = rerun.record(lambda **given: make(tools.all, **given))
    rerun(recorded, lambda **given: make(dead(tools.all), **given))
    assert len(paid.requests) == 1


def test_an_answer_to_be_parsed_that_another_model_gave_is_a_divergence(rerun: Rerun, tools: Any) -> None:
    def make(**given: Any) -> Any:
        chosen = Choose(ScriptedModel(script=[call("City", name="Oslo")]))
        ours = CoReActMiddleware(retries=0, **given)
        form = ToolStrategy(City)
        return create_agent(NOBODY, tools.all, middleware=[ours, chosen], response_format=form)

    recorded = rerun.record(make)
    with pytest.raises(ReplayDivergenceError, match="answered by another model"):
        rerun.replay(recorded, make)


def test_a_model_that_cannot_say_what_it_is_is_recorded_without(run: Any, tools: Any) -> None:
    chosen_late = init_chat_model(configurable_fields=("model", "model_provider"))
    assert identity_or_none(chosen_late) == {}
    said = Said(CallRecord(run="r", step=0, kind="model", key="k"), [])
    assert said.model(object()).profile is None  # type: ignore[arg-type]


@pytest.mark.parametrize("recorder", [False, True])
def test_odd_arguments_and_contents_stop_no_agent(run: Any, recorder: bool) -> None:
    @tool
    def search(query: dict[str, Any]) -> str:
        """Search the corpus."""
        return "x"

    deep: Any = 1
    for _ in range(300):
        deep = {"a": deep}
    store = InMemoryTraceStore()
    given: dict[str, Any] = {"recorder": Recorder(store)} if recorder else {}
    question = HumanMessage([{"type": "text", "text": "q"}, {"type": "image", "data": b"\xff\xfe\x00"}])
    agent = guided(ScriptedModel(script=[call("search", query=deep), "Done."]), [search], **given)
    parts = list(agent.stream({"messages": [question]}, stream_mode=["custom", "values"]))
    assert parts[-1][1]["messages"][-1].text == "Done."
    assert any(kind == "custom" for kind, _ in parts)
    assert not recorder or len(store.trajectory(store.runs()[0].id).steps) == 2


def test_ids_that_come_again_in_each_message_give_the_results_of_their_step(rerun: Rerun) -> None:
    seen: list[str] = []

    @tool
    def poll(job: str) -> str:
        """Poll a job."""
        seen.append(job)
        return f"state {len(seen)}"

    script = [call("poll", id="call_0", job="7"), call("poll", id="call_0", job="7"), "Done."]
    recorded = rerun.record(lambda **given: guided(ScriptedModel(script=script), [poll], **given))
    out = rerun(recorded, lambda **given: guided(NOBODY, dead([poll]), **given))
    assert [m.text for m in out["messages"] if isinstance(m, ToolMessage)] == ["state 1", "state 2"]


def test_a_tool_that_was_retried_fails_as_often_again(rerun: Rerun) -> None:
    @tool
    def search(query: str) -> str:
        """Search the corpus."""
        raise ConnectionError("down")

    def make(model: Any, tools: Any, **given: Any) -> Any:
        retry = ToolRetryMiddleware(max_retries=2, initial_delay=0, jitter=False, on_failure="continue")
        return create_agent(model, tools, middleware=[retry, CoReActMiddleware(retries=0, **given)])

    model = ScriptedModel(script=[call("search", query="gold"), "It is down."])
    recorded = rerun.record(lambda **given: make(model, [search], **given))
    assert len([one for one in recorded.calls if one.kind == "tool"]) == 3
    rerun(recorded, lambda **given: make(NOBODY, dead([search]), **given))


def test_a_divergence_that_a_middleware_swallows_is_kept(run: Any, tools: Any, recorded: Trajectory) -> None:
    replay = Replay(recorded)
    replay.check()
    retry = ModelRetryMiddleware(max_retries=1, initial_delay=0, jitter=False, on_failure="continue")
    ours = CoReActMiddleware(retries=0, replay=replay)
    run.ask(create_agent(NOBODY, tools.all, middleware=[retry, ours]), "Where is silver?")
    for _ in range(2):
        with pytest.raises(ReplayDivergenceError, match="silver") as kept:
            replay.check()
        assert kept.value.step == 0


def test_after_a_swallowed_divergence_nothing_more_is_answered(
    run: Any, tools: Any, recorded: Trajectory
) -> None:
    without = tuple(one for one in recorded.calls if one.kind != "tool")
    replay = Replay(recorded.model_copy(update={"calls": without}))
    wraps = ToolCalls(replay=replay)
    builder = StateGraph(CoReActState)
    builder.add_node("model", guide(lambda _: never(), tools=tools.all, retries=0, replay=replay))
    node = ToolNode(
        dead(tools.all), wrap_tool_call=wraps.run, awrap_tool_call=wraps.arun, handle_tool_errors=True
    )
    builder.add_node("tools", node)
    builder.add_edge(START, "model")
    builder.add_edge("model", "tools")
    builder.add_edge("tools", "model")
    assert "calls a tool" in str(diverges(builder.compile(), run))


def test_a_tool_that_no_decision_called_does_not_run_in_a_replay(run: Any, recorded: Trajectory) -> None:
    ran: list[str] = []

    @tool
    def search(query: str) -> str:
        """Search the corpus."""
        ran.append(query)
        return "x"

    def make(replay: Replay) -> Any:
        wraps = ToolCalls(replay=replay)
        builder = StateGraph(CoReActState)
        node = ToolNode([search], wrap_tool_call=wraps.run, awrap_tool_call=wraps.arun)
        builder.add_node("tools", node)
        builder.add_edge(START, "tools")
        return builder.compile()

    begun = {"messages": [HumanMessage("Where is gold?"), call("search", query="gold")]}
    with pytest.raises(ReplayDivergenceError, match="before anything was decided"):
        run(make(Replay(recorded)), begun)
    assert ran == []
    run(make(Replay(recorded, on_miss="live")), begun)
    assert ran == ["gold"]


def test_a_replay_serves_several_runs_of_one_loop_at_once(tools: Any, recorded: Trajectory) -> None:
    async def both() -> list[Any]:
        agents = [guided(NOBODY, dead(tools.all), replay=Replay(recorded)) for _ in range(5)]
        return await asyncio.gather(
            *(agent.ainvoke({"messages": [("user", "Where is gold?")]}) for agent in agents)
        )

    assert {out["messages"][-1].text for out in asyncio.run(both())} == {"In the hills."}


def test_costs_of_a_replay_are_those_of_the_record(rerun: Rerun, tools: Any, recorded: Trajectory) -> None:
    _, again = rerun.replay(recorded, lambda **given: guided(NOBODY, dead(tools.all), **given))
    old, new = ([a.cost for step in run.steps for a in step.attempts] for run in (recorded, again))
    assert old == new
    assert old[0] != Cost()
