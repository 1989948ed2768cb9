from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coreact.bench.metrics import (
    all_gold,
    contains,
    exact,
    f1,
    found_precision,
    gold_share,
    holds,
    share,
    yes_no,
)


@pytest.mark.parametrize(
    ("answer", "accepted", "is_exact", "is_in", "overlap"),
    [
        ("Paris", ["Paris"], 1, 1, 1.0),
        ("the PARIS.", ["Paris"], 1, 1, 1.0),
        ("It is Paris", ["Paris"], 0, 1, 0.5),  # precision 1/3, recall 1
        ("Parisian", ["Paris"], 0, 0, 0.0),
        ("Lyon", ["Paris", "Lyon"], 1, 1, 1.0),
        ("São Tomé", ["Sao Tome"], 1, 1, 1.0),
        ("3.5", ["35"], 0, 0, 0.0),
        ("New York City", ["York New City"], 0, 0, 1.0),
        ("a a b", ["a b b"], 0, 0, 2 * 1 / (1 + 2)),  # the article "a" goes: {b: 1} against {b: 2}
        ("dog dog cat", ["dog cat cat"], 0, 0, 2 * 2 / 6),  # words count as often as they occur
        ("", ["Paris"], 0, 0, 0.0),
    ],
)
def test_golden_answers(answer, accepted, is_exact, is_in, overlap):
    assert exact(answer, accepted) == is_exact
    assert contains(answer, accepted) == is_in
    assert f1(answer, accepted) == pytest.approx(overlap)


@given(st.text(max_size=40), st.text(min_size=1, max_size=40))
def test_order_of_strength(answer, accepted):
    found = f1(answer, [accepted])
    assert 0 <= found <= 1
    assert f1(accepted, [accepted]) == 1
    assert f1(answer, [accepted]) == pytest.approx(f1(accepted, [answer]))
    if exact(answer, [accepted]):
        assert found == 1
        assert contains(answer, [accepted]) == 1


@pytest.mark.parametrize(
    ("answer", "accepted", "expected"),
    [
        ("Yes, because it does.", ["yes"], 1),
        ("True.", ["yes"], 1),
        ("no", ["yes"], 0),
        ("Nobody knows", ["no"], 0),
        ("", ["no"], 0),
        ("Paris", ["Paris"], None),  # a question of another kind
        ("yes", [], None),
    ],
)
def test_yes_and_no(answer, accepted, expected):
    assert yes_no(answer, accepted) == expected


def test_parts_of_an_answer():
    assert holds("Ann: left; Bo: right", ["Ann", "left", "Cy", "right"]) == 0.75
    assert holds("anything", []) is None


def test_gold_passages():
    assert gold_share(["a", "b", "b"], ["b", "c"]) == 0.5
    assert all_gold(["a", "b", "c"], ["b", "c"]) == 1
    assert all_gold(["b"], ["b", "c"]) == 0
    assert found_precision(["a", "b", "b", "d"], ["b", "c"]) == pytest.approx(1 / 3)
    assert gold_share(["a"], []) is None
    assert found_precision([], ["a"]) is None


def test_a_share_leaves_out_what_is_unknown_and_counts_it():
    found = share([1.0, None, 0.0, 1.0])
    assert (found.value, found.judged, found.total, found.unknown) == (pytest.approx(2 / 3), 3, 4, 1)
    assert str(found) == "0.667 (3 of 4)"
    assert share([None]).value is None
    assert str(share([])) == "unknown (0 of 0)"
