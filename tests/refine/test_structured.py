"""Agents with a `response_format`: the structured answer is the answer, and the best one comes back whole."""

from __future__ import annotations

import json
from typing import Any

import pytest
from langchain.agents import create_agent
from langchain.agents.structured_output import AutoStrategy, ProviderStrategy, ToolStrategy
from langchain_core.messages import AIMessage, ToolMessage
from pydantic import BaseModel

from coreact.refine import VerifyAnswerMiddleware
from coreact.testing.scripted import ScriptedModel, call

KEY = "answer_check"


class City(BaseModel):
    """A city."""

    name: str
    known_for: str = ""


def city(name: str, number: int, **more: Any) -> AIMessage:
    return call("City", id=f"city-{number}", name=name, **more)


def agent(script: Any, tools: Any, response_format: Any, rubric: Any, judge: Any, **options: Any) -> Any:
    return create_agent(
        ScriptedModel(script=script),
        tools.all,
        middleware=[VerifyAnswerMiddleware(rubric, judge, **options)],
        response_format=response_format,
    )


@pytest.mark.parametrize("strategy", [ToolStrategy(City), AutoStrategy(City)])
def test_a_structured_answer_is_judged_and_revised(
    run: Any, tools: Any, naming: Any, words: Any, strategy: Any
) -> None:
    judge = words()
    script = [call("search", query="gold"), city("Rome", 1), call("search", query="ore"), city("Oslo", 2)]
    out = run.ask(agent(script, tools, strategy, naming("Oslo"), judge))
    assert [answer for answer, _ in judge.asked] == ['{"name": "Rome"}', '{"name": "Oslo"}']
    assert tools.calls == ["gold", "ore"]
    assert out["structured_response"] == City(name="Oslo")
    assert out[KEY]["status"] == "accepted"


def test_drafts_by_tool_are_no_steps_of_the_trajectory(run: Any, tools: Any, naming: Any, words: Any) -> None:
    states = []

    class Reading(type(words())):  # type: ignore[misc]
        def judge(self, criteria: Any, action: Any, state: Any) -> Any:
            states.append(state)
            return super().judge(criteria, action, state)

    script = [city("Rome", 1), call("search", query="ore"), city("Oslo", 2)]
    run.ask(agent(script, tools, ToolStrategy(City), naming("Oslo"), Reading()))
    assert [[step.call.name for step in state.steps] for state in states] == [[], ["search"]]


def test_the_best_structured_answer_comes_back_with_its_response(
    run: Any, tools: Any, naming: Any, words: Any
) -> None:
    script = [city("Oslo", 1, known_for="skis"), city("Rome", 2), city("Bonn", 3)]
    out = run.ask(agent(script, tools, ToolStrategy(City), naming("Oslo", "gold"), words()))
    assert out["structured_response"] == City(name="Oslo", known_for="skis")
    *_, answer, result = out["messages"]
    assert answer.tool_calls[0]["args"] == {"name": "Oslo", "known_for": "skis"}
    assert result.tool_call_id == answer.tool_calls[0]["id"]
    assert "Oslo" in result.text
    assert "Bonn" not in str(out["messages"])
    assert (out[KEY]["best"], out[KEY]["answer"]) == (0, '{"name": "Oslo", "known_for": "skis"}')


def test_a_provider_strategy_is_judged_and_the_best_comes_back(
    run: Any, tools: Any, naming: Any, words: Any
) -> None:
    script = [json.dumps({"name": name}) for name in ("Oslo", "Rome", "Bonn")]
    out = run.ask(agent(script, tools, ProviderStrategy(City), naming("Oslo", "gold"), words()))
    assert out["structured_response"] == City(name="Oslo")
    assert json.loads(out["messages"][-1].text) == {"name": "Oslo"}


def test_an_answer_that_breaks_its_schema_is_repaired_and_then_judged(
    run: Any, tools: Any, naming: Any, words: Any
) -> None:
    judge = words()
    broken = call("City", id="broken", town="Oslo")
    out = run.ask(agent([broken, city("Oslo", 2)], tools, ToolStrategy(City), naming("Oslo"), judge))
    assert [answer for answer, _ in judge.asked] == ['{"name": "Oslo"}']
    assert out[KEY]["status"] == "accepted"


def test_a_call_beside_a_structured_answer_runs_and_stays(
    run: Any, tools: Any, naming: Any, words: Any
) -> None:
    def both(name: str, number: int) -> AIMessage:
        return AIMessage(
            "",
            tool_calls=[
                {"name": "search", "args": {"query": name}, "id": f"search-{number}"},
                {"name": "City", "args": {"name": name}, "id": f"city-{number}"},
            ],
        )

    script = [city("Oslo", 1), both("Rome", 2), both("Bonn", 3)]
    out = run.ask(agent(script, tools, ToolStrategy(City), naming("Oslo", "gold"), words()))
    assert tools.calls == ["Rome", "Bonn"]
    assert out["structured_response"] == City(name="Oslo")
    *_, answer, first, second = out["messages"]
    assert [c["name"] for c in answer.tool_calls] == ["search", "City"]
    assert answer.tool_calls[1]["args"] == {"name": "Oslo"}
    assert {first.tool_call_id, second.tool_call_id} == {"search-3", "city-3"}
    assert isinstance(first, ToolMessage)
