"""Vetoes, abstention and partial credit over any rule, and what training makes of a broken judge."""

from __future__ import annotations

import math
from typing import Any

import pytest

from coreact.errors import ConfigError
from coreact.judge.records import Status, Verdict
from coreact.judge.scoring import (
    RULES,
    Abstention,
    Score,
    ScoringRule,
    abstaining,
    binary,
    capped,
    halving,
    healthbench,
    judgement,
    points,
    soft_min,
    training_label,
    weighted_mean,
)
from coreact.rubric import Criterion, Rubric

LETTERS: dict[str, Status] = {
    "m": "met",
    "p": "partial",
    "u": "unmet",
    "n": "not_applicable",
    "?": "unknown",
    "!": "unknown",  # because an instrument failed
}
POLICIES: tuple[Abstention, ...] = ("skip", "zero", "full", "refuse")


def rubric_of(*weights: float, **of: dict[str, Any]) -> Rubric:
    """Criteria c0, c1, …; a negative weight forbids; `c1={"veto": True}` sets more fields of one."""
    return Rubric(
        criteria=tuple(
            Criterion(
                id=f"c{n}",
                text="t",
                weight=abs(weight),
                polarity="forbid" if weight < 0 else "require",
                **of.get(f"c{n}", {}),
            )
            for n, weight in enumerate(weights)
        )
    )


def verdicts_of(rubric: Rubric, letters: str) -> list[Verdict]:
    return [
        Verdict(
            criterion=criterion.id,
            reason="r",
            status=LETTERS[letter],
            fault="instrument" if letter == "!" else "none",
            cause="parse" if letter == "!" else None,
        )
        for criterion, letter in zip(rubric, letters, strict=True)
    ]


def score(rule: ScoringRule, rubric: Rubric, letters: str) -> Score:
    return rule(rubric, verdicts_of(rubric, letters))


# --- abstention ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rule", "weights", "letters", "skip", "zero", "full"),
    [
        (weighted_mean, (5, 3, -2), "m?u", 0.714285714286, 0.5, 0.8),
        (weighted_mean, (5, 3, -2), "mu?", 0.625, 0.5, 0.7),
        (weighted_mean, (1, 1), "??", None, 0.0, 1.0),
        (weighted_mean, (1, 1), "nn", None, None, None),
        (healthbench, (5, 3, -2), "m?u", 0.6, 0.375, 0.75),
        (healthbench, (5, 3, -2), "mu?", 0.625, 0.375, 0.625),
        (healthbench, (5, 3, -8), "u?u", -1.6, -1.0, -0.625),  # zero lies above skip: no theorem here
        (points, (5, 3, -2), "m?u", 4.8, 3.0, 6.0),  # 8 * 3/5
        (points, (5, 3, -2), "mu?", 5.0, 3.0, 5.0),
        (halving, (1, 1), "m?", 1.0, 0.75, 1.0),
        (soft_min, (1, 1), "m?", 1.0, 0.283109584758, 1.0),  # -log((1 + exp(-2))/2)/2
    ],
)
def test_what_an_unknown_does(
    rule: ScoringRule,
    weights: tuple[float, ...],
    letters: str,
    skip: float | None,
    zero: float | None,
    full: float | None,
) -> None:
    rubric = rubric_of(*weights)
    found = [score(abstaining(rule, policy), rubric, letters).value for policy in POLICIES]
    assert found == [skip, zero, full, None]


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("rule", RULES.values())
def test_counts_stay_honest_under_every_policy(rule: ScoringRule, policy: Abstention) -> None:
    rubric = rubric_of(1, 2, -3, 4)
    found = score(abstaining(rule, policy), rubric, "m?!n")
    assert (found.judged, found.total, found.broken) == (1, 3, 1)
    found = score(abstaining(rule, policy), rubric, "?!!?")
    assert (found.judged, found.total, found.broken) == (0, 4, 2)


@pytest.mark.parametrize("rule", RULES.values())
def test_a_complete_judgement_is_the_same_under_every_policy(rule: ScoringRule) -> None:
    rubric = rubric_of(1, 2, -3, 4)
    assert len({score(abstaining(rule, policy), rubric, "mpun") for policy in POLICIES}) == 1


def test_an_unknown_that_counts_as_unmet_takes_nothing_away() -> None:
    rubric = rubric_of(1, 1, c1={"depends_on": ("c0",)})
    assert score(abstaining(weighted_mean, "zero"), rubric, "?m") == Score(0.5, 1, 2, 0.0, 1.0)
    assert score(abstaining(weighted_mean, "zero"), rubric, "u?").value == 0.0
    assert score(abstaining(weighted_mean, "refuse"), rubric, "u?").value == 0.0  # c1 does not apply
    assert score(abstaining(weighted_mean, "full"), rubric, "u?").value == 0.0


def test_policies_that_do_not_exist() -> None:
    with pytest.raises(ConfigError, match=r"no abstention policy 'zeros'\. Did you mean 'zero'"):
        abstaining(weighted_mean, "zeros")  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match=r"no credit for partial verdicts 'half'"):
        binary(weighted_mean, partial="half")  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="cap"):
        capped(weighted_mean, cap=math.nan)
    with pytest.raises(ConfigError, match="training policy"):
        training_label(Score(1.0, 1, 1, 0.0, 1.0), "drop")  # type: ignore[arg-type]


# --- partial ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("weights", "half", "met", "unmet", "absent"),
    [((3, 1), 0.875, 1.0, 0.75, 0.75), ((3, -1), 0.875, 1.0, 0.75, 1.0)],
)
def test_what_partly_met_earns(
    weights: tuple[float, ...], half: float, met: float, unmet: float, absent: float
) -> None:
    rubric = rubric_of(*weights)
    assert score(weighted_mean, rubric, "mp").value == half
    assert score(binary(weighted_mean, partial="met"), rubric, "mp").value == met
    assert score(binary(weighted_mean, partial="unmet"), rubric, "mp").value == unmet
    assert score(binary(weighted_mean), rubric, "mp").value == unmet
    assert score(binary(weighted_mean, partial="absent"), rubric, "mp").value == absent


def test_on_a_binary_scale_a_gate_is_open_or_shut() -> None:
    rubric = rubric_of(1, 3, c1={"depends_on": ("c0",)})
    assert score(weighted_mean, rubric, "pu") == Score(0.5, 1, 1, 0.0, 1.0)
    assert score(binary(weighted_mean, partial="met"), rubric, "pu") == Score(0.25, 2, 2, 0.0, 1.0)


def test_a_binary_rule_still_wants_one_verdict_for_each() -> None:
    with pytest.raises(ValueError, match="exactly one verdict"):
        binary(weighted_mean)(rubric_of(1), [Verdict(criterion="other", reason="", status="partial")])


# --- vetoes ----------------------------------------------------------------------------------

VETOED = rubric_of(1, 3, c0={"veto": True})


@pytest.mark.parametrize(
    ("letters", "plain", "fatal", "safety"),
    [
        ("um", 0.75, 0.0, 0.4),
        ("uu", 0.0, 0.0, 0.0),  # a cap never lifts
        ("up", 0.375, 0.0, 0.375),
        ("pm", 0.875, 0.875, 0.875),
        ("mm", 1.0, 1.0, 1.0),
        ("nm", 1.0, 1.0, 1.0),
        ("?m", 1.0, 1.0, 1.0),
        ("u?", 0.0, 0.0, 0.0),
    ],
)
def test_a_vetoed_answer_gets_at_most_the_cap(
    letters: str, plain: float, fatal: float, safety: float
) -> None:
    assert score(weighted_mean, VETOED, letters).value == plain
    assert score(capped(weighted_mean), VETOED, letters).value == fatal
    assert score(capped(weighted_mean, cap=0.4), VETOED, letters).value == safety


def test_one_failed_hard_rule_vetoes_under_every_rule() -> None:
    rubric = rubric_of(1, 9, 9, -9, c0={"veto": True, "kind": "hard"})
    for rule in RULES.values():
        plain, found = score(rule, rubric, "ummm"), score(capped(rule), rubric, "ummm")
        assert plain.value is not None
        assert plain.value > 0
        assert found.value == 0.0
        assert found.low <= 0.0
        assert score(capped(rule, cap=-1.0), rubric, "ummm")._asdict().items() >= {"value": -1.0}.items()
        assert score(capped(rule), rubric, "ummm")._replace(value=None) == plain._replace(
            value=None, low=min(plain.low, 0.0)
        )


def test_a_veto_stands_where_the_rule_has_no_scale_and_falls_with_what_it_depends_on() -> None:
    rubric = rubric_of(-1, c0={"veto": True})
    assert score(healthbench, rubric, "u").value is None
    assert score(capped(healthbench), rubric, "u").value == 0.0
    rubric = rubric_of(1, 3, 1, c2={"veto": True, "depends_on": ("c0",)})
    assert score(capped(weighted_mean), rubric, "umu").value == 0.75
    assert score(capped(weighted_mean), rubric, "mmu").value == 0.0


def test_an_unknown_veto_is_what_the_abstention_policy_says() -> None:
    rule = capped(weighted_mean)
    assert [score(abstaining(rule, policy), VETOED, "?m").value for policy in POLICIES] == [1, 0, 1, None]
    assert score(capped(abstaining(weighted_mean, "refuse")), VETOED, "u?").value == 0.0
    assert score(abstaining(rule, "refuse"), VETOED, "u?").value is None


# --- training --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("letters", "mask", "unmet"),
    [
        ("mu", 0.5, 0.5),
        ("m?", 1.0, 1.0),  # nobody could tell, but nothing broke
        ("m!", None, 0.0),
        ("!!", None, 0.0),
        ("??", None, 0.0),
        ("nn", None, None),
        ("nm", 1.0, 1.0),
    ],
)
def test_an_item_whose_judge_broke_is_masked(letters: str, mask: float | None, unmet: float | None) -> None:
    rubric = rubric_of(1, 1)
    for judged in (judgement(rubric, verdicts_of(rubric, letters)), score(weighted_mean, rubric, letters)):
        assert training_label(judged) == mask
        assert training_label(judged, "mask") == mask
        assert training_label(judged, "unmet") == unmet


def test_training_and_running_do_not_share_a_policy() -> None:
    """Whatever lets an agent go on, a score that rests on a broken judge is no label."""
    rubric = rubric_of(3, 1)
    for policy in POLICIES:
        found = score(abstaining(weighted_mean, policy), rubric, "m!")
        assert training_label(found) is None
    assert score(abstaining(weighted_mean, "zero"), rubric, "m!").value == 0.75


def test_a_failed_item_has_the_least_value_of_its_scale() -> None:
    rubric = rubric_of(4, -2, 1)
    assert training_label(score(healthbench, rubric, "mm!"), "unmet") == -0.5
    assert training_label(score(points, rubric, "mm!"), "unmet") == 0.0


def test_a_broken_verdict_that_does_not_apply_masks_nothing() -> None:
    rubric = rubric_of(1, 1, c1={"depends_on": ("c0",)})
    found = judgement(rubric, verdicts_of(rubric, "u!"))
    assert training_label(found) == 0.0
    assert training_label(score(weighted_mean, rubric, "u!")) == 0.0
    assert (found.verdicts[1].fault, found.verdicts[1].cause) == ("none", None)
