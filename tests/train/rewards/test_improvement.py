"""Getting better is paid, having been good before is not, and a toy policy learns to correct itself by it."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from coreact.train.rewards.advantages import group_advantages, sequence_ratio
from coreact.train.rewards.improvement import Correction, corrected, improvement_gap, transitions

SCORE = st.floats(0, 1)


@given(SCORE, SCORE)
def test_the_gap_is_zero_for_nothing_and_negative_for_damage(before: float, after: float) -> None:
    assert improvement_gap(before, before) == 0
    gap = improvement_gap(after, before).item()
    assert (gap > 0) == (after > before)
    assert (gap < 0) == (after < before)
    assert -1 <= gap <= 1


def test_the_gap_of_an_unknown_is_unknown() -> None:
    np.testing.assert_equal(improvement_gap([0.5, None], [None, 0.5]), [math.nan, math.nan])
    with pytest.raises(ValueError, match="compared"):
        improvement_gap([0.5], [0.5, 0.6])


@pytest.mark.parametrize("bonus", [0.01, 0.5, 1.0, 10.0])
def test_the_order_of_two_attempts(bonus: float) -> None:
    first, second = [0, 1, 0, 1], [1, 1, 0, 0]
    rewards = corrected(first, second, Correction(bonus=bonus)).tolist()
    wrong_right, right_right, wrong_wrong, right_wrong = rewards
    assert wrong_right > right_right > wrong_wrong > right_wrong
    assert rewards == pytest.approx([1 + bonus, 1, 0, -bonus])


def test_without_a_bonus_there_is_no_such_order() -> None:
    with pytest.raises(ValidationError):
        Correction(bonus=0)


def test_a_first_attempt_that_drifts_costs() -> None:
    drift = np.log(sequence_ratio([[-0.1, -0.1], [-1.0, -1.0]], [[-1.1, -1.1], [-1.0, -1.0]]))
    np.testing.assert_allclose(drift, [1.0, 0.0])
    settings = Correction(bonus=1.0, hold=0.25)
    np.testing.assert_allclose(corrected([0, 0], [1, 1], settings, drift=drift), [1.75, 2.0])
    np.testing.assert_equal(corrected([None, 0], [1, None], settings), [math.nan, math.nan])


def test_transitions_are_shares_of_what_was_judged() -> None:
    found = transitions([0, 0, 1, 1, 0, None], [1, 0, 1, 0, 1, 1])
    assert found == (0.4, 0.2, 0.2, 0.2, 5)
    with pytest.raises(ValueError, match="judged"):
        transitions([None], [1])


def _train(reward, seed: int, *, first_learns: bool = False) -> np.ndarray:
    """A policy of two attempts on a task with one right of two answers, trained by group advantages.

    Its parameters: the logit of being right at first, and those of changing one's answer after a right and
    after a wrong one. Returns the three chances.
    """
    draw = np.random.default_rng(seed)
    logits = np.zeros(3)
    for _ in range(300):
        chances = 1 / (1 + np.exp(-logits))
        right = draw.random(16) < chances[0]
        which = np.where(right, 1, 2)
        change = draw.random(16) < chances[which]
        second = right ^ change
        taken = np.where(right, chances[0], 1 - chances[0])
        drift = np.log(taken / 0.5)
        advantages = group_advantages(reward(right.astype(float), second.astype(float), drift))
        logits[0] += 0.3 * first_learns * (advantages * (right - chances[0])).mean()
        for place in (1, 2):
            ours = which == place
            logits[place] += 0.3 * (advantages * ours * (change - chances[place])).mean()
    return 1 / (1 + np.exp(-logits))


@pytest.mark.parametrize("seed", range(3))
def test_a_toy_policy_learns_to_fix_and_not_to_spoil(seed: int) -> None:
    _, spoils, fixes = _train(lambda r1, r2, _: corrected(r1, r2), seed)
    assert fixes > 0.9
    assert spoils < 0.1


@pytest.mark.parametrize("seed", range(3))
def test_it_games_the_bonus_by_failing_first_unless_the_first_attempt_is_held(seed: int) -> None:
    gamed, _, fixes = _train(lambda r1, r2, _: corrected(r1, r2), seed, first_learns=True)
    assert gamed < 0.1
    assert fixes > 0.9
    held = Correction(hold=2.0)
    kept, _, fixes = _train(
        lambda r1, r2, drift: corrected(r1, r2, held, drift=drift), seed, first_learns=True
    )
    assert 0.25 < kept < 0.75  # 0.5 at the start
    assert fixes > 0.9


@pytest.mark.parametrize("seed", range(3))
def test_paid_by_the_gap_a_toy_editor_raises_the_mean_gap(seed: int) -> None:
    _, spoils, fixes = _train(lambda r1, r2, _: improvement_gap(r2, r1), seed)
    assert fixes - spoils > 0.8  # 0 before
