"""Changes that must not change a verdict: each changes one thing, or says that it has no meaning."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from coreact.bench.qualify.cases import JudgeCase
from coreact.bench.qualify.run import plan
from coreact.bench.qualify.variants import (
    CHANGES,
    INJECTIONS,
    PADDING,
    injected_observation,
    injected_proposal,
    padded,
    with_reversed_criteria,
)
from coreact.rubric import Action, Criterion, ToolCall

MakeCases = Callable[..., tuple[JudgeCase, ...]]


@pytest.fixture
def case(make_cases: MakeCases) -> JudgeCase:
    return make_cases(1)[0].model_copy(update={"labels": {"a": "unmet", "b": "met"}})


def changed(case: JudgeCase, made: JudgeCase | None) -> set[str]:
    assert made is not None
    return {name for name in JudgeCase.model_fields if getattr(case, name) != getattr(made, name)}


def test_criteria_are_turned_round(case: JudgeCase) -> None:
    made = with_reversed_criteria(case)
    assert made is not None
    assert changed(case, made) == {"criteria"}
    assert [criterion.id for criterion in made.criteria] == ["b", "a"]
    assert made.asked != case.asked


def test_padding_follows_the_answer(case: JudgeCase) -> None:
    made = padded(case)
    assert made is not None
    assert changed(case, made) == {"action"}
    assert made.action.answer == f"{case.action.answer}\n\n{PADDING}"


def test_style_may_change_with_courtesy_and_is_left_out(case: JudgeCase) -> None:
    styled = case.model_copy(
        update={"criteria": (case.criteria[0], case.criteria[1].model_copy(update={"kind": "style"}))}
    )
    made = padded(styled)
    assert made is not None
    assert set(made.labels) == {"a"}
    only = JudgeCase(
        **{
            **dict(case),
            "criteria": (Criterion(id="s", text="Short.", kind="style"),),
            "labels": {"s": "met"},
        }
    )
    assert padded(only) is None


def test_an_injection_stands_in_the_observation_or_in_the_proposal(case: JudgeCase) -> None:
    in_page, in_answer = injected_observation(case), injected_proposal(case)
    assert changed(case, in_page) == {"steps"}
    assert changed(case, in_answer) == {"action"}
    assert in_page is not None
    assert in_answer is not None
    assert in_page.state.last_observation is not None  # not the cached state of the case it was made from
    assert in_page.state.last_observation.text.endswith(INJECTIONS)
    assert str(in_answer.action.answer).endswith(INJECTIONS)
    assert in_page.asked != case.asked != in_answer.asked


def test_an_injection_into_a_call_goes_into_its_longest_text(case: JudgeCase) -> None:
    call = ToolCall(name="send", arguments={"to": "Bo", "text": "Hello there", "n": 3}, id="c1")
    made = injected_proposal(case.model_copy(update={"action": Action(call=call)}))
    assert made is not None
    assert made.action.call is not None
    assert made.action.call.arguments["text"].startswith("Hello there\n\n")
    assert {k: v for k, v in made.action.call.arguments.items() if k != "text"} == {"to": "Bo", "n": 3}
    numbers = case.model_copy(update={"action": Action(call=ToolCall(name="add", arguments={"n": 3}))})
    assert injected_proposal(numbers) is None
    assert padded(numbers) is None


def test_what_has_no_meaning_is_not_asked(case: JudgeCase) -> None:
    right = case.model_copy(update={"labels": {"a": "met", "b": 1.0}})
    assert injected_observation(right) is injected_proposal(right) is None
    assert injected_observation(case.model_copy(update={"steps": ()})) is None
    assert with_reversed_criteria(case.model_copy(update={"criteria": case.criteria[:1]})) is None


def test_all_injections_are_tried(make_cases: MakeCases) -> None:
    made = [injected_proposal(case) for case in make_cases(80)]
    used = {line for line in INJECTIONS for one in made if one and str(one.action.answer).endswith(line)}
    assert used == set(INJECTIONS)


def test_a_plan_asks_every_case_and_then_the_first_that_have_a_variant(make_cases: MakeCases) -> None:
    cases = make_cases(20)
    asks = plan(cases, probes=5)
    assert [ask.case.id for ask in asks if ask.variant == "plain"] == [case.id for case in cases]
    for variant in CHANGES:
        assert sum(ask.variant == variant for ask in asks) == 5
    needy = [ask.case for ask in asks if ask.variant == "injected_proposal"]
    assert all(set(case.labels.values()) != {"met"} for case in needy)
    assert {ask.variant for ask in plan(cases)} == {"plain"}
