"""How models are asked: at every temperature, seeded by the decision, tried again, and dead at some point."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import pytest
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, SystemMessage
from langgraph.errors import GraphBubbleUp
from pydantic import Field

from coreact.errors import ConfigError, ModelCallError
from coreact.judge.failure import Throttle
from coreact.rubric import State, ToolContract
from coreact.testing import ScriptedModel, call
from coreact.train.branch.sampling import Decision, ModelSampler, Proposal

TOOL = ToolContract(
    name="search",
    description="Find passages.",
    parameters={"type": "object", "properties": {"query": {"type": "string"}}, "required": ["query"]},
)


class Seeded(ScriptedModel):
    """Takes a seed and remembers how it was bound."""

    seed: int = 0
    settings: list[dict[str, Any]] = Field(default_factory=list)

    def bind_tools(self, tools: Sequence[Any], **kwargs: Any) -> Any:
        self.settings.append(kwargs)
        return super().bind_tools(tools)


class BusyError(Exception):
    """Too many requests; come back at once."""

    status_code = 429
    response = SimpleNamespace(status_code=429, headers={"retry-after-ms": "0"})


def decision(name: str = "d", *, system: str = "") -> Decision:
    question = "Where was Bo Li born?"
    before = [SystemMessage(system)] if system else []
    return Decision(name, "q", State.start(question, tools=(TOOL,)), [*before, HumanMessage(question)])


def propose(sampler: ModelSampler, *decisions: Decision) -> list[Sequence[Proposal]]:
    async def all_of() -> list[Sequence[Proposal]]:
        return [await sampler.propose(one) for one in decisions or (decision(),)]

    return asyncio.run(all_of())


def found(query: str = "Bo Li") -> Any:
    return lambda messages: call("search", query=query)


def test_each_temperature_is_asked_once_with_a_seed_of_its_own() -> None:
    model = Seeded(script=found())
    sampler = ModelSampler(model, "agent", temperatures=(0.1, 1))
    assert sampler.id == "agent 0.1 1"
    (proposals,) = propose(sampler)
    assert [one.source for one in proposals] == ["agent@0.1", "agent@1"]
    assert [str(one.actions[0]) for one in proposals] == ["search(query='Bo Li')"] * 2
    assert [one["temperature"] for one in model.settings] == [0.1, 1]
    assert len({one["seed"] for one in model.settings}) == 2
    assert model.bound[0]["function"]["name"] == "search"
    assert model.bound[0]["function"]["parameters"] == TOOL.parameters


def test_seeds_come_from_the_decision_and_not_from_the_order_of_requests() -> None:
    def seeds(*names: str, seed: int = 0) -> dict[str, int]:
        model = Seeded(script=found())
        propose(ModelSampler(model, "agent", seed=seed), *map(decision, names))
        return dict(zip(names, (one["seed"] for one in model.settings), strict=True))

    assert seeds("a", "b") == seeds("b", "a")
    assert seeds("a") != seeds("a", seed=1)
    assert all(0 <= one < 2**31 for one in seeds(*"abcdefgh").values())


def test_a_model_is_asked_with_the_conversation_as_it_is() -> None:
    model = Seeded(script=found())
    propose(ModelSampler(model, "agent"), decision(), decision(system="Be brief."))
    assert [[one.type for one in request] for request in model.requests] == [["human"], ["system", "human"]]


def test_what_may_pass_is_tried_again() -> None:
    model = Seeded(script=[BusyError("later"), BusyError("later"), call("search", query="Bo Li")])
    ((proposal,),) = propose(ModelSampler(model, "agent"))
    assert not proposal.failed
    assert len(model.requests) == 3


def test_what_a_further_try_does_not_mend_costs_one_proposal() -> None:
    script = [ValueError("no such model"), call("search", query="Bo Li")]
    ((bad,), (good,)) = propose(ModelSampler(Seeded(script=script), "agent"), decision(), decision())
    assert bad == Proposal("agent", failed="bug: ValueError: no such model")
    assert good.actions


def test_a_model_that_fails_again_and_again_is_dead() -> None:
    model = Seeded(script=lambda _: ValueError("gone"))
    with pytest.raises(ModelCallError, match="'agent' failed 3 times in a row, last with ValueError: gone"):
        propose(ModelSampler(model, "agent", patience=3), *[decision()] * 5)
    assert len(model.requests) == 3
    flaky = Seeded(script=[ValueError("x"), ValueError("x"), call("search", query="a")] * 3)
    assert len(propose(ModelSampler(flaky, "agent", patience=3), *[decision()] * 9)) == 9


def test_a_reply_that_does_not_come_is_waited_for_no_longer_than_said() -> None:
    class Slow(Seeded):
        async def _agenerate(self, messages: list[BaseMessage], *_: Any, **__: Any) -> Any:
            await asyncio.sleep(30)

    ((proposal,),) = propose(ModelSampler(Slow(), "agent", timeout=0.01, attempts=1))
    assert proposal.failed.startswith("transport: TimeoutError")


def test_control_flow_passes_through() -> None:
    with pytest.raises(GraphBubbleUp):
        propose(ModelSampler(Seeded(script=lambda _: GraphBubbleUp()), "agent"))


def test_no_more_calls_at_once_than_the_throttle_lets_through() -> None:
    class Counting(Seeded):
        now: list[int] = Field(default_factory=lambda: [0, 0])

        async def _agenerate(self, messages: list[BaseMessage], *args: Any, **kwargs: Any) -> Any:
            self.now[0] += 1
            self.now[1] = max(self.now)
            await asyncio.sleep(0.002)
            self.now[0] -= 1
            return self._generate(messages)

    model = Counting(script=found())
    sampler = ModelSampler(model, "agent", temperatures=[at / 10 for at in range(12)], throttle=Throttle(3))
    propose(sampler)
    assert model.now == [0, 3]


def test_a_model_without_seed_and_temperature_is_asked_as_it_is() -> None:
    model = ScriptedModel(script=[AIMessage("Lower Tarn")])
    ((proposal,),) = propose(ModelSampler(model, "agent"))
    assert proposal.source == "agent"
    assert str(proposal.actions[0]) == "answer: Lower Tarn"


@pytest.mark.parametrize("temperatures", [(-0.1,), (2.5,), (1, 1)])
def test_temperatures_that_cannot_be_sampled_at_are_refused(temperatures: tuple[float, ...]) -> None:
    with pytest.raises(ConfigError, match="cannot be sampled at"):
        ModelSampler(ScriptedModel(), "agent", temperatures=temperatures)
