"""Training weights move; evaluation weights and the totals of each kind do not."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coreact.errors import ConfigError
from coreact.generate.refinement.weights import reweighted, whitened
from coreact.judge import Verdict
from coreact.judge.scoring import weighted_mean
from coreact.rubric import Criterion, Rubric
from coreact.train.rewards.weighting import (
    Emphasis,
    PolicyAware,
    Progress,
    progress_weights,
    task_weights,
    whitened_weights,
)

RUBRIC = Rubric(
    criteria=(
        Criterion(id="a", text="It names a place.", weight=2, kind="fact"),
        Criterion(id="b", text="It names a year.", weight=1, kind="fact"),
        Criterion(id="c", text="It is short.", weight=1, kind="style"),
        Criterion(id="d", text="It is polite.", weight=1, kind="style"),
    )
)
SHARP = PolicyAware(blend=1.0, momentum=0.0, low=0.0)
# a splits the group, b never varies; c splits it, d is met by one of four
VOTES = [[[1, 1, 1, 0], [1, 1, 0, 0], [0, 1, 1, 0], [0, 1, 0, 1]]]


def totals(weights) -> dict[str, float]:
    kinds: dict[str, float] = {}
    for criterion in RUBRIC:
        kinds[criterion.kind] = kinds.get(criterion.kind, 0.0) + weights[criterion.id]
    return kinds


def test_two_correlated_criteria_have_one_vote_together() -> None:
    votes = [[1, 1, 0], [1, 1, 1], [0, 0, 0], [0, 0, 1]]
    weights = whitened(votes)
    assert weights[0] + weights[1] == pytest.approx(weights[2])
    assert sum(weights) == pytest.approx(1)


def test_without_variance_there_is_no_training_weight_and_the_same_evaluation() -> None:
    verdicts = [
        Verdict(criterion=c.id, status="met" if c.id == "a" else "unmet", reason="said", decided_by="someone")
        for c in RUBRIC
    ]
    before = weighted_mean(RUBRIC, verdicts).value
    for weights in (
        whitened_weights(RUBRIC, VOTES[0]),
        Emphasis().after(RUBRIC, VOTES, SHARP).weights(RUBRIC),
    ):
        assert weights["b"] == pytest.approx(0, abs=1e-12)
        assert sum(weights.values()) == pytest.approx(1)
        assert totals(weights) == pytest.approx({"fact": 0.6, "style": 0.4})
        trained = reweighted(RUBRIC, weights).rubric
        assert [criterion.id for criterion in trained] == ["a", "c", "d"]
    assert weighted_mean(RUBRIC, verdicts).value == before == pytest.approx(0.4)
    assert RUBRIC.criterion("b").weight == 1


def test_the_factors_by_hand() -> None:
    found = Emphasis().after(RUBRIC, VOTES)
    # variances 1/4, 0 | 1/4, 3/16; ratios 2, 0 | 8/7, 6/7; blended half and half with 1; a tenth of the way
    assert found.factors == pytest.approx({"a": 1.05, "b": 0.95, "c": 1 + 1 / 140, "d": 1 - 1 / 140})
    weights = found.weights(RUBRIC)
    whole = 2 * 1.05 + 0.95
    assert weights["a"] == pytest.approx(0.6 * 2 * 1.05 / whole)
    assert Emphasis().weights(RUBRIC) == pytest.approx({"a": 0.4, "b": 0.2, "c": 0.2, "d": 0.2})


def test_factors_stay_within_their_clip() -> None:
    emphasis = Emphasis()
    for _ in range(200):
        emphasis = emphasis.after(RUBRIC, VOTES, PolicyAware(blend=1.0, momentum=0.9, low=0.25, high=1.5))
    assert emphasis.factors["b"] == 0.25
    assert emphasis.factors["a"] == 1.5
    assert Emphasis.model_validate_json(emphasis.model_dump_json()) == emphasis


votes = st.lists(
    st.lists(
        st.lists(st.sampled_from([0.0, 0.5, 1.0, None]), min_size=4, max_size=4), min_size=3, max_size=3
    ),
    min_size=1,
    max_size=3,
)


@given(votes, st.floats(0, 1), st.floats(0, 0.95))
@settings(deadline=None)
def test_whatever_the_votes_kinds_keep_their_totals(given_votes, blend: float, momentum: float) -> None:
    moved = PolicyAware(blend=blend, momentum=momentum, low=0.0)
    weights = Emphasis().after(RUBRIC, given_votes, moved).after(RUBRIC, given_votes, moved).weights(RUBRIC)
    assert totals(weights) == pytest.approx({"fact": 0.6, "style": 0.4})
    assert min(weights.values()) >= 0
    assert sum(weights.values()) == pytest.approx(1)


def test_unknown_verdicts_say_nothing() -> None:
    nothing = [[[None, 1, 1, 0], [1, None, 0, 0], [None, None, None, None]]]
    found = Emphasis(factors={"a": 2.0}).after(RUBRIC, nothing, SHARP)
    assert found.factors["a"] == 2.0  # judged once in its group
    with pytest.raises(ValueError, match="3 votes"):
        Emphasis().after(RUBRIC, [[[1, 1, 1]]])
    with pytest.raises(ValueError, match="outside"):
        Emphasis().after(RUBRIC, [[[1, 1, 1, 2]]])


def test_noise_is_not_taken_for_contrast() -> None:
    trusted = Emphasis().after(RUBRIC, VOTES, SHARP)
    doubted = Emphasis().after(
        RUBRIC, VOTES, SHARP.model_copy(update={"reliable": 0.6}), reliability={"a": 0.5, "c": 0.9}
    )
    assert trusted.factors["a"] == 2.0
    assert doubted.factors["a"] == 1.0
    assert doubted.factors["c"] == trusted.factors["c"]


# --- progress --------------------------------------------------------------------------------------


def test_what_is_saturated_loses_weight_and_what_is_learnable_gains() -> None:
    rising = [0.2, 0.3, 0.38, 0.5, 0.6]
    levels = [[1.0, 0.4, at] for at in rising]
    saturated, stalled, learning = progress_weights(levels)
    assert saturated < 1 / 3
    assert saturated == pytest.approx(0.2 / 3)  # the floor and nothing else
    assert saturated < stalled < learning
    two = progress_weights([[1.0, 0.4]] * 5)
    assert two[1] > 0.5 > two[0]


@given(st.lists(st.lists(st.floats(0, 1) | st.none(), min_size=3, max_size=3), min_size=1, max_size=12))
def test_progress_weights_add_up_and_keep_their_floor(levels) -> None:
    weights = progress_weights(levels, Progress(floor=0.3))
    assert weights.sum() == pytest.approx(1)
    assert (weights >= 0.1 - 1e-12).all()


def test_there_is_nothing_to_follow_at_first_and_nothing_left_at_last() -> None:
    np.testing.assert_allclose(progress_weights([[0.1, 0.9]]), [0.5, 0.5])
    np.testing.assert_allclose(progress_weights([[1.0, 1.0]] * 3), [0.5, 0.5])
    np.testing.assert_allclose(progress_weights([[0.2, 0.9], [0.3, 0.1]], Progress(floor=1)), [0.5, 0.5])
    old = [[0.0, 0.0], [0.9, 0.0]] + [[0.9, 0.1 * at] for at in range(4)]
    recent = progress_weights(old, Progress(window=4))
    assert recent[1] > recent[0]
    np.testing.assert_allclose(recent, progress_weights(old[-4:], Progress(window=4)))


def test_tasks_without_dispersion_are_sampled_less() -> None:
    dispersion = [[0.0, 0.0], [0.3, 0.0], [0.3, 0.3], [None, 0.1]]
    chances = task_weights(dispersion, [0.8, 0.2])
    assert chances.sum() == pytest.approx(1)
    assert chances.argmin() == 0
    assert chances.argmax() == 2
    assert chances[0] == pytest.approx(0.05)
    np.testing.assert_allclose(task_weights([[0.0], [0.0]], [1.0]), [0.5, 0.5])
    with pytest.raises(ValueError, match="at least 0"):
        task_weights([[0.1]], [-1.0])


def test_unknown_settings_are_told() -> None:
    with pytest.raises(ConfigError, match="Did you mean 'momentum'"):
        PolicyAware.of(momentun=0.5)
