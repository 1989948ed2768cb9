"""Thresholds: what they do to whole runs, the bound that admits them, and what a false rejection costs."""

from __future__ import annotations

from itertools import pairwise
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coreact.errors import ConfigError
from coreact.judge.sufficiency import (
    Example,
    LogisticCritic,
    Moment,
    choose,
    coverage_risk,
    fit,
    moments,
    parted,
)
from coreact.judge.sufficiency.stopping import GRID


def runs(*found: list[tuple[float | None, bool]]) -> list[Moment]:
    return [
        Moment(f"q{q:03d}", "r", at, probability, right)
        for q, run in enumerate(found)
        for at, (probability, right) in enumerate(run)
    ]


def test_a_run_is_answered_at_the_first_moment_that_reaches_the_threshold() -> None:
    seen = runs(
        [(0.3, False), (0.8, True)],  # wrong below 0.3, right up to 0.8
        [(0.6, True), (0.2, False)],
        [(None, True), (0.4, False)],
    )
    points = {point.threshold: point for point in coverage_risk(seen).points}
    assert tuple(points) == GRID
    low, mid, high = points[0.3], points[0.5], points[0.7]
    assert (low.answered, low.wrong, low.false_rejections) == (3, 2, 1)
    assert (mid.answered, mid.wrong, mid.false_rejections) == (2, 0, 1)
    assert (high.answered, high.wrong, high.false_rejections) == (1, 0, 2)
    assert (low.coverage, low.risk) == (1.0, pytest.approx(2 / 3))
    none = points[0.95]
    assert (none.answered, none.risk, none.bound) == (0, None, 1.0)


def test_of_several_runs_of_a_question_one_counts() -> None:
    twice = [Moment("q", "a", 0, 0.9, True), Moment("q", "b", 0, 0.9, False)]
    assert {point.runs for point in coverage_risk(twice).points} == {1}
    assert {point.wrong for point in coverage_risk(twice).points} == {0}
    assert coverage_risk(twice) == coverage_risk(twice[::-1])


def test_the_bound_by_hand() -> None:
    # None wrong of n: the upper bound at level a is 1 - a ** (1 / n).
    seen = runs(*[[(0.99, True)]] * 60)
    curve = coverage_risk(seen, confidence=0.95)
    assert curve.points[0].bound == pytest.approx(1 - (0.05 / len(GRID)) ** (1 / 60))
    all_wrong = coverage_risk(runs(*[[(0.99, False)]] * 60))
    assert {point.bound for point in all_wrong.points} == {1.0}


def test_the_bound_holds_as_often_as_it_says() -> None:
    """Of many draws with a true risk of 0.2, hardly any gives a bound below 0.2 at any threshold."""
    rng = Random(3)
    broken = 0
    for _ in range(150):
        seen = runs(*[[(rng.random(), rng.random() > 0.2)] for _ in range(40)])
        broken += any(point.bound < 0.2 for point in coverage_risk(seen, confidence=0.8).points)
    assert broken / 150 <= 0.2


def test_the_cheapest_admitted_threshold_is_taken() -> None:
    # A high threshold answers the same runs later: more false rejections, no fewer wrong answers.
    seen = runs(*[[(0.5, True), (0.97, True)]] * 100)
    chosen = choose(seen, critic="c", target_risk=0.1)
    assert chosen.answer == GRID[0]
    assert chosen.chosen.false_rejections == 0
    # Where the early drafts are wrong, waiting is worth it …
    wrong_early = runs(*[[(0.5, False), (0.97, True)]] * 100)
    assert choose(wrong_early, critic="c", target_risk=0.1).answer == 0.55
    # … and where some are, the cost of a false rejection decides.
    mixed = runs(*[[(0.5, n >= 4), (0.97, True)] for n in range(100)])
    assert choose(mixed, critic="c", target_risk=0.2, rejection_cost=0.5).answer == GRID[0]
    assert choose(mixed, critic="c", target_risk=0.2, rejection_cost=0.01).answer == 0.55


def test_no_threshold_is_better_than_one_that_does_not_hold() -> None:
    with pytest.raises(ConfigError, match=r"No threshold keeps the risk at 0\.1.*answers 10 of 10 runs"):
        choose(runs(*[[(0.9, True)]] * 10), critic="c", target_risk=0.1)  # all right, but too few
    with pytest.raises(ConfigError, match="No threshold"):
        choose(runs(*[[(0.9, False)]] * 100), critic="c", target_risk=0.5)
    for target, cost in ((0.0, 0.5), (1.0, 0.5), (0.1, -1.0)):
        with pytest.raises(ConfigError, match="out of range"):
            choose(runs([(0.9, True)]), critic="c", target_risk=target, rejection_cost=cost)
    with pytest.raises(ConfigError, match="make no curve"):
        coverage_risk([])


def test_risk_does_not_rise_as_coverage_falls(critic: LogisticCritic, practised: list[Example]) -> None:
    curve = coverage_risk(moments(critic, parted(practised).held_out))
    known = [(point.coverage, point.risk) for point in curve.points if point.risk is not None]
    assert known[0][0] > 0.7
    assert all(later[0] <= earlier[0] for earlier, later in pairwise(known))
    # On a hundred questions single steps of the curve are noise: 0.02 of them is not.
    assert all(later[1] <= earlier[1] + 0.02 for earlier, later in pairwise(known))
    assert known[-1][1] < known[0][1] / 1.5
    assert curve.area is not None
    assert curve.area < 0.2


@given(
    st.lists(
        st.lists(st.tuples(st.none() | st.floats(0, 1), st.booleans()), min_size=1, max_size=4),
        min_size=1,
        max_size=12,
    )
)
def test_coverage_never_rises_with_the_threshold(found: list[list[tuple[float | None, bool]]]) -> None:
    points = coverage_risk(runs(*found)).points
    for low, high in pairwise(points):
        assert high.answered <= low.answered
        assert high.false_rejections >= low.false_rejections
    for point in points:
        assert point.bound >= (point.risk or 0)


def test_a_threshold_is_not_chosen_on_what_the_critic_was_fitted_on(
    critic: LogisticCritic, practised: list[Example]
) -> None:
    parts = parted(practised)
    for seen in (parts.fitted, parts.calibrated, practised):
        with pytest.raises(ConfigError, match=r"fitted or calibrated on \d+ of the"):
            moments(critic, seen)
    assert moments(critic, parts.held_out)


def test_a_question_without_any_draft_does_not_move_the_others_between_the_parts(
    practised: list[Example],
) -> None:
    silent = practised[0].question
    numbers = {"draft_given": 0.0}
    examples = [
        one.model_copy(update={"features": one.features | numbers}) if one.question == silent else one
        for one in practised
    ]
    assert moments(fit(examples), parted(examples).held_out)  # none of them was fitted on
