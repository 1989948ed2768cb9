from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coreact.bench.metrics import Rating, relative

WEIGHTS = {
    "insight": {"Depth of analysis": 0.6, "Original view": 0.4},
    "readability": {"Clear structure": 1.0},
}
DIMENSIONS = {"insight": 0.75, "readability": 0.25}


def rated(depth, view, clear):
    return {
        "insight": [Rating("Depth of analysis", *depth), Rating("Original view", *view)],
        "readability": [Rating("Clear structure", *clear)],
    }


def test_by_hand():
    found = relative(rated((8, 6), (5, 10), (9, 9)), WEIGHTS, DIMENSIONS)
    # insight: target .6*8+.4*5 = 6.8, reference .6*6+.4*10 = 7.6; total .75*6.8+.25*9 = 7.35 and 7.95
    assert found.target == pytest.approx(7.35)
    assert found.reference == pytest.approx(7.95)
    assert found.value == pytest.approx(7.35 / 15.3)
    assert found.dimensions == {"insight": pytest.approx(6.8 / 14.4), "readability": 0.5}
    assert (found.judged, found.total, found.unmatched) == (3, 3, 0)


def test_a_reworded_criterion_is_recognised_and_an_invented_one_takes_the_mean_weight():
    ratings = {
        "insight": [Rating("depth of  Analysis", 8, 6), Rating("Originl view", 4, 4), Rating("Humour", 10, 0)]
    }
    found = relative(ratings, WEIGHTS, DIMENSIONS)
    # weights .6, .4 and the mean .5, over 1.5
    assert found.target == pytest.approx((0.6 * 8 + 0.4 * 4 + 0.5 * 10) / 1.5)
    assert found.reference == pytest.approx((0.6 * 6 + 0.4 * 4) / 1.5)
    assert (found.judged, found.total, found.unmatched) == (2, 3, 1)
    assert found.dimensions["readability"] is None


def test_two_ratings_do_not_share_a_criterion():
    ratings = {"readability": [Rating("Clear structure", 4, 4), Rating("Clear structure", 8, 8)]}
    found = relative(ratings, WEIGHTS, DIMENSIONS)
    assert (found.judged, found.unmatched) == (1, 1)
    near = {"readability": [Rating("Clear structur", 4, 4), Rating("Clear structures", 8, 8)]}
    assert relative(near, WEIGHTS, DIMENSIONS)[4:] == (1, 3, 1)


def test_what_was_not_rated_in_both_is_left_out():
    found = relative(rated((8, None), (5, 10), (None, 9)), WEIGHTS, DIMENSIONS)
    assert (found.judged, found.total) == (1, 3)
    assert found.value == pytest.approx(5 / 15)
    nothing = relative(rated((None, 1), (1, None), (None, None)), WEIGHTS, DIMENSIONS)
    assert (nothing.value, nothing.judged) == (None, 0)
    assert relative(rated((0, 0), (0, 0), (0, 0)), WEIGHTS, DIMENSIONS).value is None


def test_bad_input():
    with pytest.raises(ValueError, match="below 0"):
        relative(rated((-1, 1), (1, 1), (1, 1)), WEIGHTS, DIMENSIONS)
    with pytest.raises(ValueError, match="dimension"):
        relative({"style": []}, WEIGHTS, DIMENSIONS)


scores = st.tuples(st.floats(0, 10), st.floats(0, 10))


@given(scores, scores, scores)
def test_target_and_reference_swapped_add_up_to_one(depth, view, clear):
    one = relative(rated(depth, view, clear), WEIGHTS, DIMENSIONS)
    other = relative(rated(depth[::-1], view[::-1], clear[::-1]), WEIGHTS, DIMENSIONS)
    if one.value is not None and other.value is not None:
        assert one.value + other.value == pytest.approx(1)
    assert relative(rated((3, 3), (3, 3), (3, 3)), WEIGHTS, DIMENSIONS).value == 0.5
