"""Two answers compared: orders that disagree tie, vetoes come first, swapping negates."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from pydantic import ValidationError

from coreact.judge.records import Verdict
from coreact.judge.scoring import Preference, Score, Vote, pairwise
from coreact.rubric import Criterion, Rubric

SIGNS: dict[str, Preference | None] = {"+": 1, "0": 0, "-": -1, "?": None}


def rubric_of(*weights: float, vetoes: Sequence[int] = ()) -> Rubric:
    return Rubric(
        criteria=tuple(
            Criterion(id=f"c{n}", text="t", weight=weight, veto=n in vetoes)
            for n, weight in enumerate(weights)
        )
    )


def votes_of(*orders: str) -> list[Vote]:
    """One vote for each pair of signs: asked with the left answer first, then the right one."""
    return [
        Vote(criterion=f"c{n}", left_first=SIGNS[first], right_first=SIGNS[second])
        for n, (first, second) in enumerate(orders)
    ]


def unmet(*ids: str, by: str = "check") -> list[Verdict]:
    return [Verdict(criterion=each, reason="r", status="unmet", decided_by=by) for each in ids]


@pytest.mark.parametrize(
    ("first", "second", "agreed"),
    [
        *[(sign, sign, sign) for sign in "+0-?"],
        ("+", "-", "0"),
        ("-", "+", "0"),
        ("+", "0", "0"),
        ("0", "-", "0"),
        ("+", "?", "?"),
        ("?", "-", "?"),
    ],
)
def test_orders_that_disagree_are_a_tie(first: str, second: str, agreed: str) -> None:
    assert votes_of(first + second)[0].agreed == SIGNS[agreed]


@pytest.mark.parametrize(
    ("orders", "value", "judged"),
    [
        (("++", "++", "++"), 1.0, 3),
        (("--", "--", "--"), -1.0, 3),
        (("++", "--", "--"), 0.25, 3),  # (5 - 2 - 1)/8
        (("--", "++", "++"), -0.25, 3),
        (("++", "00", "00"), 0.625, 3),  # ties stay in the mean: 5/8
        (("++", "+-", "-+"), 0.625, 3),
        (("++", "?-", "??"), 1.0, 1),  # unknowns drop out: 5/5
        (("+-", "++", "?+"), 0.285714285714, 2),  # 2/7
        (("+-", "00", "-+"), 0.0, 3),
        (("??", "?+", "-?"), None, 0),
    ],
)
def test_golden_numbers(orders: tuple[str, ...], value: float | None, judged: int) -> None:
    assert pairwise(rubric_of(5, 2, 1), votes_of(*orders)) == Score(value, judged, 3, -1.0, 1.0)


def test_a_criterion_without_a_vote_is_unknown() -> None:
    assert pairwise(rubric_of(5, 2, 1), votes_of("--")) == Score(-1.0, 1, 3, -1.0, 1.0)
    assert pairwise(rubric_of(5, 2), []) == Score(None, 0, 2, -1.0, 1.0)


@pytest.mark.parametrize(
    ("weights", "orders", "value"),
    [
        ((1, 5, 1), ("++", "--", "--"), 1.0),  # one fatal difference beats any weight
        ((1, 5, 1), ("--", "++", "++"), -1.0),
        ((5, 5, 1), ("+-", "--", "++"), -0.363636363636),  # a fatal tie decides nothing: (-5 + 1)/11
        ((1, 7, 3), ("??", "--", "++"), -0.4),
    ],
)
def test_votes_on_a_veto_criterion_come_first(
    weights: tuple[float, ...], orders: tuple[str, ...], value: float
) -> None:
    assert pairwise(rubric_of(*weights, vetoes=[0]), votes_of(*orders)).value == value


def test_several_fatal_votes_decide_by_the_sign_of_their_sum() -> None:
    rubric = rubric_of(3, 2, 9, vetoes=[0, 1])
    assert pairwise(rubric, votes_of("++", "--", "--")).value == 1.0
    assert pairwise(rubric_of(2, 2, 9, vetoes=[0, 1]), votes_of("++", "--", "--")).value == 0.0


def test_a_veto_by_code_beats_every_vote() -> None:
    rubric = rubric_of(1, 9, 9, vetoes=[0, 1])
    all_for_left = votes_of("++", "++", "++")
    assert pairwise(rubric, all_for_left, left=unmet("c0")).value == -1.0
    assert pairwise(rubric, all_for_left, right=unmet("c0")).value == 1.0
    assert pairwise(rubric, all_for_left, left=unmet("c0"), right=unmet("c1")).value == 0.0
    assert pairwise(rubric, [], left=unmet("c0")) == Score(-1.0, 1, 3, -1.0, 1.0)
    for harmless in (
        unmet("c2"),
        unmet("c0", by="a model"),
        [unmet("c0")[0].model_copy(update={"status": "met"})],
    ):
        assert pairwise(rubric, all_for_left, left=harmless).value == 1.0


def test_a_broken_judge_is_counted_where_it_left_something_open() -> None:
    broken = Vote(criterion="c0", left_first=1, right_first=None, fault="instrument")
    assert pairwise(rubric_of(1, 1), [broken]) == Score(None, 0, 2, -1.0, 1.0, broken=1)
    assert pairwise(rubric_of(1, vetoes=[0]), [broken], left=unmet("c0")).broken == 0


def test_what_is_no_vote_on_this_rubric() -> None:
    rubric = rubric_of(1, 1)
    stranger = Vote(criterion="x", left_first=0, right_first=0)
    wrong: list[dict[str, Any]] = [
        {"votes": [stranger]},
        {"votes": votes_of("++") * 2},
        {"votes": [], "left": unmet("x")},
        {"votes": [], "right": unmet("c0", "c0")},
    ]
    for arguments in wrong:
        with pytest.raises(ValueError, match="at most one vote or verdict"):
            pairwise(rubric, **arguments)
    with pytest.raises(ValidationError):
        Vote(criterion="c0", left_first=cast("Preference", 2), right_first=0)


# --- laws ------------------------------------------------------------------------------------

PREFERENCES = st.sampled_from(list(SIGNS.values()))


@st.composite
def comparisons(draw: st.DrawFn) -> tuple[Rubric, list[Vote], list[Verdict], list[Verdict]]:
    weights = draw(st.lists(st.floats(1e-6, 1e6), min_size=1, max_size=5))
    places = st.lists(st.sampled_from(range(len(weights))), unique=True)
    rubric = rubric_of(*weights, vetoes=draw(places))
    votes = [
        Vote(criterion=f"c{n}", left_first=draw(PREFERENCES), right_first=draw(PREFERENCES))
        for n in range(len(weights))
    ]
    found = [unmet(*(f"c{n}" for n in draw(places))) if draw(st.booleans()) else [] for _ in range(2)]
    return rubric, votes, found[0], found[1]


def negated(preference: Preference | None) -> Preference | None:
    return None if preference is None else cast("Preference", -preference)


@given(comparisons(), st.integers(-30, 30), st.randoms(use_true_random=False))
def test_swapping_negates_and_neither_scale_nor_order_matters(
    case: tuple[Rubric, list[Vote], list[Verdict], list[Verdict]], power: int, random: Any
) -> None:
    rubric, votes, left, right = case
    found = pairwise(rubric, votes, left=left, right=right)
    swapped = [
        Vote(criterion=v.criterion, left_first=negated(v.right_first), right_first=negated(v.left_first))
        for v in votes
    ]
    other = pairwise(rubric, swapped, left=right, right=left)
    assert other == found._replace(value=None if found.value is None else -found.value)
    assert found.value is None or -1 <= found.value <= 1
    shuffled = [c.model_copy(update={"weight": c.weight * 2.0**power}) for c in rubric]
    random.shuffle(shuffled)
    random.shuffle(votes)
    assert pairwise(Rubric(criteria=tuple(shuffled)), votes, left=left, right=right) == found


@given(comparisons(), st.data())
def test_a_vote_for_an_answer_never_hurts_it(
    case: tuple[Rubric, list[Vote], list[Verdict], list[Verdict]], data: st.DataObject
) -> None:
    rubric, votes, left, right = case
    place = data.draw(st.sampled_from(range(len(votes))))
    vote = votes[place]
    assume(vote.left_first in (-1, 0) and vote.right_first is not None)
    better = Vote(
        criterion=vote.criterion,
        left_first=cast("Preference", (vote.left_first or 0) + 1),
        right_first=vote.right_first,
    )
    before = pairwise(rubric, votes, left=left, right=right).value
    after = pairwise(rubric, [*votes[:place], better, *votes[place + 1 :]], left=left, right=right).value
    assert before is not None
    assert after is not None
    assert after >= before - 2e-12
