"""Agents with a `response_format`: the structured answer is the answer, and it survives guidance."""

from __future__ import annotations

import json
from typing import Any

import pytest
from langchain.agents import create_agent
from langchain.agents.structured_output import AutoStrategy, ProviderStrategy, ToolStrategy
from langchain_core.messages import AIMessage
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.types import Command
from pydantic import BaseModel

from coreact.guide import STATUS_KEY, CoReActMiddleware
from coreact.rubric import Criterion, Rubric
from coreact.testing.scripted import ScriptedGenerator, ScriptedJudge, ScriptedModel, call

TASTE = Rubric(criteria=(Criterion(id="taste", text="Tasteful."),))


class City(BaseModel):
    """A city."""

    name: str


NAMELESS = {"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]}


def picky(criterion: Any, action: Any) -> Any:
    return "unmet" if action.answer and "Rome" in action.answer else "met"


def agent(model: Any, tools: Any, response_format: Any, **settings: Any) -> tuple[Any, ScriptedJudge]:
    checkpointer = settings.pop("checkpointer", None)
    judge = ScriptedJudge(picky)
    middleware = CoReActMiddleware(generator=ScriptedGenerator(TASTE), judge=judge, **settings)
    return (
        create_agent(
            model,
            tools.all,
            middleware=[middleware],
            response_format=response_format,
            checkpointer=checkpointer,
        ),
        judge,
    )


@pytest.mark.parametrize("strategy", [ToolStrategy(City), AutoStrategy(City)])
def test_a_structured_answer_by_tool_is_judged_and_survives(
    run: Any, tools: Any, strategy: Any, recorder: Any, only_run: Any
) -> None:
    model = ScriptedModel(
        script=[call("search", query="gold"), call("City", name="Rome"), call("City", name="Oslo")]
    )
    made, judge = agent(model, tools, strategy, recorder=recorder)
    out = run.ask(made)
    assert out["structured_response"] == City(name="Oslo")
    assert out[STATUS_KEY]["status"] == "met"
    assert len(judge.asked) == 3
    assert "Rome" not in str(out["messages"])
    trajectory = only_run()
    assert trajectory.steps[1].dispositions == ("answered",)
    assert trajectory.steps[1].chosen.actions[0].answer == '{"name": "Oslo"}'
    assert (trajectory.end.status, trajectory.end.answer) == ("done", '{"name": "Oslo"}')


def test_a_structured_answer_of_the_provider_survives(run: Any, tools: Any) -> None:
    script = [call("search", query="gold"), json.dumps({"name": "Rome"}), json.dumps({"name": "Oslo"})]
    made, _ = agent(ScriptedModel(script=script), tools, ProviderStrategy(City))
    out = run.ask(made)
    assert out["structured_response"] == City(name="Oslo")
    assert tools.calls == ["gold"]


def test_a_schema_without_a_name_counts_as_an_answer(run: Any, tools: Any) -> None:
    strategy = ToolStrategy(NAMELESS)
    (spec,) = strategy.schema_specs
    made, _ = agent(
        ScriptedModel(script=[call(spec.name, name="Rome"), call(spec.name, name="Oslo")]), tools, strategy
    )
    out = run.ask(made)
    assert out["structured_response"] == {"name": "Oslo"}
    assert out[STATUS_KEY]["attempts"] == 2


def test_the_best_structured_answer_wins_with_its_response(run: Any, tools: Any) -> None:
    made, _ = agent(
        ScriptedModel(script=[call("City", name="Oslo"), call("City", name="Rome")]),
        tools,
        ToolStrategy(City),
        candidates=2,
    )
    assert run.ask(made)["structured_response"] == City(name="Oslo")


def test_an_answer_that_breaks_its_schema_is_repaired_as_in_the_plain_agent(
    run: Any, tools: Any, only_run: Any, recorder: Any
) -> None:
    script = [call("City", town="Oslo"), call("City", name="Oslo")]
    plain = run.ask(create_agent(ScriptedModel(script=script), tools.all, response_format=ToolStrategy(City)))
    made, _ = agent(ScriptedModel(script=script), tools, ToolStrategy(City), recorder=recorder)
    out = run.ask(made)
    assert out["structured_response"] == plain["structured_response"] == City(name="Oslo")
    assert [m.text for m in out["messages"]] == [m.text for m in plain["messages"]]
    assert only_run().end.answer == '{"name": "Oslo"}'


def test_a_structured_answer_beside_a_call_still_lets_the_call_run(run: Any, tools: Any) -> None:
    both = AIMessage(
        "",
        tool_calls=[
            {"name": "search", "args": {"query": "gold"}, "id": "1"},
            {"name": "City", "args": {"name": "Oslo"}, "id": "2"},
        ],
    )
    made, judge = agent(ScriptedModel(script=[both]), tools, ToolStrategy(City))
    out = run.ask(made)
    assert out["structured_response"] == City(name="Oslo")
    assert tools.calls == ["gold"]
    assert len(judge.asked) == 2


@pytest.mark.parametrize("decision", ["approve", "reject"])
def test_a_structured_answer_can_be_asked_about(run: Any, tools: Any, decision: str) -> None:
    script = [call("City", name="Rome"), call("City", name="Rome"), call("City", name="Oslo")]
    made, _ = agent(
        ScriptedModel(script=script), tools, ToolStrategy(City), on_unmet="ask", checkpointer=InMemorySaver()
    )
    thread = {"configurable": {"thread_id": "1"}}
    stopped = run.ask(made, config=thread)
    (request,) = stopped["__interrupt__"][0].value["action_requests"]
    assert request["args"] == {"answer": '{"name": "Rome"}'}
    out = run(made, Command(resume={"decisions": [{"type": decision, "message": "Not that one."}]}), thread)
    assert out["structured_response"] == City(name="Rome" if decision == "approve" else "Oslo")
