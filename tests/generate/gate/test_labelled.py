from __future__ import annotations

import asyncio
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coreact.errors import JudgingError
from coreact.generate.gate import Thresholds, aconsistency, aeffect, consistency, effect
from coreact.generate.gate.labelled import (
    RUBRIC_FREE,
    Margin,
    better_first,
    consistency_of,
    effect_of,
    margin,
)
from coreact.judge.records import Judgement
from coreact.rubric import Action, Criterion
from coreact.testing import ScriptedJudge


def judgement(score: float | None, passed: bool | None = None) -> Judgement:
    judged = 0 if score is None else 1
    return Judgement(rubric="r", verdicts=(), score=score, passed=passed, judged=judged, total=1)


def test_the_margin_by_hand(case: Any) -> None:
    # Worth by the rubric: 1, 1/6, 1/15, 0; six pairs, all in the right order.
    found = effect(case.informative, case.point)
    expected = ((1 - 1 / 6) + (1 - 1 / 15) + 1 + (1 / 6 - 1 / 15) + 1 / 6 + 1 / 15) / 6
    assert found.passed is True
    assert found.value == pytest.approx(expected)
    assert (found.threshold, found.problem) == (0.0, None)


def test_a_misleading_rubric_is_refused(case: Any) -> None:
    # The worst candidate is worth 1 by it and the others nothing: three of six pairs lose 1.
    found = effect(case.misleading, case.point)
    assert (found.passed, found.value, found.problem) == (False, -0.5, "misaligned")
    assert "misleading" in found.reason
    assert consistency(case.misleading, case.point).passed is False


def test_an_all_tied_rubric_is_neither_helpful_nor_harmful(case: Any) -> None:
    found = effect(case.vacuous, case.point)
    assert (found.passed, found.value, found.problem) == (False, 0.0, "undiscriminating")
    assert "neutral" in found.reason
    assert Margin(0.0, 0.0).bearing == "neutral"
    assert (consistency(case.vacuous, case.point).value, consistency(case.vacuous, case.point).passed) == (
        0.0,
        False,
    )


@pytest.mark.parametrize(
    ("guided", "control", "bearing"),
    [
        (0.3, 0.2, "helpful"),
        (0.1, 0.2, "neutral"),  # it points the right way, less than judging without it
        (0.1, -0.2, "helpful"),
        (-0.1, -0.2, "neutral"),
        (-0.3, -0.2, "misleading"),
        (-0.1, 0.2, "misleading"),
        (0.2, 0.2, "neutral"),
    ],
)
def test_the_conditions_of_c2(guided: float, control: float, bearing: str) -> None:
    assert Margin(guided, control).bearing == bearing


def test_the_control_arm_is_the_same_judge_without_the_rubric(case: Any) -> None:
    best = case.point.actions[0]

    def decide(criterion: Criterion, action: Action) -> Any:
        if criterion.id == "step":  # asked without the rubric, it already prefers the best
            return "met" if action == best else "unmet"
        return "unmet" if action == case.point.actions[-1] else "met"

    judge = ScriptedJudge(decide)
    found = effect(case.prose, case.point, judge=judge)
    # Without: three of six pairs gain 1. With: three of six pairs gain 1 as well, others.
    assert (found.value, found.threshold, found.passed) == (0.5, 0.5, False)
    assert effect(case.prose, case.point, judge=judge, control=None).passed is True
    assert effect(case.informative, case.point, judge=judge).passed is True


def test_less_wrong_than_a_wrong_judge_is_not_helpful() -> None:
    guided, plain = [judgement(0.0), judgement(0.3)], [judgement(0.0), judgement(0.9)]
    found = effect_of(guided, plain, (1, 0), Thresholds())
    assert found.value == pytest.approx(-0.1)
    assert (found.passed, found.threshold) == (False, 0.0)
    assert "neutral" in found.reason


def test_a_margin_above_the_control_can_be_demanded(case: Any) -> None:
    assert effect(case.informative, case.point, thresholds=Thresholds(effect=0.5)).passed is True
    assert effect(case.informative, case.point, thresholds=Thresholds(effect=0.6)).passed is False


def test_what_has_no_label_is_untested_and_not_passed(case: Any) -> None:
    alike = case.at(1, gains=(0.5, 0.5, 0.5, 0.5))
    for found in (effect(case.informative, alike), consistency(case.informative, alike)):
        assert (found.passed, found.value) == (None, None)


def test_a_broken_judge_makes_it_untested_with_its_cause(case: Any) -> None:
    judge = ScriptedJudge(JudgingError("down", judge="j", cause="transport"))
    for found in (
        effect(case.prose, case.point, judge=judge),
        consistency(case.prose, case.point, judge=judge),
    ):
        assert (found.passed, found.cause) == (None, "transport")


def test_a_control_arm_that_broke_is_no_control(case: Any) -> None:
    def decide(criterion: Criterion, action: Action) -> Any:
        if criterion.id == "step":
            raise JudgingError("down", judge="j", cause="rate_limit")
        return "met"

    found = effect(case.informative, case.point, judge=ScriptedJudge(decide))
    assert (found.passed, found.cause) == (None, "rate_limit")


def test_consistency_counts_pairs_and_a_tie_is_not_right(case: Any) -> None:
    judgements = [judgement(1.0), judgement(0.5), judgement(0.5), judgement(0.7)]
    found = consistency_of(judgements, (3, 2, 1, 0), Thresholds())
    assert (found.value, found.passed) == (0.5, True)  # 3 of 6: the first against each other
    assert consistency_of(judgements, (3, 2, 1, 0), Thresholds(consistency=0.51)).passed is False


def test_async_is_the_same(case: Any) -> None:
    judge = ScriptedJudge(lambda _, action: "unmet" if action.stops else "met")
    assert asyncio.run(aeffect(case.prose, case.point, judge=judge)) == effect(
        case.prose, case.point, judge=judge
    )
    assert asyncio.run(aconsistency(case.prose, case.point, judge=judge)) == consistency(
        case.prose, case.point, judge=judge
    )


def test_the_rubric_free_criterion_names_nothing_of_a_step() -> None:
    assert len(RUBRIC_FREE) == 1
    assert RUBRIC_FREE.criteria[0].check is None


scores = st.lists(st.one_of(st.none(), st.floats(0, 1)), min_size=2, max_size=6)


@given(scores, st.data())
def test_turning_the_labels_round_turns_the_margin_round(values: list[float | None], data: Any) -> None:
    gains = data.draw(st.lists(st.integers(0, 3), min_size=len(values), max_size=len(values)))
    judgements = [judgement(value) for value in values]
    found = margin(judgements, gains)
    turned = margin(judgements, [-gain for gain in gains])
    if found is None:
        assert turned is None
        assert not better_first(gains)
    else:
        assert turned == pytest.approx(-found)
        assert -1 <= found <= 1


@given(scores, st.data())
def test_the_order_of_the_candidates_does_not_matter(values: list[float | None], data: Any) -> None:
    gains = data.draw(st.lists(st.integers(0, 3), min_size=len(values), max_size=len(values)))
    order = data.draw(st.permutations(range(len(values))))
    one = effect_of([judgement(v) for v in values], (), gains, Thresholds())
    two = effect_of([judgement(values[at]) for at in order], (), [gains[at] for at in order], Thresholds())
    assert one.passed == two.passed
    assert one.value == (None if two.value is None else pytest.approx(two.value))
