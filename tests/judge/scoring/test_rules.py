"""Each rule against numbers worked by hand, and the traps between published conventions."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import pytest

from coreact.errors import ConfigError
from coreact.judge.records import Status, Verdict
from coreact.judge.scoring import (
    RAR_WEIGHTS,
    RULES,
    Category,
    Score,
    ScoringRule,
    binary,
    categorical,
    clipped_mean,
    halving,
    healthbench,
    implicit,
    points,
    researchrubrics,
    scoring_rule,
    soft_min,
    soft_minimum,
    weighted_mean,
)
from coreact.rubric import Criterion, Provenance, Rubric

LETTERS: dict[str, Status] = {
    "m": "met",
    "p": "partial",
    "u": "unmet",
    "n": "not_applicable",
    "?": "unknown",
    "!": "unknown",  # because an instrument failed
}


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
    """Statuses as stored: for what is forbidden `m` says it is absent and `u` that it happened."""
    return [
        Verdict(
            criterion=criterion.id,
            reason="r",
            status=LETTERS[letter],
            fault="instrument" if letter == "!" else "none",
        )
        for criterion, letter in zip(rubric, letters, strict=True)
    ]


def value(rule: ScoringRule, weights: tuple[float, ...], letters: str) -> float | None:
    rubric = rubric_of(*weights)
    return rule(rubric, verdicts_of(rubric, letters)).value


# --- one answer, four conventions ------------------------------------------------------------

SIGNED = (5, 3, -4, -2)


@pytest.mark.parametrize(
    ("letters", "mean", "health", "net"),
    [
        ("mmmm", 1.0, 1.0, 8.0),
        ("mumm", 0.785714285714, 0.625, 5.0),  # 11/14, 5/8
        ("muum", 0.5, 0.125, 1.0),  # 7/14, (5-4)/8
        ("uumm", 0.428571428571, 0.0, 0.0),  # silence: 6/14 for doing nothing wrong
        ("uuum", 0.142857142857, -0.5, 0.0),  # 2/14, -4/8: one answer may be below 0
        ("uuuu", 0.0, -0.75, 0.0),
        ("pmpm", 0.678571428571, 0.4375, 3.5),  # 9.5/14, (2.5+3-2)/8
        ("mumn", 0.75, 0.625, 5.0),  # 9/12
        ("mum?", 0.75, 0.625, 5.0),
        ("m?mm", 1.0, 1.0, 8.0),  # points: 5 of the 5 judged, in proportion 8 of 8
        ("m?um", 0.636363636364, 0.2, 1.6),  # 7/11, (5-4)/5, 8 * 1/5
        ("??um", 0.333333333333, None, None),  # 2/6; no scale without a judged required one
        ("????", None, None, None),
        ("nnnn", None, None, None),
    ],
)
def test_the_same_verdicts_under_each_convention(
    letters: str, mean: float | None, health: float | None, net: float | None
) -> None:
    assert value(weighted_mean, SIGNED, letters) == mean
    assert value(RULES["credit_absence"], SIGNED, letters) == mean
    assert value(healthbench, SIGNED, letters) == health
    assert value(researchrubrics, SIGNED, letters) == health
    assert value(points, SIGNED, letters) == net


@pytest.mark.parametrize(("there", "mean", "health"), [("1010", 0.5, 0.125), ("0011", 0.0, -0.75)])
def test_published_formulas_in_their_own_terms(there: str, mean: float, health: float) -> None:
    """`there` is the grader's raw answer to signed points: 1 says that the thing is there, good or bad."""
    raw = [int(letter) for letter in there]
    studied = sum(w * g if w > 0 else -w * (1 - g) for w, g in zip(SIGNED, raw, strict=True)) / 14
    published = sum(w * g for w, g in zip(SIGNED, raw, strict=True)) / 8
    assert (studied, published) == (mean, health)
    ours = "".join("m" if (w > 0) == bool(g) else "u" for w, g in zip(SIGNED, raw, strict=True))
    assert value(RULES["credit_absence"], SIGNED, ours) == mean
    assert value(healthbench, SIGNED, ours) == health


@pytest.mark.parametrize(
    ("weights", "letters", "health", "research", "net"),
    [
        ((-4, -2), "um", None, 0.0, None),  # HealthBench has no score, ResearchRubrics 0
        ((-4, -2), "??", None, None, None),
        ((-4, 5), "u?", None, None, None),  # there are points, but nobody could tell
        ((-4, 5), "un", None, 0.0, None),
    ],
)
def test_without_positive_points(
    weights: tuple[float, ...], letters: str, health: None, research: float | None, net: None
) -> None:
    assert value(healthbench, weights, letters) is health
    assert value(researchrubrics, weights, letters) == research
    assert value(points, weights, letters) is net


def test_every_score_says_its_scale_and_what_it_rests_on() -> None:
    rubric = rubric_of(*SIGNED)
    verdicts = verdicts_of(rubric, "m!u?")
    assert weighted_mean(rubric, verdicts) == Score(0.555555555556, 2, 4, 0.0, 1.0, broken=1)
    assert healthbench(rubric, verdicts) == Score(0.2, 2, 4, -0.8, 1.0, broken=1)
    assert points(rubric, verdicts) == Score(1.6, 2, 4, 0.0, 8.0, broken=1)
    assert soft_min(rubric, verdicts, k=0) == Score(0.555555555556, 2, 4, 0.0, 1.0, broken=1)
    assert halving(rubric, verdicts) == Score(0.777777777778, 2, 4, 0.5, 1.0, broken=1)
    assert weighted_mean(rubric, verdicts_of(rubric, "nnm!")) == Score(1.0, 1, 2, 0.0, 1.0, broken=1)


def test_the_mean_over_answers_is_clipped_and_no_answer_is() -> None:
    rubric = rubric_of(*SIGNED)
    scores = [healthbench(rubric, verdicts_of(rubric, letters)) for letters in ("uuuu", "muum", "mmmm")]
    assert clipped_mean(scores) == Score(0.125, 3, 3, 0.0, 1.0)  # (-0.75 + 0.125 + 1)/3, not 1.125/3
    assert clipped_mean(scores[:2]).value == 0.0  # -0.3125
    nothing = healthbench(rubric, verdicts_of(rubric, "!!!!"))
    assert clipped_mean([scores[2], nothing]) == Score(1.0, 1, 2, 0.0, 1.0, broken=1)
    assert clipped_mean([nothing]).value is None
    assert clipped_mean([]) == Score(None, 0, 0, 0.0, 1.0)


def test_the_binary_scale_of_researchrubrics_takes_partly_there_as_not_there() -> None:
    assert value(researchrubrics, SIGNED, "pmpm") == 0.4375
    assert value(binary(researchrubrics, partial="absent"), SIGNED, "pmpm") == 0.375  # 3/8
    assert value(binary(researchrubrics, partial="unmet"), SIGNED, "pmpm") == -0.125  # (3-4)/8
    assert value(binary(researchrubrics, partial="met"), SIGNED, "pmpm") == 1.0


# --- RaR -------------------------------------------------------------------------------------

CATEGORIES: Mapping[str, Category] = {
    "c0": "essential",
    "c1": "important",
    "c2": "optional",
    "c3": "pitfall",
}


@pytest.mark.parametrize(
    ("letters", "v1", "v2"),
    [
        ("mmmm", 1.0, 1.0),
        ("mumm", 0.75, 0.758620689655),  # (1 + 0.3 + 0.8)/2.8, (1 + 0.3 + 0.9)/2.9
        ("mmmu", 0.714285714286, 0.689655172414),  # 2/2.8, 2/2.9: the bad thing happened
        ("uuum", 0.285714285714, 0.310344827586),
        ("uuuu", 0.0, 0.0),
    ],
)
def test_weights_by_category(letters: str, v1: float, v2: float) -> None:
    weights = (7, 7, 7, -7)  # of no account
    assert value(categorical(CATEGORIES, version="v1"), weights, letters) == v1
    assert value(categorical(CATEGORIES, version="v2"), weights, letters) == v2
    assert value(categorical(CATEGORIES), weights, letters) == v2


def test_categories_go_with_any_rule_and_must_be_complete() -> None:
    assert value(categorical(CATEGORIES, rule=healthbench), (7, 7, 7, -7), "mumu") == 0.2  # (1.3-0.9)/2
    with pytest.raises(ConfigError, match=r"no category: c1, c2\. Give each one of essential, important"):
        value(categorical({"c0": "essential"}), (1, 1, 1), "mmm")
    with pytest.raises(ConfigError, match=r"no category 'esential'\. Did you mean 'essential'"):
        categorical({"c0": "esential"})  # type: ignore[dict-item]
    with pytest.raises(ConfigError, match=r"'v3'\. Did you mean 'v"):
        categorical(CATEGORIES, version="v3")  # type: ignore[arg-type]
    assert RAR_WEIGHTS["v1"]["pitfall"] == 0.8
    with pytest.raises(TypeError):
        RAR_WEIGHTS["v1"]["pitfall"] = 1.0  # type: ignore[index]


@pytest.mark.parametrize(("rating", "expected"), [(1, 0.0), (10, 1.0), (5.5, 0.5), (4, 1 / 3)])
def test_a_single_rating(rating: float, expected: float) -> None:
    assert implicit(rating) == Score(expected, 1, 1, 0.0, 1.0)


def test_no_rating_and_impossible_ones() -> None:
    assert implicit(None) == Score(None, 0, 1, 0.0, 1.0)
    assert implicit(None, broken=True).broken == 1
    for rating in (0, 0.99, 10.01, -3, math.nan, math.inf):
        with pytest.raises(ValueError, match="between 1 and 10"):
            implicit(rating)


# --- halving ---------------------------------------------------------------------------------


def grouped(groups: str, *weights: float) -> Rubric:
    """A check made from the criterion named by each letter; `.` is a criterion of its own."""
    return Rubric(
        criteria=tuple(
            Criterion(
                id=f"c{n}",
                text="t",
                weight=weight,
                provenance=None if parent == "." else Provenance(source="s", parent=parent),
            )
            for n, (parent, weight) in enumerate(zip(groups, weights or (1.0,) * len(groups), strict=True))
        )
    )


@pytest.mark.parametrize(
    ("groups", "letters", "expected"),
    [
        ("AAAABB.", "mmmmmmm", 1.0),
        ("AAAABB.", "mummmmm", 0.833333333333),  # (1/2 + 1 + 1)/3, though 6 of 7 checks passed
        ("AAAABB.", "uuummmm", 0.708333333333),  # (1/8 + 1 + 1)/3
        ("AAAABB.", "uuuuuuu", 0.270833333333),  # (1/16 + 1/4 + 1/2)/3
        ("ABABAB.", "ummmmmm", 0.833333333333),  # groups need not stand together
        ("AA..", "uuuu", 0.416666666667),  # (1/4 + 1/2 + 1/2)/3
        ("AAA", "ppm", 0.5),  # two halves of a failure
        ("AAA", "u?m", 0.5),
        ("AAA", "unm", 0.5),
        ("AAAB", "uum?", 0.25),
        ("AB", "??", None),
    ],
)
def test_each_failed_check_halves_its_group(groups: str, letters: str, expected: float | None) -> None:
    rubric = grouped(groups)
    assert halving(rubric, verdicts_of(rubric, letters)).value == expected


def test_a_group_weighs_what_its_checks_weigh_on_average_judged_or_not() -> None:
    rubric = grouped("AAB", 2, 4, 1)
    assert halving(rubric, verdicts_of(rubric, "umm")).value == 0.625  # (3 * 1/2 + 1)/4
    assert halving(rubric, verdicts_of(rubric, "u?m")).value == 0.625
    assert halving(rubric, verdicts_of(rubric, "unm")).value == 0.666666666667  # (2 * 1/2 + 1)/3


def test_a_parent_that_is_judged_is_a_check_of_its_own_group() -> None:
    rubric = Rubric(
        criteria=(
            Criterion(id="whole", text="t"),
            Criterion(id="part", text="t", provenance=Provenance(source="s", parent="whole")),
        )
    )
    verdicts = [Verdict(criterion=name, reason="", status="unmet") for name in ("whole", "part")]
    assert halving(rubric, verdicts).value == 0.25


# --- soft minimum ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("k", "expected"),
    [
        (0, 0.75),
        (math.log(2), 0.678071905113),  # exp(-k) = 1/2: log2(1/0.625)
        (2 * math.log(2), 0.596322538971),  # exp(-k) = 1/4: (4 - log2(7))/2
        (1000, 0.001386294361),  # log(4)/1000
        (math.inf, 0.0),
    ],
)
def test_soft_minimum_of_one_failure_in_four(k: float, expected: float) -> None:
    assert value(lambda r, v: soft_min(r, v, k=k), (1, 3), "um") == expected


def test_soft_minimum_lies_near_mean_less_half_the_variance() -> None:
    values = [-1.3, 0.2, 0.4, 1.1]
    mean = sum(values) / 4
    variance = sum((each - mean) ** 2 for each in values) / 4
    assert soft_minimum(values, k=0.01) == pytest.approx(mean - 0.005 * variance, abs=1e-5)


def test_soft_minimum_of_anything_finite() -> None:
    assert soft_minimum([0.1, 0.2, 0.7], k=math.inf) == 0.1
    assert soft_minimum([0.25], k=3) == 0.25
    assert soft_minimum([1000.0, -1000.0], k=2) == pytest.approx(-1000 + math.log(2) / 2)
    assert soft_minimum([0.0, 1.0], k=5e-324) == 0.5
    assert soft_minimum([0.0, 1.0], k=1e308) == pytest.approx(0.0)
    assert soft_minimum([0.0, 1.0], k=1e5, weights=[5e-324, 1e308]) == pytest.approx(0.007, abs=1e-3)
    for k in (-0.1, math.nan):
        with pytest.raises(ConfigError, match="sharpness"):
            soft_minimum([1.0], k=k)
        with pytest.raises(ConfigError, match="sharpness"):
            value(lambda r, v, k=k: soft_min(r, v, k=k), (1,), "?")
    with pytest.raises(ValueError, match="needs values"):
        soft_minimum([], k=1)
    for weights in ([1.0], [1.0, 0.0], [1.0, -1.0]):
        with pytest.raises(ValueError, match="one above 0 for each"):
            soft_minimum([1.0, 2.0], k=1, weights=weights)


# --- all rules -------------------------------------------------------------------------------


@pytest.mark.parametrize("name", RULES)
def test_dependencies_are_the_same_for_every_rule(name: str) -> None:
    """The gate fails, so what hangs on it does not count, whatever its verdict."""
    chain = rubric_of(2, 1, 1, c1={"depends_on": ("c0",)}, c2={"depends_on": ("c1",)})
    alone = rubric_of(2, 1, 1)
    rule = RULES[name]
    for letters, settled in (("umm", "unn"), ("pm!", "pnn"), ("mum", "mun"), ("?mm", "?mm"), ("num", "nnn")):
        assert rule(chain, verdicts_of(chain, letters)) == rule(alone, verdicts_of(alone, settled))


@pytest.mark.parametrize("name", RULES)
@pytest.mark.parametrize("ids", [[], ["c0"], ["c0", "c0"], ["c0", "c2"], ["c0", "c1", "c2"]])
def test_missing_surplus_and_double_verdicts_are_errors(name: str, ids: list[str]) -> None:
    with pytest.raises(ValueError, match="exactly one verdict"):
        RULES[name](rubric_of(1, 1), [Verdict(criterion=each, reason="", status="met") for each in ids])


@pytest.mark.parametrize("name", RULES)
def test_absurd_weights_give_finite_numbers(name: str) -> None:
    for weights in ((1e308, 1e308, -1e308), (5e-324, 5e-324, -5e-324), (5e-324, 1, -1e308)):
        for letters in ("mmm", "uuu", "umu", "mum"):
            rubric = rubric_of(*weights)
            found = RULES[name](rubric, verdicts_of(rubric, letters))
            assert found.value is not None
            assert math.isfinite(found.low)
            assert math.isfinite(found.high)
            assert found.low <= found.value <= found.high


def test_rules_by_name() -> None:
    assert scoring_rule("halving") is halving
    with pytest.raises(ConfigError, match=r"no scoring rule 'weigthed_mean'\. Did you mean 'weighted_mean'"):
        scoring_rule("weigthed_mean")
    with pytest.raises(ConfigError, match=r"There are 'credit_absence', 'halving', 'healthbench'"):
        scoring_rule("xyz")
    with pytest.raises(TypeError):
        RULES["mine"] = halving  # type: ignore[index]
