"""Tests and intervals over clusters: golden values, exact repetition, and error rates as promised."""

from __future__ import annotations

from itertools import product
from math import isclose

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coreact.bench.statistics import (
    EXACT,
    Sample,
    cluster_interval,
    holm,
    interval,
    sign_flip_p,
    sign_p,
)

VALUES = st.lists(st.floats(-5, 5, allow_nan=False), min_size=1, max_size=8)


def alone(values: list[float]) -> Sample:
    return Sample(values, [str(at) for at in range(len(values))])


@given(VALUES)
def test_the_exact_test_counts_every_assignment_of_signs(values: list[float]) -> None:
    margin = 1e-9 * sum(map(abs, values))
    observed = abs(sum(values)) - margin
    signs = list(product((1, -1), repeat=len(values)))
    extreme = sum(abs(sum(s * v for s, v in zip(flip, values, strict=True))) >= observed for flip in signs)
    assert isclose(sign_flip_p(alone(values)), extreme / len(signs))


def test_p_by_hand() -> None:
    assert sign_flip_p(alone([1, 1, 1, 1])) == 2 / 16
    assert sign_flip_p(alone([1, -1])) == 1
    assert sign_flip_p(alone([0, 0, 0])) == 1
    # Four questions in two clusters are two independent things, not four.
    assert sign_flip_p(Sample([1, 1, 1, 1], ["a", "a", "b", "b"])) == 2 / 4


def test_many_clusters_are_drawn_and_repeat_under_their_seed() -> None:
    rng = np.random.default_rng(1)
    values = list(rng.normal(0.3, 1, EXACT + 20))
    p = sign_flip_p(alone(values), seed=3)
    assert p == sign_flip_p(alone(values), seed=3)
    assert 0 < p < 1
    assert abs(p - sign_flip_p(alone(values), seed=4)) < 0.02
    assert sign_flip_p(alone([1.0] * 40)) == 1 / 10_000  # never 0


def test_a_null_effect_is_found_as_rarely_as_promised() -> None:
    rng = np.random.default_rng(0)
    found = sum(sign_flip_p(alone(list(rng.normal(0, 1, 10)))) <= 0.05 for _ in range(2000))
    assert 0.035 < found / 2000 < 0.065


def test_clustered_data_do_not_inflate_the_error() -> None:
    """Ten clusters of five equal values each: taken as fifty questions the test would err far too often."""
    rng = np.random.default_rng(0)
    honest = naive = 0
    for _ in range(400):
        values = [float(value) for value in rng.normal(0, 1, 8) for _ in range(5)]
        honest += sign_flip_p(Sample(values, [str(at // 5) for at in range(40)])) <= 0.05
        naive += abs(np.mean(values)) > 1.96 * np.std(values, ddof=1) / np.sqrt(40)
    assert honest / 400 < 0.08
    assert naive / 400 > 0.3


def test_the_cluster_interval_covers_as_often_as_promised() -> None:
    rng = np.random.default_rng(0)
    covered = 0
    for _ in range(200):
        centres = rng.normal(0, 1, 30)
        values = [float(rng.normal(centre, 0.3)) for centre in centres for _ in range(3)]
        found = cluster_interval(Sample(values, [str(at // 3) for at in range(90)]))
        covered += found.low <= 0 <= found.high
    assert 0.88 < covered / 200 < 0.985


def test_an_interval_of_single_questions_is_the_plain_one() -> None:
    values = list(np.random.default_rng(2).normal(0, 1, 60))
    clustered, plain = cluster_interval(alone(values)), interval(values)
    assert isclose(clustered.mean, plain.mean)
    assert abs(clustered.low - plain.low) < 0.02
    assert abs(clustered.high - plain.high) < 0.02
    assert cluster_interval(alone(values), seed=1) == cluster_interval(alone(values), seed=1)


def test_the_mean_is_over_questions_whatever_their_clusters() -> None:
    assert cluster_interval(Sample([1, 1, 1, 0], ["a", "a", "a", "b"])).mean == 0.75
    assert cluster_interval(Sample([2.0], ["a"])) == (2, 2, 2)
    with pytest.raises(ValueError, match="at least one"):
        cluster_interval(Sample([], []))


def test_the_sign_test_by_hand() -> None:
    assert isclose(sign_p(5, 0), 2 / 32)
    assert sign_p(0, 0) == 1
    assert sign_p(3, 3) == 1


def test_holm_by_hand() -> None:
    assert holm({"a": 0.01, "b": 0.04, "c": 0.03}) == pytest.approx({"a": 0.03, "b": 0.06, "c": 0.06})
    assert list(holm({"z": 0.5, "a": 0.5})) == ["z", "a"]
    assert holm({}) == {}


@settings(max_examples=50)
@given(st.dictionaries(st.text(min_size=1, max_size=3), st.floats(0, 1), max_size=8))
def test_holm_never_lowers_and_keeps_the_order(p_values: dict[str, float]) -> None:
    found = holm(p_values)
    assert all(p_values[name] <= found[name] <= 1 for name in found)
    ordered = sorted(p_values, key=lambda name: p_values[name])
    assert [found[name] for name in ordered] == sorted(found.values())
