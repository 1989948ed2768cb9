"""Bootstrap intervals: they cover what they should, and pair what belongs together."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coreact.bench.statistics import Sample, cluster_signs, interval, paired_difference, sign_flip_p

VALUES = st.lists(st.floats(-1, 1).map(lambda x: round(x, 6)), min_size=1, max_size=12)


@given(VALUES)
@settings(max_examples=15)
def test_the_mean_lies_in_its_interval_and_within_the_values(values: list[float]) -> None:
    found = interval(values)
    assert found.low <= found.mean + 1e-9
    assert found.mean <= found.high + 1e-9
    assert min(values) - 1e-9 <= found.low
    assert found.high <= max(values) + 1e-9
    assert found == interval(values)


@pytest.mark.parametrize("values", [[0.25], [0.25] * 7])
def test_values_that_do_not_vary_have_no_width(values: list[float]) -> None:
    assert interval(values) == (0.25, 0.25, 0.25)


def test_no_values_have_no_interval() -> None:
    with pytest.raises(ValueError, match="at least one"):
        interval([])


def test_about_95_percent_of_intervals_cover_the_true_mean() -> None:
    draw = np.random.default_rng(0)
    samples = draw.normal(loc=3.0, size=(120, 40))
    found = [interval(list(sample), seed=at) for at, sample in enumerate(samples)]
    covered = sum(one.low <= 3.0 <= one.high for one in found) / len(found)
    assert 0.88 <= covered <= 0.99
    width = np.mean([one.high - one.low for one in found])
    assert width == pytest.approx(2 * 1.96 / 40**0.5, rel=0.15)


def test_pairing_takes_out_what_both_share() -> None:
    draw = np.random.default_rng(1)
    hard = draw.normal(scale=10, size=50)  # how hard a question is: the same for both arms
    control = list(hard)
    treated = list(hard + 0.5 + draw.normal(scale=0.1, size=50))
    found = paired_difference(treated, control)
    assert found.low > 0.4
    assert found.high < 0.6
    assert interval(treated).high - interval(treated).low > 2  # what an unpaired look would see


def test_pairs_have_two_sides() -> None:
    with pytest.raises(ValueError):
        paired_difference([1.0, 2.0], [1.0])


def test_an_interval_reads_as_mean_and_bounds() -> None:
    assert str(interval([1.0, 1.0])) == "1.000 [1.000, 1.000]"


def test_small_sums_are_compared_as_exactly_as_large_ones() -> None:
    differences = [3e-12, 1e-12, 2e-12, -4e-12, 1e-12]
    names = list("abcde")
    small, large = (sign_flip_p(Sample([d * by for d in differences], names)) for by in (1.0, 1e12))
    assert small == large < 1


def test_signs_are_of_clusters_and_rounding_has_none() -> None:
    differences = [1.0, 1.0, -1.0, 0.1, 0.2, -0.3]
    assert cluster_signs(Sample(differences, ["a", "a", "b", "c", "c", "c"])) == (1, 1)
