"""The policy's own criteria, decoding constraints, and refused rubrics, in real agents."""

from __future__ import annotations

from typing import Any

import pytest
from langchain.agents import create_agent
from langchain.agents.middleware.types import AgentMiddleware
from langchain_core.messages import AIMessage

from coreact.errors import ConfigError
from coreact.generate.generator import RubricRefusedError, Written
from coreact.guide import CoReActMiddleware, guide
from coreact.judge import Cost
from coreact.rubric import AnswerFitsSchema, ArgumentContains, Criterion, Rubric, State, Stops, ToolIs
from coreact.rubric.remarks import Remark
from coreact.testing.scripted import ScriptedGenerator, ScriptedModel, call

TASTE = Rubric(criteria=(Criterion(id="mine", text="Search.", check=ToolIs(tools=("search",))),))


def saying(text: str, message: AIMessage) -> AIMessage:
    return message.model_copy(update={"content": text})


def own(words: str) -> str:
    return f'<rubric>\n1. [1] The query contains "{words}".\n</rubric>\nThen I act.'


def agent_of(model: ScriptedModel, tools: Any, recorder: Any, **settings: Any) -> Any:
    return create_agent(
        model,
        tools.all,
        middleware=[CoReActMiddleware(recorder=recorder, **{"retries": 1, **settings})],
    )


def test_the_policy_is_held_to_its_own_criteria(run: Any, tools: Any, recorder: Any, only_run: Any) -> None:
    model = ScriptedModel(
        script=[
            saying(own("gold"), call("search", query="mud")),
            saying(own("gold"), call("search", query="gold")),
            AIMessage("Here."),
        ]
    )
    agent = agent_of(model, tools, recorder, generator=ScriptedGenerator(TASTE), own_rubric=True)
    run.ask(agent)
    first, *_ = only_run().steps
    broken, kept = first.attempts
    assert (broken.selected, kept.selected) == (False, True)
    assert broken.own is not None
    assert [criterion.text for criterion in broken.own] == ['The query contains "gold".']
    assert broken.judgements[0].passed is True
    assert broken.own_judgements[0].passed is False
    assert broken.own_judgements[0].rubric == broken.own.lock
    (joined,) = broken.outcomes
    assert (joined.passed, joined.score) == (False, 0.5)
    assert [verdict.criterion for verdict in joined.verdicts] == ["mine", "own-c1"]
    assert kept.outcomes[0].passed is True
    assert kept.judgements[0].rubric == TASTE.lock
    assert first.rubric == TASTE
    assert "<rubric>" in first.guidance
    assert 'contains "gold"' in str(model.requests[1][-1].text) or '"gold"' in str(model.requests[1][-1].text)


def test_an_easy_rubric_of_ones_own_buys_nothing(run: Any, tools: Any, recorder: Any, only_run: Any) -> None:
    wanted = Rubric(
        criteria=(
            Criterion(id="a", text="Search.", weight=0.5, check=ToolIs(tools=("search",))),
            Criterion(
                id="b", text="Name it.", weight=0.5, check=ArgumentContains(argument="query", terms=("gold",))
            ),
        )
    )
    model = ScriptedModel(
        script=[saying(own("mud"), call("search", query="mud"))] * 2 + [AIMessage("Here.")] * 2
    )
    agent = agent_of(model, tools, recorder, generator=ScriptedGenerator(wanted), own_rubric=True)
    run.ask(agent)
    assert only_run().steps[0].attempts[0].judgements[0].passed is False


def test_without_a_rubric_of_its_own_the_step_is_judged_as_ever(
    run: Any, tools: Any, recorder: Any, only_run: Any
) -> None:
    model = ScriptedModel(script=[call("search", query="mud"), AIMessage("Here.")])
    agent = agent_of(model, tools, recorder, generator=ScriptedGenerator(TASTE), own_rubric=True, retries=0)
    run.ask(agent)
    attempt = only_run().steps[0].attempts[0]
    assert attempt.own is None
    assert attempt.judgements[0].rubric == TASTE.lock


@pytest.mark.parametrize("own_words", ["gold", "mud"])
def test_own_criteria_neither_rescue_nor_sink_by_arithmetic(
    run: Any, tools: Any, recorder: Any, only_run: Any, own_words: str
) -> None:
    """Shares that floats cannot hold, weight that does not apply, ids that clash: none of it counts."""
    wanted = Rubric(
        criteria=(
            Criterion(id="own-c1", text="Search.", weight=0.6, check=ToolIs(tools=("search",))),
            Criterion(
                id="b", text="Name it.", weight=0.4, check=ArgumentContains(argument="query", terms=("ore",))
            ),
        ),
        threshold=0.6,
    )
    model = ScriptedModel(script=[saying(own("gold"), call("search", query=own_words)), AIMessage("Here.")])
    agent = agent_of(model, tools, recorder, generator=ScriptedGenerator(wanted), own_rubric=True, retries=0)
    run.ask(agent)
    (attempt,) = only_run().steps[0].attempts
    assert attempt.judgements[0].passed is True
    assert attempt.outcomes[0].passed is (own_words == "gold")
    assert attempt.outcomes[0].verdicts[-1].criterion == "own-own-c1"


def test_the_block_is_no_part_of_the_answer(run: Any, tools: Any, recorder: Any, only_run: Any) -> None:
    wanted = Rubric(
        criteria=(Criterion(id="a", text="JSON.", check=AnswerFitsSchema(json_schema={"type": "object"})),)
    )
    block = "<rubric>\n1. [1] Answer now.\n</rubric>\n"
    model = ScriptedModel(script=[AIMessage(f'{block}{{"a": 1}}')])
    agent = agent_of(model, tools, recorder, generator=ScriptedGenerator(wanted), own_rubric=True, retries=0)
    out = run.ask(agent)
    assert str(out["messages"][-1].text).strip() == '{"a": 1}'
    (step,) = only_run().steps
    assert step.attempts[0].outcomes[0].passed is True
    assert "<rubric>" in str(step.attempts[0].message), "the record keeps what the model wrote"
    assert "<rubric>" not in only_run().end.answer


HARD = Rubric(
    criteria=(
        Criterion(id="search", text="Search.", kind="hard", check=ToolIs(tools=("search",))),
        Criterion(id="gold", text="Name gold.", check=ArgumentContains(argument="query", terms=("gold",))),
    )
)


def test_hard_criteria_narrow_the_request(run: Any, tools: Any, recorder: Any, only_run: Any) -> None:
    seen: list[dict[str, Any]] = []

    class Bound(ScriptedModel):
        def bind_tools(self, tools: Any, **kwargs: Any) -> Any:
            seen.append({"tools": tools, **kwargs})
            return super().bind_tools(tools, **kwargs)

    def hard_first(state: State) -> Rubric:
        return (
            HARD
            if not state.steps
            else Rubric(criteria=(Criterion(id="end", text="Answer.", check=Stops()),))
        )

    model = Bound(script=[call("search", query="gold"), AIMessage("Here.")])
    agent = agent_of(model, tools, recorder, generator=ScriptedGenerator(hard_first), constrain=True)
    out = run.ask(agent)
    assert any(message.type == "tool" and "search" in str(message.name) for message in out["messages"])
    names = [tool["function"]["name"] for tool in seen[0]["tools"]]
    assert names == ["search"]
    assert seen[0]["tool_choice"] == "search"
    assert len(seen[1]["tools"]) == len(tools.all), "a soft criterion constrains nothing"
    first, second = only_run().steps
    assert first.constraint is not None
    assert first.constraint["criteria"] == ["search"]
    assert second.constraint is None
    assert any("no constraint" in remark.reason for remark in second.remarks)


def test_off_it_changes_no_request(run: Any, tools: Any, recorder: Any, only_run: Any) -> None:
    model = ScriptedModel(script=[call("search", query="gold"), AIMessage("Here.")])
    run.ask(agent_of(model, tools, recorder, generator=ScriptedGenerator(HARD), retries=0))
    assert all(step.constraint is None for step in only_run().steps)


def test_a_server_that_refuses_the_constraint_is_asked_without(
    run: Any, tools: Any, recorder: Any, only_run: Any
) -> None:
    class Picky(ScriptedModel):
        def bind_tools(self, tools: Any, **kwargs: Any) -> Any:
            if kwargs.get("tool_choice"):
                raise ValueError("tool_choice is not supported")
            return super().bind_tools(tools, **kwargs)

    model = Picky(script=[call("search", query="gold"), AIMessage("Here.")])
    out = run.ask(
        agent_of(model, tools, recorder, generator=ScriptedGenerator(HARD), constrain=True, retries=0)
    )
    assert out["messages"][-1].text == "Here."
    first = only_run().steps[0]
    assert "not supported" in str(first.error)
    assert "not supported" in first.attempts[0].unheld
    assert first.attempts[0].cost.calls == 2


def test_a_node_that_calls_its_own_model_cannot_be_constrained() -> None:
    with pytest.raises(ConfigError, match="constrain"):
        guide(lambda state: state, constrain=True)


def test_a_failure_is_no_refusal_of_the_constraint(run: Any, tools: Any, recorder: Any) -> None:
    model = ScriptedModel(script=[TimeoutError("read timed out"), call("search", query="gold")])
    agent = agent_of(model, tools, recorder, generator=ScriptedGenerator(HARD), constrain=True, retries=0)
    with pytest.raises(TimeoutError):
        run.ask(agent)


def test_a_choice_that_was_made_is_left_alone(run: Any, tools: Any, recorder: Any, only_run: Any) -> None:
    class Chooses(AgentMiddleware[Any, Any, Any]):
        def wrap_model_call(self, request: Any, handler: Any) -> Any:
            return handler(request.override(tool_choice="any"))

        async def awrap_model_call(self, request: Any, handler: Any) -> Any:
            return await handler(request.override(tool_choice="any"))

    model = ScriptedModel(script=[call("search", query="gold"), AIMessage("Here.")])
    guide_ = CoReActMiddleware(
        generator=ScriptedGenerator(HARD), recorder=recorder, constrain=True, retries=0
    )
    run.ask(create_agent(model, tools.all, middleware=[Chooses(), guide_]))
    assert only_run().steps[0].constraint is None


class Refusing:
    id = "refusing"

    def write(self, state: State) -> Written:
        raise RubricRefusedError(
            "The rubric failed the gate: discrimination.",
            generator=self.id,
            cause="unsupported",
            cost=Cost(calls=3),
            remarks=[
                Remark(deed="refused", reason="it tells no candidate apart", problem="undiscriminating")
            ],
        )

    async def awrite(self, state: State) -> Written:
        return self.write(state)


@pytest.mark.parametrize(("fallback", "guided"), [("heuristic", True), ("none", False)])
def test_a_refused_rubric_guides_nothing_and_the_trace_says_why(
    run: Any, tools: Any, recorder: Any, only_run: Any, fallback: Any, guided: bool
) -> None:
    model = ScriptedModel(script=[AIMessage("Here.")] * 2)
    run.ask(agent_of(model, tools, recorder, generator=Refusing(), fallback=fallback, retries=0))
    (step,) = only_run().steps
    assert (step.rubric is not None) is guided
    assert [remark.problem for remark in step.remarks] == ["undiscriminating"]
    assert "RubricRefusedError" in str(step.error)
    assert step.cost.calls == 4
