"""Rank statistics: scipy's numbers, ties and gaps, and rewards of few candidates that are not too sure."""

from __future__ import annotations

import random
from itertools import permutations
from statistics import fmean, pstdev
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import rankdata, spearmanr

from coreact.generate.reading import read_reply
from coreact.judge import Verdict
from coreact.judge.ordering import agreement, judged, standing
from coreact.judge.panel import average_ranks as ranks_of_one
from coreact.judge.scoring import judgement
from coreact.rubric import Criterion, Rubric
from coreact.rubric.branching import BranchingPoint
from coreact.train.rewards.few import trust
from coreact.train.rewards.ranks import (
    average_ranks,
    mapped,
    rank_rewards,
    shrunk,
    spearman,
    standings,
)
from coreact.train.rewards.reward import RewardSettings, RubricReward

NAN = float("nan")
values = st.one_of(st.integers(-3, 3).map(float), st.floats(-1e6, 1e6))


@st.composite
def pairs(draw: st.DrawFn, gaps: bool = False) -> tuple[list[float | None], list[float]]:
    size = draw(st.integers(2, 20))
    one = st.one_of(st.none(), values) if gaps else values
    scores = draw(st.lists(one, min_size=size, max_size=size))
    return scores, draw(st.lists(values, min_size=size, max_size=size))


def test_fifty_random_cases_are_scipys_with_ties_and_constants() -> None:
    draw = np.random.default_rng(0)
    cases = 0
    for size in (2, 3, 4, 5, 8, 16, 17, 40):
        for spread in (2, 3, 50):  # of two values most are ties
            for _ in range(5):
                scores, reference = draw.integers(0, spread, size), draw.integers(0, spread, size)
                if len(set(scores)) == 1 or len(set(reference)) == 1:
                    continue
                [rho] = spearman([scores], [reference])
                assert rho == pytest.approx(spearmanr(scores, reference).statistic, abs=1e-12)
                cases += 1
    assert cases > 50
    assert spearman([[1, 1, 1]], [[1, 2, 3]]) == [0.0]
    assert np.isnan(spearman([[1, 2, 3]], [[1, 1, 1]]))


@given(pairs())
def test_ranks_are_scipys_and_those_of_the_judges_side(pair: tuple[list[float], list[float]]) -> None:
    scores, _ = pair
    [ranks] = average_ranks([scores])
    assert ranks.tolist() == rankdata([-score for score in scores]).tolist() == list(ranks_of_one(scores))


@given(pairs(gaps=True))
def test_a_batch_of_one_is_the_agreement_of_one(pair: tuple[list[float | None], list[float]]) -> None:
    scores, reference = pair
    [rho] = spearman([[NAN if score is None else score for score in scores]], [reference])
    expected = agreement(scores, reference)
    if expected is None:
        assert np.isnan(rho)
    else:
        assert rho == pytest.approx(expected, abs=1e-12)


def test_unknown_worth_leaves_a_candidate_out() -> None:
    alone = spearman([[3.0, 1.0, 2.0]], [[2.0, 0.0, 1.0]])
    assert spearman([[3.0, 9.0, 1.0, 2.0]], [[2.0, NAN, 0.0, 1.0]]) == alone == [1.0]
    assert np.isnan(spearman([[1.0, 2.0]], [[1.0, NAN]]))  # one candidate is no order
    assert spearman([[NAN, NAN]], [[1.0, 2.0]]) == [0.0]


def test_shapes_must_agree() -> None:
    with pytest.raises(ValueError, match="one shape"):
        spearman([[1.0, 2.0]], [[1.0, 2.0, 3.0]])
    with pytest.raises(ValueError, match="one shape"):
        spearman([1.0, 2.0], [1.0, 2.0])


@pytest.mark.parametrize(
    "reference", [(1, 2), (1, 2, 3), (1, 1, 2), (1, 2, 3, 4), (1, 1, 2, 2), (1, 2, 2, 2, 5)]
)
def test_a_guess_has_one_spread_however_few_the_candidates(reference: tuple[float, ...]) -> None:
    """Over all orders the deviation of rho is 1/√(n-1), with ties in the reference as well."""
    size = len(reference)
    orders = list(permutations(range(size)))
    rho = spearman(orders, [reference] * len(orders))
    assert fmean(rho) == pytest.approx(0)
    assert pstdev(rho) == pytest.approx((size - 1) ** -0.5)
    drawn = shrunk(rho, [size] * len(orders), full=4)
    assert pstdev(drawn) == pytest.approx(3**-0.5 if size <= 4 else (size - 1) ** -0.5)


def test_what_a_perfect_order_of_few_is_worth() -> None:
    """Two candidates: 0.21 and 0.79 instead of 0 and 1; from four on nothing changes."""
    perfect = mapped(shrunk([1.0] * 5, [2, 3, 4, 5, 9]))
    assert perfect.round(3).tolist() == [0.789, 0.908, 1.0, 1.0, 1.0]
    assert mapped(shrunk([1.0, -1.0], [2, 2], full=2)).tolist() == [1.0, 0.0]
    assert [trust(n) for n in range(2, 7)] == shrunk([1.0] * 5, range(2, 7)).tolist()


def test_standings_of_verdicts_by_hand() -> None:
    verdicts = [[[1, 0.5, 0], [NAN, 1, 0], [NAN, NAN, NAN], [1, 0, 0], [NAN, 0, 0]]]
    [found] = standings(verdicts, [[2, 1, 1]])
    # passes; hangs on the unknown half of the weight; unjudged; fails; fails however the unknown turns out
    assert found[[0, 1, 3, 4]].tolist() == [2.625, 1.5, 0.5, 0.0]
    assert np.isnan(found[2])
    assert standings(verdicts, [[2, 1, 1]], threshold=0.5)[0, 3] == 2.5
    assert standings([[[1, 0]]], [[3, 1]], veto=[[False, True]]).tolist() == [[0.75]]
    assert standings([[[1, NAN]]], [[3, 1]], veto=[[False, True]]).tolist() == [[2.0]]
    assert standings([[[1, NAN]]], [[3, 1]]).tolist() == [[3.0]]
    assert standings([[[1, 0]]], [[[3, 0]]], veto=[[False, True]]).tolist() == [[3.0]]  # does not apply
    assert standings([[[1, 0]]], [[1e308, 1e308]]).tolist() == [[0.5]]


def test_sums_of_weights_in_another_order_tie() -> None:
    """0.1 + 0.2 is not 0.3 to a machine, and must be to a ranking."""
    [scores] = standings([[[1, 1, 0], [0, 0, 1]]], [[0.1, 0.2, 0.3]])
    assert scores[0] == scores[1]


statuses = st.sampled_from(["met", "partial", "unmet", "unknown", "not_applicable"])
CREDIT = {"met": 1.0, "partial": 0.5, "unmet": 0.0, "unknown": NAN, "not_applicable": 0.0}


@settings(max_examples=300)
@given(st.data())
def test_verdicts_rank_as_judgements_do(data: st.DataObject) -> None:
    """The quick way and the way of a running agent agree: thresholds, vetoes, unknown verdicts and all."""
    criteria, candidates = data.draw(st.integers(1, 5)), data.draw(st.integers(2, 6))

    def row(values: st.SearchStrategy[Any]) -> list[Any]:
        return data.draw(st.lists(values, min_size=criteria, max_size=criteria))

    weights, veto = row(st.sampled_from([0.1, 0.2, 0.3, 0.4, 1.0])), row(st.booleans())
    threshold = data.draw(st.sampled_from([0.0, 0.3, 0.6, 0.75, 1.0]))
    rubric = Rubric(
        criteria=tuple(
            Criterion(id=f"c{n}", text="It is so.", weight=w, veto=v)
            for n, (w, v) in enumerate(zip(weights, veto, strict=True))
        ),
        threshold=threshold,
    )
    told = [row(statuses) for _ in range(candidates)]
    judgements = [
        judgement(rubric, [Verdict(criterion=f"c{n}", reason="", status=s) for n, s in enumerate(one)])
        for one in told
    ]
    verdicts = [[[CREDIT[s] for s in one] for one in told]]
    applies = [[[w * (s != "not_applicable") for w, s in zip(weights, one, strict=True)] for one in told]]
    [found] = standings(verdicts, applies, threshold=[threshold], veto=[veto])
    expected = [NAN if one is None else one for one in standing(judgements)]
    assert found.tolist() == pytest.approx(expected, abs=1e-12, nan_ok=True)
    gains = [float(at) for at in range(candidates)]
    [reward] = rank_rewards(verdicts, applies, [gains], threshold=threshold, veto=[veto], full=2)
    assert reward == pytest.approx(((agreement(standing(judgements), gains) or 0.0) + 1) / 2, abs=1e-12)


def test_the_reward_of_texts_is_the_reward_of_their_verdicts(collected: tuple[BranchingPoint, ...]) -> None:
    """From completions by `RubricReward`, and from the verdicts of the same checks at once: one number."""
    draw, scorer = random.Random(0), RubricReward(RewardSettings(atomic=0, format=0), form="sheet")
    demands = [f"Search for name {n}." for n in (1, 2, 3)] + [f"The query contains word {n}." for n in (1, 2)]
    demands += ["Do not answer yet.", "Do not repeat an earlier call.", "Answer now.", "Be kind to water."]
    compared = 0
    for point in collected[:40]:
        chosen = draw.sample(demands, draw.randint(1, 5))
        lines = [f"{n}. [{draw.choice((0.1, 0.3, 0.6))}] {one}" for n, one in enumerate(chosen, 1)]
        text = "\n".join(lines)
        rubric, earned = read_reply(text, point.state, form="sheet").rubric, scorer.score(text, point)
        if rubric is None or earned.rank is None:
            continue
        judgements = judged(rubric, point.actions, point.state)
        [rank] = rank_rewards(
            [[[CREDIT[verdict.status] for verdict in one.verdicts] for one in judgements]],
            [
                [
                    [
                        c.weight * (v.status != "not_applicable")
                        for c, v in zip(rubric, one.verdicts, strict=True)
                    ]
                    for one in judgements
                ]
            ],
            [point.gains],
            threshold=rubric.threshold,
            veto=[[one.veto for one in rubric]],
        )
        assert rank == pytest.approx(earned.rank, abs=1e-12)
        compared += 1
    assert compared > 20


@given(pairs(), st.data())
def test_two_candidates_swapped_towards_the_reference_never_lower_it(
    pair: tuple[list[float], list[float]], data: st.DataObject
) -> None:
    scores, reference = pair
    first, second = data.draw(st.permutations(range(len(scores))))[:2]
    if (scores[first] - scores[second]) * (reference[first] - reference[second]) >= 0:
        return
    swapped = list(scores)
    swapped[first], swapped[second] = scores[second], scores[first]
    before, after = spearman([scores, swapped], [reference, reference])
    assert after >= before - 1e-12


@given(pairs(), st.sampled_from([0.5, 2.0, 1024.0]), st.integers(-8, 8), st.randoms(use_true_random=False))
def test_scale_shift_and_order_of_candidates_change_nothing(
    pair: tuple[list[float], list[float]], scale: float, shift: int, draw: object
) -> None:
    scores, reference = [round(one) for one in pair[0]], [round(one) for one in pair[1]]
    order = list(range(len(scores)))
    draw.shuffle(order)  # type: ignore[attr-defined]
    moved = [scale * one + shift for one in reference]
    [plain] = spearman([scores], [reference])
    [other] = spearman([[scores[at] for at in order]], [[moved[at] for at in order]])
    assert other == pytest.approx(plain, abs=1e-12, nan_ok=True)
