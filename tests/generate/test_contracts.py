"""The rubric of contracts: which families it writes when, and what exactly each of them fails."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from coreact.errors import ConfigError
from coreact.generate import RubricGenerator, Written
from coreact.generate.contracts import ContractGenerator
from coreact.judge import Cost
from coreact.judge.records import Judgement
from coreact.judge.runner import run_checks
from coreact.judge.scoring import judgement
from coreact.rubric import Action, Observation, Rubric, State, Step, Stops, ToolCall, ToolContract


def tool(name: str, *required: str, **fields: Any) -> ToolContract:
    return ToolContract(
        name=name,
        parameters={
            "type": "object",
            "properties": {argument: {"type": "string"} for argument in required},
            "required": list(required),
            "additionalProperties": False,
        },
        **fields,
    )


FIND = tool("find_user", "email", read_only=True)
CANCEL = tool("cancel_order", "order_id", read_only=False)
TOOLS = (FIND, CANCEL)
START = State.start("Cancel my last order. I am ada@example.org.", tools=TOOLS, limit=3)
FOUND = START.after(
    Step(
        call=ToolCall(name="find_user", arguments={"email": "ada@example.org"}),
        observation=Observation(text='{"orders": ["#W-77", "#W-81"]}'),
    )
)


class Receipt(BaseModel):
    order: str
    refund: float | None = None


def act(name: str, **arguments: Any) -> Action:
    return Action(call=ToolCall(name=name, arguments=arguments))


def ids(rubric: Rubric) -> list[str]:
    return [criterion.id for criterion in rubric]


def judged(action: Action, state: State, generator: ContractGenerator | None = None) -> Judgement:
    rubric = (generator or ContractGenerator()).write(state).rubric
    checked = run_checks(rubric, action, state)
    assert checked.open == ()
    return judgement(rubric, checked.decided)


def test_it_is_a_generator_that_calls_no_model() -> None:
    generator = ContractGenerator()
    assert isinstance(generator, RubricGenerator)
    written = generator.write(FOUND)
    assert isinstance(written, Written)
    assert written.cost == Cost()
    assert asyncio.run(generator.awrite(FOUND)) == written
    assert all(c.check is not None and c.provenance is not None for c in written.rubric)
    assert written.rubric.threshold == 1.0


def test_the_four_families_of_contracts() -> None:
    assert ids(ContractGenerator().write(START).rubric) == ["choice", "signature", "provenance", "output"]


@pytest.mark.parametrize(
    ("action", "broken"),
    [
        (act("cancel_order", order_id="#W-81"), []),
        (act("cancel_order", order_id="#W-82"), ["provenance"]),
        (act("cancel_order", order="#W-81"), ["signature"]),
        (act("cancel_orders", order_id="#W-99"), ["signature"]),
        (act("cancel_order", order_id=81), ["signature"]),
        (act("find_user", email="ada@example.org"), ["choice"]),
        (act("find_user", email="eve@example.org"), ["provenance"]),
        (Action(call=ToolCall(name="find_user", malformed="Expecting ','")), ["signature"]),
        (Action(answer="It is cancelled."), []),
        (Action(answer=" \n"), ["output"]),
    ],
    ids=str,
)
def test_what_breaks_which_contract(action: Action, broken: list[str]) -> None:
    verdict = judged(action, FOUND)
    assert [v.criterion for v in verdict.unmet] == broken
    assert verdict.passed is not bool(broken)


def test_one_broken_contract_is_enough_and_more_kept_ones_score_higher() -> None:
    unknown_tool = judged(act("none", order_id="#W-82"), FOUND)
    invented = judged(act("cancel_order", order_id="#W-82"), FOUND)
    assert (unknown_tool.passed, invented.passed) == (False, False)
    assert unknown_tool.score is not None
    assert invented.score is not None
    assert unknown_tool.score < invented.score < 1


def test_after_the_last_call_only_an_answer_will_do() -> None:
    spent = FOUND.after(decisions=2)
    assert spent.budget.left == 0
    rubric = ContractGenerator().write(spent).rubric
    assert ids(rubric) == ["choice", "output"]
    assert isinstance(rubric.criteria[0].check, Stops)
    assert judged(act("cancel_order", order_id="#W-81"), spent).passed is False
    assert judged(Action(answer="Done."), spent).passed is True


# --- the gate --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("tools", "plan_length", "families"),
    [
        ((FIND,), None, ["signature"]),
        (TOOLS, 1, ["signature"]),
        ((FIND,), 2, ["choice", "signature", "provenance", "output"]),
        (TOOLS, None, ["choice", "signature", "provenance", "output"]),
        ((), None, ["output"]),
        ((), 1, ["output"]),
    ],
)
def test_a_task_of_one_call_is_held_to_the_signature_alone(
    tools: tuple[ToolContract, ...], plan_length: int | None, families: list[str]
) -> None:
    generator = ContractGenerator(plan_length=plan_length, answer=Receipt)
    assert ids(generator.write(State.start("q", tools=tools)).rubric) == families
    last = State.start("q", tools=tools, limit=1).after(decisions=1)
    if families == ["signature"]:
        assert ids(generator.write(last).rubric) == families


def test_a_plan_has_at_least_one_call() -> None:
    with pytest.raises(ConfigError, match="plan_length"):
        ContractGenerator(plan_length=0)


# --- the form of the answer ------------------------------------------------------------------


@pytest.mark.parametrize("form", [Receipt, Receipt.model_json_schema()], ids=["model", "schema"])
def test_the_answer_has_the_form_that_was_asked_for(form: Any) -> None:
    generator = ContractGenerator(answer=form)
    assert judged(Action(answer='{"order": "#W-81"}'), FOUND, generator).passed is True
    broken = judged(Action(answer='{"refund": 3}'), FOUND, generator)
    assert [v.criterion for v in broken.unmet] == ["output"]
    assert "'order' is a required property" in broken.unmet[0].reason
    text = generator.write(FOUND).rubric.criterion("output").text
    assert '"order"' in text, "the agent must be able to know the form"


@pytest.mark.parametrize(
    "form", [{"type": "strin"}, {"pattern": "(?=a)"}, {"enum": [{1}]}, {"enum": ["\ud800"]}]
)
def test_a_form_that_cannot_be_checked_is_refused_early(form: Any) -> None:
    with pytest.raises(ConfigError, match="schema of the answer"):
        ContractGenerator(answer=form)


def test_a_long_schema_still_makes_a_criterion() -> None:
    long = {"type": "object", "properties": {f"property_{n}": {"type": "string"} for n in range(500)}}
    assert ContractGenerator(answer=long).write(START).rubric.criterion("output").text.endswith("…")


# --- totality --------------------------------------------------------------------------------

TEXT = st.text(max_size=8)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=5,
)


@given(
    st.lists(st.builds(tool, TEXT, st.text(max_size=4)), max_size=3, unique_by=lambda one: one.name),
    TEXT,
    st.dictionaries(TEXT, VALUES, max_size=3),
    st.none() | st.integers(1, 3),
)
def test_every_state_and_action_is_judged_without_a_judge(
    tools: list[ToolContract], name: str, arguments: dict[str, Any], plan_length: int | None
) -> None:
    state = State.start("q", tools=tuple(tools), limit=2)
    generator = ContractGenerator(plan_length=plan_length)
    for action in (act(name, **arguments), Action(answer=name)):
        verdict = judged(action, state, generator)
        assert verdict.passed in (True, False) or verdict.judged == 0
