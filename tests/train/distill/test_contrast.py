"""Group contrast: positive only if the preferred item is judged higher, and worth training a verifier by."""

from __future__ import annotations

from random import Random
from statistics import fmean

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from coreact.train.distill.contrast import group_contrast

SCORES = st.lists(st.one_of(st.none(), st.floats(0, 1)), max_size=6)


def test_by_hand() -> None:
    found = group_contrast([0.8, 0.6], [0.5, None, 0.3])
    assert found.preferred == pytest.approx((0.4, 0.2))
    assert found.other[0] == pytest.approx(0.2)
    assert found.other[1] is None
    assert found.other[2] == pytest.approx(0.4)
    assert found.margin == pytest.approx(0.3)
    assert found.correct
    tied = group_contrast([0.5], [0.5])
    assert (tied.margin, tied.correct) == (0.0, False)


@given(SCORES, SCORES)
def test_the_mean_reward_is_positive_only_if_the_preferred_mean_is_higher(
    preferred: list[float | None], other: list[float | None]
) -> None:
    found = group_contrast(preferred, other)
    high = [score for score in preferred if score is not None]
    low = [score for score in other if score is not None]
    if not high or not low:
        assert found.margin is None
        assert found.correct is None
        assert set(found.preferred) | set(found.other) <= {None}
        return
    for rewards, scores in ((found.preferred, preferred), (found.other, other)):
        assert [one is None for one in rewards] == [one is None for one in scores]
        mean = fmean(one for one in rewards if one is not None)
        assert mean == pytest.approx(fmean(high) - fmean(low), abs=1e-9)
    assert found.correct == (found.margin is not None and found.margin > 0)
    swapped = group_contrast(other, preferred)
    assert swapped.margin == pytest.approx(-(found.margin or 0.0), abs=1e-12)


def test_a_verifier_learns_to_tell_pairs_apart_in_one_pass() -> None:
    """A logistic scorer, trained by REINFORCE on group contrast alone, on 400 pairs of a hidden taste."""
    draw = np.random.default_rng(0)
    taste = draw.normal(size=6)

    def pairs(n: int) -> tuple[np.ndarray, np.ndarray]:
        items = draw.normal(size=(n, 2, 6))
        first = (items[:, 0] @ taste > items[:, 1] @ taste)[:, None]
        return np.where(first, items[:, 0], items[:, 1]), np.where(first, items[:, 1], items[:, 0])

    def right(weights: np.ndarray) -> float:
        better, worse = held
        return float(np.mean(better @ weights > worse @ weights))

    train, held = pairs(400), pairs(1000)
    weights = 0.1 * draw.normal(size=6)
    before = right(weights)
    coin = Random(1)
    for better, worse in zip(*train, strict=True):
        sampled = []
        for item in (better, worse):
            chance = 1 / (1 + np.exp(-item @ weights))
            sampled.append((item, chance, [float(coin.random() < chance) for _ in range(4)]))
        found = group_contrast(sampled[0][2], sampled[1][2])
        baseline = found.margin or 0.0
        for (item, chance, verdicts), rewards in zip(sampled, (found.preferred, found.other), strict=True):
            for verdict, reward in zip(verdicts, rewards, strict=True):
                weights += 0.05 * ((reward or 0.0) - baseline) * (verdict - chance) * item
    assert right(weights) > max(0.85, before + 0.2)
