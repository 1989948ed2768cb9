"""Advantages are what the formulas say, exactly 0 where there is nothing to learn, and equal to TRL's."""

from __future__ import annotations

import math
from statistics import fmean, stdev

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from coreact.errors import ConfigError
from coreact.train.rewards.advantages import (
    clipped_objective,
    group_advantages,
    sequence_ratio,
    soft_minimum_advantages,
    soft_minimum_rows,
    standardised,
    whitened_batch,
)

REWARDS = st.lists(st.floats(0, 1), min_size=2, max_size=12)


@given(REWARDS)
def test_group_advantages_are_the_formula(rewards: list[float]) -> None:
    found = group_advantages(rewards)
    spread = stdev(rewards)
    if spread <= 1e-12 * max(rewards):
        assert not found.any()
        return
    expected = [(reward - fmean(rewards)) / (spread + 1e-4) for reward in rewards]
    np.testing.assert_allclose(found, expected, atol=1e-9)
    np.testing.assert_allclose(
        group_advantages(rewards, scale="none"), [reward - fmean(rewards) for reward in rewards], atol=1e-12
    )


@pytest.mark.parametrize("value", [0.0, 0.1, 1 / 3, 0.7, 1.0, -2.3])
@pytest.mark.parametrize("scale", ["group", "none"])
def test_equal_rewards_give_exactly_zero(value: float, scale: str) -> None:
    # 0.1 summed eight times is not 0.8: rounding must not become an advantage of 1.
    assert not group_advantages([[value] * 8] * 3, scale=scale, epsilon=0.0).any()  # type: ignore[arg-type]


@given(REWARDS, st.integers(0, 3))
def test_masked_members_are_left_out(rewards: list[float], gaps: int) -> None:
    mixed: list[float | None] = [None] * gaps + list(rewards) + [math.nan] * gaps
    found = group_advantages(mixed)
    np.testing.assert_array_equal(found[:gaps], 0)
    np.testing.assert_array_equal(found[gaps + len(rewards) :], 0)
    np.testing.assert_allclose(found[gaps : gaps + len(rewards)], group_advantages(rewards), atol=1e-12)


def test_a_masked_member_is_no_zero() -> None:
    assert group_advantages([1.0, 1.0, None]).tolist() == [0, 0, 0]
    assert group_advantages([1.0, None, None]).tolist() == [0, 0, 0]
    assert group_advantages([None, None]).tolist() == [0, 0]


@given(st.lists(st.lists(st.floats(0, 1), min_size=4, max_size=4), min_size=1, max_size=5), st.randoms())
def test_groups_do_not_touch_each_other_and_places_do_not_matter(rows: list[list[float]], draw) -> None:
    together = group_advantages(rows)
    for row, found in zip(rows, together, strict=True):
        np.testing.assert_allclose(group_advantages(row), found, atol=1e-12)
        order = draw.sample(range(4), 4)
        np.testing.assert_allclose(group_advantages([row[at] for at in order]), found[order], atol=1e-9)


def test_trl_computes_the_same() -> None:
    torch = pytest.importorskip("torch", reason="needs the extra `train`")
    utils = pytest.importorskip("trl.trainer.utils", reason="needs the extra `train`")
    rewards = torch.tensor([[0.2, 0.9, float("nan"), 0.4], [0.5, 0.1, 0.3, 0.8]], dtype=torch.float64)
    theirs = (rewards - torch.nanmean(rewards, dim=1, keepdim=True)) / (
        utils.nanstd(rewards, dim=1, keepdim=True) + 1e-4
    )
    np.testing.assert_allclose(group_advantages(rewards.tolist()), theirs.nan_to_num(0.0).numpy(), atol=1e-12)


def test_mistakes_are_told() -> None:
    with pytest.raises(ConfigError, match="batch"):
        group_advantages([1, 2], scale="batch")  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="-1"):
        group_advantages([1, 2], epsilon=-1)
    with pytest.raises(ValueError, match="infinite"):
        group_advantages([1, math.inf])
    with pytest.raises(ValueError, match="equal length"):
        group_advantages([[1, 2], [1]])
    with pytest.raises(ConfigError, match="cap"):
        standardised([[1.0], [2.0]], cap=0)


# --- GSPO ------------------------------------------------------------------------------------------


def test_the_sequence_ratio_is_the_geometric_mean_of_token_ratios() -> None:
    old, new = [-1.0, -2.0, -0.5], [-0.5, -2.5, -0.25]
    ratios = [math.exp(b - a) for a, b in zip(old, new, strict=True)]
    assert sequence_ratio(new, old) == pytest.approx(math.prod(ratios) ** (1 / 3))


@given(st.lists(st.floats(-5, 0), min_size=1, max_size=6), st.floats(-1, 0), st.integers(1, 5))
def test_the_sequence_ratio_does_not_grow_with_length(old: list[float], shift: float, times: int) -> None:
    new = [one + shift for one in old]
    assert sequence_ratio(new * times, old * times) == pytest.approx(math.exp(shift))


def test_only_own_tokens_count() -> None:
    new, old, mask = [[-1.0, -9.0], [0.0, 0.0]], [[-2.0, -1.0], [-7.0, -7.0]], [[1, 0], [0, 0]]
    np.testing.assert_allclose(sequence_ratio(new, old, mask), [math.e, 1.0])
    with pytest.raises(ValueError, match="no log-probability"):
        sequence_ratio([None], [-1.0])
    with pytest.raises(ValueError, match="shapes"):
        sequence_ratio([-1.0, -1.0], [-1.0])


def test_the_clipped_objective_is_a_truth_table() -> None:
    ratio, advantage = [0.5, 0.5, 1.5, 1.5, 1.0], [1.0, -1.0, 1.0, -1.0, 2.0]
    assert clipped_objective(ratio, advantage).tolist() == [0.5, -0.8, 1.2, -1.5, 2.0]
    assert clipped_objective(1.5, 1.0, high=0.28).item() == 1.28


# --- RVPO ------------------------------------------------------------------------------------------

Z = [[0.5, -1.0, 2.0], [0.0, 0.0, 0.0]]


def test_the_soft_minimum_runs_from_the_mean_to_the_minimum() -> None:
    np.testing.assert_allclose(soft_minimum_rows(Z, k=0), [0.5, 0.0])
    np.testing.assert_allclose(soft_minimum_rows(Z, k=math.inf), [-1.0, 0.0])
    np.testing.assert_allclose(soft_minimum_rows(Z, k=1e-9), [0.5, 0.0], atol=1e-6)
    by_hand = -0.5 * math.log(fmean(math.exp(-2 * z) for z in Z[0]))
    np.testing.assert_allclose(soft_minimum_rows(Z, k=2.0)[0], by_hand)


def test_the_soft_minimum_is_about_mean_minus_half_k_variance() -> None:
    values, k = np.array([0.1, -0.1, 0.05, -0.02]), 0.5
    near = values.mean() - k / 2 * values.var()
    assert soft_minimum_rows(values, k=k) == pytest.approx(near, abs=1e-4)


def test_z_scores_leave_out_what_does_not_vary_and_cap_what_stands_out() -> None:
    scores = [[[1.0, 0.3, None]], [[1.0, 0.3, 0.5]]]
    group = [[1.0, 0.3, 0.9]] * 7 + [[0.0, 0.3, None]]
    found = standardised([group], cap=2.0)[0]
    assert np.isnan(found[:, 1:]).all()  # constant, or constant as far as it is known
    assert found[7, 0] == -2.0  # -2.47 without a cap
    assert found[0, 0] == pytest.approx(0.353553, abs=1e-5)
    assert np.isnan(standardised(scores)).all()  # groups of one


def test_one_bad_criterion_is_not_averaged_away() -> None:
    # Two rollouts of equal mean: one is even, the other has one criterion at the bottom.
    scores = [[[0.5, 0.5, 0.5], [1.0, 0.5, 0.0], [0.9, 0.9, 0.9], [0.2, 0.2, 0.2]]]
    mean = soft_minimum_advantages(scores, k=0.0)[0]
    soft = soft_minimum_advantages(scores, k=2.0)[0]
    assert soft[0] - soft[1] > mean[0] - mean[1] + 0.1
    assert soft[2] == soft.max()


def test_soft_minimum_advantages_are_whitened_over_rollouts_with_a_signal() -> None:
    scores = [
        [[1, 0], [1, 1], [0, 1], [0, 0]],
        [[1, 1], [1, 1], [1, 1], [1, 1]],  # nothing varies
        [[1, None], [0, None], [None, None], [1, 0.5]],
    ]
    found = soft_minimum_advantages(scores, k=1.0)
    assert found[1].tolist() == [0, 0, 0, 0]
    assert found[2, 2] == 0
    signal = np.concatenate([found[0], found[2, [0, 1, 3]]])
    assert signal.mean() == pytest.approx(0, abs=1e-12)
    assert signal.std(ddof=1) == pytest.approx(1)
    assert not soft_minimum_advantages([[[1, 1], [1, 1]]], k=1.0).any()


def test_whitening_keeps_gaps() -> None:
    found = whitened_batch([[1.0, 2.0], [math.nan, 3.0]])
    np.testing.assert_allclose(found, [[-1, 0], [math.nan, 1]])
    np.testing.assert_allclose(whitened_batch([0.1, 0.1, math.nan]), [0, 0, math.nan])
