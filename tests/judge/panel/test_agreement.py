"""Coefficients equal those of scipy, scikit-learn and published tables; where undefined they are None."""

from __future__ import annotations

import builtins
import math
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy.stats import friedmanchisquare, spearmanr
from sklearn.metrics import cohen_kappa_score

from coreact.errors import MissingExtraError
from coreact.judge.panel.agreement import (
    Agreement,
    cohen_kappa,
    kendall_w,
    krippendorff_alpha,
    mean_spearman,
    spearman,
)
from coreact.judge.panel.ranking import Ranks, average_ranks

# Krippendorff, "Computing Krippendorff's Alpha-Reliability" (2011): four observers, twelve units.
OBSERVERS: list[list[float | None]] = [
    [1, 2, 3, 3, 2, 1, 4, 1, 2, None, None, None],
    [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, None, 3],
    [None, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, None],
    [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, None],
]


@st.composite
def rankings(draw: st.DrawFn, *, least: int = 2) -> list[Ranks]:
    items = draw(st.integers(3, 7))
    scores = st.lists(st.integers(0, 3), min_size=items, max_size=items)
    return [average_ranks(draw(scores)) for _ in range(draw(st.integers(least, 5)))]


# --- Kendall's W -----------------------------------------------------------------------------


def test_w_by_hand() -> None:
    # totals 4, 5, 10, 11 around 7.5: S = 2 * 12.25 + 2 * 6.25 = 37, W = 12 * 37 / (9 * 60)
    assert kendall_w([(1, 2, 3, 4), (2, 1, 3, 4), (1, 2, 4, 3)]) == Agreement(37 / 45, 4, 3)
    # one tie: totals 3.5, 2.5, 6 around 4: S = 6.5, ties 2**3 - 2 = 6, W = 12 * 6.5 / (4 * 24 - 2 * 6)
    assert kendall_w([(2, 1, 3), (1.5, 1.5, 3)]).value == pytest.approx(78 / 84)
    assert kendall_w([(1, 2, 3), (3, 2, 1)]).value == 0


@given(rankings())
def test_w_is_friedmans_statistic(rows: list[Ranks]) -> None:
    assume(any(len(set(ranks)) > 1 for ranks in rows))
    raters, items = len(rows), len(rows[0])
    found = friedmanchisquare(*zip(*rows, strict=True)).statistic / (raters * (items - 1))
    assert kendall_w(rows).value == pytest.approx(found, abs=1e-9)


@pytest.mark.parametrize(
    ("rows", "items", "raters"),
    [
        ([], 0, 0),
        ([(1, 2, 3)], 3, 1),
        ([(1,), (1,)], 1, 2),
        ([(2, 2, 2), (2, 2, 2)], 3, 2),
    ],
)
def test_w_is_none_where_it_is_not_defined(rows: list[Ranks], items: int, raters: int) -> None:
    assert kendall_w(rows) == Agreement(None, items, raters)


# --- Spearman --------------------------------------------------------------------------------


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), min_size=3, max_size=9))
def test_rho_is_that_of_scipy(pairs: list[tuple[int, int]]) -> None:
    first, second = zip(*pairs, strict=True)
    assume(len(set(first)) > 1 and len(set(second)) > 1)
    assert spearman(first, second) == pytest.approx(spearmanr(first, second).statistic, abs=1e-12)


def test_rho_is_none_for_a_constant_side_or_one_item() -> None:
    assert spearman([1, 1, 1], [1, 2, 3]) is None
    assert spearman([1], [1]) is None
    assert spearman([], []) is None
    with pytest.raises(ValueError, match="same items"):
        spearman([1, 2], [1])


def test_the_mean_leaves_out_who_tells_nothing_apart() -> None:
    up, down, flat = (1.0, 2.0, 3.0), (3.0, 2.0, 1.0), (2.0, 2.0, 2.0)
    assert mean_spearman([up, up, flat]) == Agreement(1.0, 3, 2)
    assert mean_spearman([up, up, down]) == Agreement(pytest.approx(-1 / 3), 3, 3)
    assert mean_spearman([up, flat]) == Agreement(None, 3, 1)
    assert mean_spearman([]) == Agreement(None, 0, 0)


# --- Krippendorff ----------------------------------------------------------------------------


@pytest.mark.parametrize(("level", "alpha"), [("nominal", 0.743), ("ordinal", 0.815), ("interval", 0.849)])
def test_alpha_of_the_published_table(level: Any, alpha: float) -> None:
    found = krippendorff_alpha(OBSERVERS, level=level)
    assert found == Agreement(pytest.approx(alpha, abs=5e-4), 11, 4), "one unit has one rating only"


def test_alpha_of_texts_is_nominal_only() -> None:
    names = {1: "met", 2: "partial", 3: "unmet", 4: "not_applicable", 5: "other"}
    table = [[None if rating is None else names[int(rating)] for rating in row] for row in OBSERVERS]
    assert krippendorff_alpha(table, level="nominal").value == pytest.approx(0.743, abs=5e-4)
    with pytest.raises(ValueError, match="no place on a scale"):
        krippendorff_alpha(table, level="ordinal")


@pytest.mark.parametrize(
    ("rows", "items", "raters"),
    [
        ([], 0, 0),
        ([[1, 2, 3]], 0, 0),
        ([[1, None], [None, 2]], 0, 0),
        ([[1, 1, 1], [1, 1, 1]], 3, 2),
        ([[1, 1, 2], [1, 1, None]], 2, 2),  # what differs has one rating only
        ([[1, 1, math.nan], [1, 1, 3], [None, None, None]], 2, 2),
    ],
)
def test_alpha_is_none_where_it_is_not_defined(rows: list[list[Any]], items: int, raters: int) -> None:
    assert krippendorff_alpha(rows, level="nominal") == Agreement(None, items, raters)


# --- Cohen -----------------------------------------------------------------------------------


def test_kappa_by_hand() -> None:
    # 3 of 4 agree; by chance 2/4 * 1/4 + 2/4 * 3/4 = 1/2
    assert cohen_kappa("mmuu", "muuu") == Agreement(pytest.approx(0.5), 4, 2)
    assert cohen_kappa(["m", None, "u", "m"], ["m", "u", "u", None]) == Agreement(1.0, 2, 2)
    assert cohen_kappa([1, 0], [1.0, 0.0]).value == 1


@given(st.lists(st.tuples(st.sampled_from("mpu"), st.sampled_from("mpu")), min_size=2, max_size=12))
def test_kappa_is_that_of_scikit_learn(pairs: list[tuple[str, str]]) -> None:
    first, second = zip(*pairs, strict=True)
    assume(len({*first, *second}) > 1)
    assert cohen_kappa(first, second).value == pytest.approx(cohen_kappa_score(first, second))


def test_kappa_is_none_where_chance_explains_all() -> None:
    assert cohen_kappa("mmm", "mmm") == Agreement(None, 3, 2)
    assert cohen_kappa(["m", None], [None, "m"]) == Agreement(None, 0, 2)


# --- all -------------------------------------------------------------------------------------


def test_raters_of_different_items_are_an_error() -> None:
    for wrong in (
        lambda: kendall_w([(1, 2), (1, 2, 3)]),
        lambda: mean_spearman([(1, 2), (1, 2, 3)]),
        lambda: krippendorff_alpha([[1], [1, 2]], level="nominal"),
        lambda: cohen_kappa("m", "mu"),
    ):
        with pytest.raises(ValueError, match="same items"):
            wrong()


def test_without_the_extra_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def bare(name: str, *rest: Any, **more: Any) -> Any:
        if name.split(".")[0] in ("krippendorff", "sklearn", "numpy", "scipy"):
            raise ImportError(name)
        return real(name, *rest, **more)

    monkeypatch.setattr(builtins, "__import__", bare)
    with pytest.raises(MissingExtraError, match=r"coreact\[judge\]"):
        krippendorff_alpha([[1, 2], [1, 2]], level="nominal")
    with pytest.raises(MissingExtraError, match=r"coreact\[judge\]"):
        cohen_kappa("mu", "mu")
    assert kendall_w([(1, 2), (1, 2)]).value == 1
    assert mean_spearman([(1, 2), (1, 2)]).value == 1
