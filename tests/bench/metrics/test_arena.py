from __future__ import annotations

from math import exp, log
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coreact.bench.metrics.arena import Gap, Vote, _least, bradley_terry, protocols
from coreact.errors import ConfigError


def arena(strengths: dict[str, float], votes: int, seed: int = 0) -> list[Vote]:
    """Votes drawn from known strengths, `votes` for each two systems."""
    draw = Random(seed)
    names = sorted(strengths)
    return [
        Vote(left, right, float(draw.random() < 1 / (1 + exp(strengths[right] - strengths[left]))))
        for at, left in enumerate(names)
        for right in names[at + 1 :]
        for _ in range(votes)
    ]


def test_two_systems_by_hand():
    votes = [Vote("a", "b", 1), Vote("a", "b", 1), Vote("b", "a", 0), Vote("a", "b", 0)]
    found = bradley_terry(votes)  # 3 wins to 1: odds 3
    assert found["a"] - found["b"] == pytest.approx(log(3), abs=1e-5)
    assert sum(found.values()) == pytest.approx(0)


def test_a_tie_is_half_a_win_for_either():
    found = bradley_terry([Vote("a", "b", 0.5), Vote("a", "b", 1)])
    assert found["a"] - found["b"] == pytest.approx(log(3), abs=1e-5)


def test_strengths_are_recovered():
    truth = {"a": 1.5, "b": 0.5, "c": -0.5, "d": -1.5}
    found = bradley_terry(arena(truth, votes=2000))
    assert all(found[name] == pytest.approx(truth[name], abs=0.12) for name in truth)


@settings(max_examples=15)
@given(st.randoms(use_true_random=False))
def test_the_order_of_the_votes_does_not_matter(draw):
    votes = arena({"a": 0.5, "b": 0.0, "c": -0.5}, votes=20)
    shuffled = votes.copy()
    draw.shuffle(shuffled)
    assert bradley_terry(shuffled) == pytest.approx(bradley_terry(votes), abs=1e-4)


@pytest.mark.parametrize(
    ("votes", "message"),
    [
        ([], "no votes"),
        ([Vote("a", "b", 1), Vote("a", "b", 1)], "one side always wins"),  # infinitely stronger
        ([Vote("a", "b", 0.5), Vote("c", "d", 0.5)], "never meet"),
        ([Vote("a", "a", 1)], "no vote"),
        ([Vote("a", "b", 2)], "no vote"),
    ],
)
def test_what_has_no_finite_strengths_is_refused(votes, message):
    with pytest.raises(ConfigError, match=message):
        bradley_terry(votes)


def rubric_scores(means: dict[str, float], tasks: int, seed: int = 1) -> dict[str, list[float]]:
    draw = Random(seed)
    hard = [draw.gauss(0, 0.1) for _ in range(tasks)]
    return {name: [mean + shared + draw.gauss(0, 0.1) for shared in hard] for name, mean in means.items()}


def test_far_systems_are_told_apart_by_both_protocols_and_near_ones_are_flagged():
    votes = arena({"a": 2.0, "b": 0.7, "c": 0.68, "d": -1.2}, votes=80)
    found = protocols(votes, rubric_scores({"a": 0.8, "b": 0.55, "c": 0.549, "d": 0.2}, tasks=60))
    assert found.rank_agreement is not None
    assert found.rank_agreement > 0.6
    near, *far = found.gaps
    assert {near.better, near.worse} == {"b", "c"}
    assert not near.reliable
    assert all(gap.reliable for gap in far)
    assert found.minimum_reliable_gap == far[0].gap
    assert near.gap < found.minimum_reliable_gap
    assert found.resamples == 200
    again = protocols(votes, rubric_scores({"a": 0.8, "b": 0.55, "c": 0.549, "d": 0.2}, tasks=60))
    assert again == found


def test_protocols_that_contradict_each_other_have_no_reliable_gap():
    votes = arena({"a": 1.0, "b": -1.0}, votes=60)
    found = protocols(votes, rubric_scores({"a": 0.2, "b": 0.8}, tasks=30), resamples=50)
    assert found.rank_agreement == pytest.approx(-1)
    assert found.gaps[0].agreement == 0
    assert found.minimum_reliable_gap is None


def test_a_wide_gap_that_is_not_reliable_spoils_the_narrow_ones():
    votes = arena({"a": -2.0, "b": 2.0, "c": 0.0}, votes=60)
    found = protocols(votes, rubric_scores({"a": 0.9, "b": 0.6, "c": 0.35}, tasks=30), resamples=50)
    assert [(gap.better, gap.worse, gap.reliable) for gap in found.gaps] == [
        ("b", "c", True),
        ("a", "b", False),
        ("a", "c", False),
    ]
    assert found.minimum_reliable_gap is None


def test_resamples_without_finite_strengths_are_left_out_and_counted():
    votes = [Vote("a", "b", 1), Vote("a", "b", 1), Vote("a", "b", 0)]
    found = protocols(votes, {"a": [1.0, 0.9], "b": [0.1, 0.2]}, resamples=100)
    assert 0 < found.resamples < 100


def test_scores_must_be_of_the_same_systems_and_tasks():
    votes = arena({"a": 0.1, "b": 0.0}, votes=10)
    for scores in (
        {"a": [1.0]},
        {"a": [1.0], "b": [1.0, 0.0]},
        {"a": [], "b": []},
        {"a": [1.0], "b": [0.0], "c": [0.0]},
    ):
        with pytest.raises(ConfigError, match="same systems"):
            protocols(votes, scores)


def test_a_gap_as_wide_as_an_unreliable_one_is_not_reliable():
    gaps = [Gap("a", "b", 0.2, 0.5), Gap("c", "d", 0.2, 1.0), Gap("e", "f", 0.4, 0.96)]
    assert _least(gaps) == 0.4
    assert _least(gaps[:2]) is None
    assert _least(gaps[1:]) == 0.2


def test_a_score_that_is_no_number_is_refused():
    votes = [Vote("a", "b", 1), Vote("a", "b", 0)]
    with pytest.raises(ConfigError, match="no number"):
        protocols(votes, {"a": [1.0, float("nan")], "b": [0.0, 0.5]})
