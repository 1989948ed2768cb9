"""Whitened weights: golden tables worked by hand, and properties."""

from __future__ import annotations

import math
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.linalg import sqrtm
from sklearn.covariance import ledoit_wolf

from coreact.errors import MissingExtraError
from coreact.generate.refinement import reweighted, training_weights, whitened
from coreact.rubric import Criterion, Rubric

A = (1, 1, 1, 1, 0, 0, 0, 0)
B = (1, 0, 1, 0, 1, 0, 1, 0)
C = (1, 1, 0, 0, 1, 1, 0, 0)
SAME = (1,) * 8


def rows(*columns: tuple[float | None, ...]) -> list[tuple[float | None, ...]]:
    return list(zip(*columns, strict=True))


def rubric(*kinds: str, **fields: object) -> Rubric:
    return Rubric(
        criteria=tuple(
            Criterion(id=f"c{at}", text=f"criterion {at}", kind=kind, weight=at + 1)  # type: ignore[arg-type]
            for at, kind in enumerate(kinds)
        )
    )


@pytest.mark.parametrize(
    ("columns", "weights"),
    [
        ((A, B), (0.5, 0.5)),  # unrelated: equal
        ((A, B, C), (1 / 3, 1 / 3, 1 / 3)),
        ((A, A, B), (0.25, 0.25, 0.5)),  # said twice: one vote together
        ((A, A, A, B), (1 / 6, 1 / 6, 1 / 6, 0.5)),
        ((A, SAME, B), (0.5, 0.0, 0.5)),  # tells nothing apart
        ((SAME, SAME), (0.5, 0.5)),  # nothing varies: uniform
        ((A, tuple(vote / 2 for vote in A), B), (None, None, None)),  # the same but for scale
    ],
)
def test_weights_by_hand(columns: tuple[tuple[float, ...], ...], weights: tuple[float | None, ...]) -> None:
    found = whitened(rows(*columns))
    if weights[0] is None:
        assert found[0] == found[1]
        assert found[0] + found[1] == pytest.approx(0.5)
    else:
        assert found == pytest.approx(weights)


def test_one_row_is_uniform_and_no_columns_are_empty() -> None:
    assert whitened([(1, 0, 1, 0)]) == (0.25,) * 4
    assert whitened([(), ()]) == ()


def test_correlated_criteria_weigh_less_than_an_unrelated_one() -> None:
    near = (1, 1, 1, 0, 0, 0, 0, 0)  # one sample apart from A
    first, second, other = whitened(rows(A, near, B))
    assert max(first, second) < other


def test_the_weights_are_those_of_the_formula() -> None:
    """w ∝ Σ^(-1/2)·1 with Ledoit and Wolf's Σ, by another way to the root."""
    votes = np.array(rows(A, (1, 1, 1, 0, 0, 0, 0, 0), B, (1, 1, 0, 0, 0, 0, 0, 0)), dtype=float)
    covariance, shrunk = ledoit_wolf(votes)
    assert 0 < shrunk < 1
    raw = np.linalg.inv(sqrtm(covariance)).sum(axis=1)
    assert whitened(votes.tolist()) == pytest.approx((raw / raw.sum()).tolist())


def test_a_missing_vote_says_nothing() -> None:
    assert whitened(rows(A, (None,) * 8, B)) == (0.5, 0.0, 0.5)
    assert whitened(rows(A, (1, *(None,) * 7), B)) == (0.5, 0.0, 0.5)


@pytest.mark.parametrize("votes", [[], [(1, 0), (1,)], [(2.0,), (0.0,)], [(math.nan,), (0.0,)]])
def test_votes_that_are_none_are_refused(votes: list[tuple[float, ...]]) -> None:
    with pytest.raises(ValueError):
        whitened(votes)


@given(
    st.integers(1, 14).flatmap(
        lambda width: st.lists(
            st.lists(st.sampled_from([0.0, 0.5, 1.0, None]), min_size=width, max_size=width),
            min_size=1,
            max_size=8,
        )
    )
)
def test_weights_are_shares_whatever_the_votes(votes: list[list[float | None]]) -> None:
    weights = whitened(votes)
    assert math.fsum(weights) == pytest.approx(1)
    assert all(0 <= weight <= 1 for weight in weights)
    varying = [len({vote for vote in column if vote is not None}) > 1 for column in zip(*votes, strict=True)]
    if len(votes) > 1 and any(varying):
        assert [weight > 0 for weight in weights] == varying


@given(st.permutations(range(5)))
def test_the_order_of_criteria_does_not_matter(order: list[int]) -> None:
    columns = (A, B, C, A, (1, 1, 1, 0, 0, 0, 0, 1))
    straight = whitened(rows(*columns))
    turned = whitened(rows(*(columns[at] for at in order)))
    assert turned == pytest.approx([straight[at] for at in order])


def test_evaluation_weights_are_untouched() -> None:
    graded = rubric("hard", "principle", "principle")
    lock = graded.lock
    weights = training_weights(graded, rows(A, SAME, B))
    assert weights == {"c0": pytest.approx(0.5), "c1": 0.0, "c2": pytest.approx(0.5)}
    made = reweighted(graded, weights)
    assert [criterion.id for criterion in made.rubric] == ["c0", "c2"]
    assert [(remark.deed, remark.problem) for remark in made.remarks] == [("muted", "undiscriminating")]
    assert graded.lock == lock
    assert [criterion.weight for criterion in graded] == [1, 2, 3]


def test_kinds_keep_their_shares() -> None:
    graded = rubric("hard", "hard", "principle", "principle", "safety")  # weights 1 2 3 4 5 of 15
    weights = training_weights(graded, rows(A, SAME, B, A, SAME), keep_kinds=True)
    assert math.fsum(weights.values()) == pytest.approx(1)
    assert weights["c0"] + weights["c1"] == pytest.approx(3 / 15)
    assert weights["c2"] + weights["c3"] == pytest.approx(7 / 15)
    assert weights["c4"] == pytest.approx(5 / 15)  # nothing of its kind varies
    assert weights["c1"] == 0


def test_a_veto_stays_whatever_its_weight() -> None:
    veto = Criterion(id="v", text="never", veto=True)
    soft = Criterion(id="s", text="better", depends_on=("x",))
    other = Criterion(id="x", text="other")
    graded = Rubric(criteria=(veto, other, soft, Criterion(id="y", text="else")))
    made = reweighted(graded, {"v": 0.0, "x": 0.0, "s": 0.4, "y": 0.6})
    assert [criterion.id for criterion in made.rubric] == ["v", "y"]
    assert made.rubric.criteria[0].weight == pytest.approx(0.004)
    assert len(made.remarks) == 2


def test_weights_that_fit_no_rubric_are_refused() -> None:
    graded = rubric("hard", "hard")
    with pytest.raises(ValueError, match="one a criterion"):
        training_weights(graded, [(1,), (0,)])
    with pytest.raises(ValueError, match="no weight for"):
        reweighted(graded, {"c0": 1.0})
    with pytest.raises(ValueError, match="weight 0"):
        reweighted(graded, {"c0": 0.0, "c1": 0.0})


def test_without_the_extra_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sklearn.covariance", None)
    with pytest.raises(MissingExtraError):
        whitened(rows(A, B))
