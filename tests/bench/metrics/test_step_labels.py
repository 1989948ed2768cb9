from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coreact.bench.metrics import FirstError, Share, first_error, first_error_accuracy, step_f1

R, W, U = True, False, None


@pytest.mark.parametrize(
    ("steps", "expected"),
    [
        ([R, R, W, W], FirstError(known=True, at=2)),
        ([R, R], FirstError(known=True, at=None)),
        ([R, U, W], FirstError(known=False, at=None)),
        ([R, W, U], FirstError(known=True, at=1)),
        ([R, U], FirstError(known=False, at=None)),
    ],
)
def test_first_error(steps, expected):
    assert first_error(steps) == expected


def test_accuracy_of_the_first_error_by_hand():
    found = first_error_accuracy(
        [
            ([R, W, U], [R, W, R]),  # hit
            ([R, W, U], [W, W, R]),  # too early
            ([R, R], [R, R]),  # rightly none
            ([R, R], [R, W]),  # false alarm
            ([R, R], [R, R]),
            ([R, W], [U, W]),  # the judge could not tell
            ([U, W], [R, W]),  # the labels do not say: not counted
        ]
    )
    assert found.on_wrong == Share(0.5, 2, 3)
    assert found.on_right == Share(pytest.approx(2 / 3), 3, 3)
    assert found.overall == Share(pytest.approx(3 / 5), 5, 6)
    assert found.f1 == pytest.approx(2 * 0.5 * (2 / 3) / (0.5 + 2 / 3))
    assert first_error_accuracy([]).f1 is None
    assert first_error_accuracy([([W], [R]), ([R], [W])]).f1 == 0


def test_step_f1_by_hand():
    found = step_f1([([R, W, W, U], [W, W, R, W]), ([W], [U])])
    # steps judged: R/W, W/W, W/R: called wrong 2, wrong 2, hits 1
    assert found == (0.5, 0.5, 0.5, 3, 4)
    assert step_f1([([R], [R])]) == (None, None, None, 1, 1)


def test_unequal_lengths_are_refused():
    with pytest.raises(ValueError, match="2 labels and 1 verdicts"):
        step_f1([([R, R], [R])])
    with pytest.raises(ValueError, match="labels"):
        first_error_accuracy([([R], [])])


@given(st.lists(st.lists(st.booleans(), min_size=1, max_size=6), max_size=6))
def test_perfect_verdicts_are_perfect(trajectories):
    both = [(labels, labels) for labels in trajectories]
    assert first_error_accuracy(both).overall.value in (1, None)
    assert step_f1(both).f1 in (1, None)
