"""Average ranks, Borda and Kemeny: tables worked by hand, and laws that hold for every ranking."""

from __future__ import annotations

from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import rankdata

from coreact.errors import ConfigError
from coreact.judge.panel.ranking import (
    MOST_FOR_KEMENY,
    Ranks,
    average_ranks,
    borda,
    kemeny,
    ranks_of_groups,
)


@st.composite
def panels(draw: st.DrawFn, *, most_items: int = 6) -> list[Ranks]:
    items = draw(st.integers(1, most_items))
    scores = st.lists(st.integers(0, 4), min_size=items, max_size=items)
    return [average_ranks(draw(scores)) for _ in range(draw(st.integers(1, 5)))]


# --- ranks -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("scores", "ranks"),
    [
        ((), ()),
        ((7,), (1,)),
        ((3, 2, 1), (1, 2, 3)),
        ((1, 2, 3), (3, 2, 1)),
        ((5, 5), (1.5, 1.5)),
        ((1, 9, 9, 4), (4, 1.5, 1.5, 3)),
        ((2, 2, 2), (2, 2, 2)),
        ((0.5, float("-inf"), float("inf"), 0.5), (2.5, 4, 1, 2.5)),
    ],
)
def test_equal_scores_share_the_mean_of_their_places(scores: tuple[float, ...], ranks: Ranks) -> None:
    assert average_ranks(scores) == ranks


@given(st.lists(st.integers(-3, 3), max_size=9))
def test_ranks_are_those_of_scipy(scores: list[int]) -> None:
    assert list(average_ranks(scores)) == list(rankdata([-score for score in scores]))


@pytest.mark.parametrize(
    ("groups", "ranks"),
    [
        ([[2], [0, 1], [3]], (2.5, 2.5, 1, 4)),
        ([[0, 1, 2]], (2, 2, 2)),
        ([[1], [], [0]], (2, 1)),
        ([], ()),
    ],
)
def test_groups_best_first(groups: list[list[int]], ranks: Ranks) -> None:
    assert ranks_of_groups(groups) == ranks


@pytest.mark.parametrize("groups", [[[0], [2]], [[0], [0, 1]], [[1, 1], [0]], [[-1], [0]]])
def test_groups_that_miss_or_repeat_a_position_are_errors(groups: list[list[int]]) -> None:
    with pytest.raises(ValueError, match="exactly once"):
        ranks_of_groups(groups)


def test_nothing_ranks_what_is_not_a_number() -> None:
    with pytest.raises(ValueError, match="NaN"):
        average_ranks([1.0, float("nan")])


# --- consensus -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rankings", "ranks"),
    [
        # sums 4.5, 4.5, 9, 12: the first two stay tied
        ([(1, 2, 3, 4), (2, 1, 3, 4), (1.5, 1.5, 3, 4)], (1.5, 1.5, 3, 4)),
        # sums 2.5, 6, 5.5, 6: a tie in the last places
        ([(1, 4, 2, 3), (1.5, 2, 3.5, 3)], (1, 3.5, 2, 3.5)),
        ([(1, 2), (2, 1)], (1.5, 1.5)),
        ([(3, 1, 2)], (3, 1, 2)),
        # the winner of every duel (the first, by 3 to 2) loses: sums 9, 8, 13
        ([(1, 2, 3)] * 3 + [(3, 1, 2)] * 2, (2, 1, 3)),
    ],
)
def test_borda_by_hand(rankings: list[Ranks], ranks: Ranks) -> None:
    assert borda(rankings) == ranks


@pytest.mark.parametrize(
    ("rankings", "ranks"),
    [
        # the same votes as above: Kemeny keeps the one that wins every duel first
        ([(1, 2, 3)] * 3 + [(3, 1, 2)] * 2, (1, 2, 3)),
        # a cycle: three orders are equally good, each item is once first, second and last
        ([(1, 2, 3), (3, 1, 2), (2, 3, 1)], (2, 2, 2)),
        ([(1, 2), (2, 1)], (1.5, 1.5)),
        # a ranker that ties all speaks for no order
        ([(2, 2, 2), (2, 1, 3)], (2, 1, 3)),
        ([(2, 2, 2)], (2, 2, 2)),
        # 0 first by 2:1 over both; 1 and 2 undecided between them
        ([(1, 2, 3), (1, 3, 2), (3, 1.5, 1.5)], (1, 2.5, 2.5)),
    ],
)
def test_kemeny_by_hand(rankings: list[Ranks], ranks: Ranks) -> None:
    assert kemeny(rankings) == ranks


def contradicted(order: Ranks, rankings: list[Ranks]) -> int:
    return sum(
        (order[a] < order[b]) and ranks[a] > ranks[b]
        for ranks in rankings
        for a in range(len(order))
        for b in range(len(order))
    )


@given(panels(most_items=5))
def test_kemeny_is_the_mean_place_over_all_best_orders(rankings: list[Ranks]) -> None:
    orders = list(permutations(range(1, len(rankings[0]) + 1)))
    least = min(contradicted(order, rankings) for order in orders)
    best = [order for order in orders if contradicted(order, rankings) == least]
    assert kemeny(rankings) == average_ranks([-sum(places) for places in zip(*best, strict=True)])


@pytest.mark.parametrize("rule", [borda, kemeny])
@given(rankings=panels(), data=st.data())
def test_labels_and_the_order_of_judges_mean_nothing(
    rule: object, rankings: list[Ranks], data: st.DataObject
) -> None:
    assert callable(rule)
    places = data.draw(st.permutations(range(len(rankings[0]))))
    relabelled = [tuple(ranks[at] for at in places) for ranks in data.draw(st.permutations(rankings))]
    plain = rule(rankings)
    assert rule(relabelled) == tuple(plain[at] for at in places)
    assert sum(plain) == len(plain) * (len(plain) + 1) / 2


@pytest.mark.parametrize("rule", [borda, kemeny])
@given(rankings=panels())
def test_a_candidate_that_everybody_ranks_first_is_first(rule: object, rankings: list[Ranks]) -> None:
    assert callable(rule)
    ahead = [(1.0, *(rank + 1 for rank in ranks)) for ranks in rankings]
    assert rule(ahead)[0] == 1


def test_rankings_of_other_items_or_none_are_errors() -> None:
    for rule in (borda, kemeny):
        with pytest.raises(ValueError, match="same items"):
            rule([])
        with pytest.raises(ValueError, match="same items"):
            rule([(1, 2), (1, 2, 3)])


def test_kemeny_refuses_what_takes_too_long() -> None:
    most = tuple(float(rank) for rank in range(1, MOST_FOR_KEMENY + 1))
    assert kemeny([most]) == most
    with pytest.raises(ConfigError, match=r"too long.*Borda"):
        kemeny([(*most, len(most) + 1)])
