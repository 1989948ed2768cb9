"""What reaches whoever streams: accepted attempts only, whole; nothing of judges and generators."""

from __future__ import annotations

import json
from typing import Any

import pytest
from langchain.agents import create_agent
from langchain_core.messages import AIMessageChunk, BaseMessage
from langgraph.graph import START, MessagesState, StateGraph

from coreact.generate import Written
from coreact.guide import STATUS_KEY, CoReActMiddleware, calls
from coreact.judge import Cost, Ruling, Verdict
from coreact.rubric import Criterion, Rubric
from coreact.testing.scripted import ScriptedGenerator, ScriptedJudge, ScriptedModel, call

TASTE = Rubric(criteria=(Criterion(id="taste", text="Tasteful."),))
REJECTED = "this draft is thrown away"
ACCEPTED = "this answer is kept whole"


class ModelJudge:
    """A judge that asks a chat model, and does not like drafts."""

    id = "model-judge"

    def __init__(self) -> None:
        self.model = ScriptedModel(script=lambda _: "secret judging tokens")

    def _verdicts(self, criteria: Any, action: Any) -> Ruling:
        status = "unmet" if "draft" in (action.answer or "") else "met"
        return Ruling(
            tuple(Verdict(criterion=c.id, reason="r", status=status, decided_by=self.id) for c in criteria)
        )

    def judge(self, criteria: Any, action: Any, state: Any) -> Any:
        self.model.invoke("judge")
        return self._verdicts(criteria, action)

    async def ajudge(self, criteria: Any, action: Any, state: Any) -> Any:
        await self.model.ainvoke("judge")
        return self._verdicts(criteria, action)


class ModelGenerator:
    """A generator that asks a chat model."""

    id = "model-generator"

    def __init__(self) -> None:
        self.model = ScriptedModel(script=lambda _: "secret rubric tokens")

    def write(self, state: Any) -> Written:
        self.model.invoke("write")
        return Written(TASTE, Cost(calls=1))

    async def awrite(self, state: Any) -> Written:
        await self.model.ainvoke("write")
        return Written(TASTE, Cost(calls=1))


def texts(parts: list[tuple[BaseMessage, Any]]) -> dict[str, str]:
    """The text of each streamed message by its id, tokens put together."""
    found: dict[str, str] = {}
    for message, _ in parts:
        found[message.id or ""] = found.get(message.id or "", "") + message.text
    return found


def drafting(tools: Any, **settings: Any) -> Any:
    model = ScriptedModel(script=[REJECTED, ACCEPTED])
    middleware = CoReActMiddleware(generator=ModelGenerator(), judge=ModelJudge(), **settings)
    return create_agent(model, tools.all, middleware=[middleware])


@pytest.mark.parametrize("settings", [{}, {"candidates": 2}, {"retries": 3}])
def test_only_the_accepted_attempt_reaches_a_message_stream(run: Any, tools: Any, settings: Any) -> None:
    parts = run.stream(drafting(tools, **settings), stream_mode="messages")
    assert list(texts(parts).values()) == [ACCEPTED]
    assert len(parts) == 1, "once and whole"
    assert parts[0][1]["langgraph_node"] == "model"


def test_live_streams_the_first_attempt_and_retracts_it(run: Any, tools: Any) -> None:
    parts = run.stream(drafting(tools, stream="live"), stream_mode=["messages", "custom"])
    streamed = texts([part for mode, part in parts if mode == "messages"])
    assert list(streamed.values()) == [REJECTED, ACCEPTED]
    tokens = [part for mode, part in parts if mode == "messages"]
    assert len([m for m, _ in tokens if isinstance(m, AIMessageChunk)]) >= 5, "token by token"
    (retracted,) = [part for mode, part in parts if mode == "custom" and part["type"] == "coreact.retract"]
    assert retracted["message_id"] == next(iter(streamed))
    places = [mode if mode == "messages" else part["type"] for mode, part in parts]
    assert places.index("coreact.retract") < len(places) - 1, "before the message that takes its place"
    assert places[-1] == "messages"


def test_live_does_not_retract_a_first_attempt_that_stays_the_best(run: Any, tools: Any, want: Any) -> None:
    model = ScriptedModel(script=[call("search", query="mud"), call("search", query="dust"), "done"])
    middleware = CoReActMiddleware(generator=ScriptedGenerator(want("gold")), stream="live")
    agent = create_agent(model, tools.all, middleware=[middleware])
    parts = run.stream(agent, stream_mode=["messages", "custom", "values"])
    assert [part for mode, part in parts if mode == "custom" and part["type"] == "coreact.retract"] == []
    kept = {m.id for m in parts[-1][1]["messages"]}
    assert {m.id for mode, (m, *_) in [p for p in parts if p[0] == "messages"]} <= kept


def test_live_streams_an_accepted_attempt_once(run: Any, tools: Any, want: Any) -> None:
    model = ScriptedModel(script=["a good answer"])
    middleware = CoReActMiddleware(generator=ScriptedGenerator(want("gold")), stream="live")
    parts = run.stream(create_agent(model, tools.all, middleware=[middleware]), stream_mode="messages")
    assert list(texts(parts).values()) == ["a good answer"]
    assert len(parts) > 1


@pytest.mark.parametrize("stream", ["accepted", "live"])
def test_live_samples_candidates_quietly(run: Any, tools: Any, stream: str) -> None:
    parts = run.stream(drafting(tools, candidates=2, stream=stream), stream_mode=["messages", "custom"])
    assert list(texts([part for mode, part in parts if mode == "messages"]).values()) == [ACCEPTED]
    assert not [part for mode, part in parts if mode == "custom" and part["type"] == "coreact.retract"]


def test_without_retries_and_candidates_tokens_stream_as_in_the_plain_agent(run: Any, tools: Any) -> None:
    plain = create_agent(ScriptedModel(script=["one two three"]), tools.all)
    guided = create_agent(
        ScriptedModel(script=["one two three"]), tools.all, middleware=[CoReActMiddleware(retries=0)]
    )
    streams = [[m.text for m, _ in run.stream(a, stream_mode="messages")] for a in (plain, guided)]
    assert streams[0] == streams[1]
    assert len(streams[0]) >= 3


def test_tool_results_stream_also_those_that_stand_in_for_a_run(run: Any, tools: Any, want: Any) -> None:
    model = ScriptedModel(script=[call("search", query="mud"), call("search", query="dust"), "done"])
    middleware = CoReActMiddleware(generator=ScriptedGenerator(want("gold")), on_unmet="block")
    parts = run.stream(create_agent(model, tools.all, middleware=[middleware]), stream_mode="messages")
    assert [m.type for m, _ in parts] == ["ai", "tool", "ai"]
    assert parts[1][0].text.startswith("This call of search was not run.")


def test_updates_and_values_carry_accepted_attempts_and_the_status(run: Any, tools: Any) -> None:
    updates = run.stream(drafting(tools), stream_mode="updates")
    assert len(updates) == 1
    assert REJECTED not in str(updates)
    (update,) = [u for u in updates if "model" in u]
    assert update["model"][STATUS_KEY]["status"] == "met"
    assert [m.text for m in update["model"]["messages"]] == [ACCEPTED]
    values = run.stream(drafting(tools), stream_mode="values")
    assert REJECTED not in str(values)
    assert values[-1][STATUS_KEY]["attempts"] == 2


def test_custom_streams_tell_rubrics_attempts_and_observations(
    run: Any, tools: Any, want: Any, recorder: Any
) -> None:
    model = ScriptedModel(script=[call("search", query="mud"), call("search", query="gold"), "done"])
    middleware = CoReActMiddleware(
        generator=ScriptedGenerator(want("gold")),
        judge=ScriptedJudge(lambda c, a: "met"),
        recorder=recorder,
    )
    events = run.stream(create_agent(model, tools.all, middleware=[middleware]), stream_mode="custom")
    assert [event["type"] for event in events] == [
        "coreact.rubric",
        "coreact.attempt",
        "coreact.attempt",
        "coreact.observation",
        "coreact.rubric",
        "coreact.attempt",
    ]
    assert json.loads(json.dumps(events)) == events
    assert len({event["run"] for event in events if "run" in event}) == 1
    assert [event["step"] for event in events if "step" in event] == [0, 0, 0, 1, 1]
    first, second = events[1]["attempt"], events[2]["attempt"]
    assert (first["rejected_by"], second["rejected_by"]) == ("check", None)
    assert events[0]["rubric"]["criteria"][0]["id"] == "gold"
    assert events[3]["observation"]["text"] == "Found gold."


def test_nothing_is_emitted_by_a_middleware_that_is_off(run: Any, tools: Any) -> None:
    model = ScriptedModel(script=[call("search", query="mud"), "done"])
    agent = create_agent(model, tools.all, middleware=[CoReActMiddleware(enabled=False)])
    assert run.stream(agent, stream_mode="custom") == []


def test_events_are_built_only_where_somebody_listens(
    run: Any, tools: Any, recorder: Any, monkeypatch: Any
) -> None:
    built: list[str] = []
    whole = calls.event_of
    monkeypatch.setattr(calls, "event_of", lambda *of: built.append("event") or whole(*of))
    for modes, expected in ((["values"], 0), (["values", "custom"], 4)):
        built.clear()
        model = ScriptedModel(script=[call("search", query="gold"), "done"])
        agent = create_agent(model, tools.all, middleware=[CoReActMiddleware(recorder=recorder, retries=0)])
        run.stream(agent, stream_mode=modes)
        assert len(built) == expected


def test_events_of_a_graph_inside_a_graph_reach_the_outer_stream(run: Any, tools: Any) -> None:
    inner = create_agent(ScriptedModel(script=["done"]), tools.all, middleware=[CoReActMiddleware(retries=0)])
    outer = StateGraph(MessagesState)
    outer.add_node("inner", inner)
    outer.add_edge(START, "inner")
    parts = run.stream(outer.compile(), stream_mode="custom", subgraphs=True)
    assert [event["type"] for _, event in parts] == ["coreact.rubric", "coreact.attempt"]
