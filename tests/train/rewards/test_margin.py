"""Margins, C2's conditions and pairs, and the reward made of them, with a judge by script."""

from __future__ import annotations

import asyncio
import math
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st
from langgraph.errors import GraphInterrupt

from coreact.errors import ConfigError
from coreact.generate.gate import Material
from coreact.rubric import Criterion, Rubric
from coreact.rubric.branching import BranchingPoint
from coreact.rubric.words import words
from coreact.train.rewards.contract import PointReward
from coreact.train.rewards.margin import Contrast, LetterJudge, Letters, MarginReward, Shift, contrast

LONGER = "1. [1.0] The query is long.\n"
SHORTER = "1. [1.0] The query is short.\n"
VACUOUS = "1. [1.0] Take a sensible step.\n"


class Judge:
    """Holds `bias` nats for the letter A whatever is shown, knows `own` nats by itself and is moved by 2."""

    id = "scripted"

    def __init__(self, *, bias: float = 0.0, own: float = 0.0) -> None:
        self.bias, self.own = bias, own
        self.seen: list[Material] = []

    def weigh(self, material: Material) -> Letters:
        self.seen.append(material)
        longer = len(str(material.first)) > len(str(material.second))
        told = " ".join(one.text for one in material.rubric) if material.rubric else ""
        wanted = self.own + 2 * (("long" in words(told)) - ("short" in words(told)))
        lean = self.bias + (wanted if longer else -wanted)
        return Letters(-math.log1p(math.exp(-lean)), -math.log1p(math.exp(lean)))

    async def aweigh(self, material: Material) -> Letters:
        await asyncio.sleep(0.001)
        return self.weigh(material)


def rubric(text: str) -> Rubric:
    return Rubric(criteria=(Criterion(id="c1", text=text),))


@pytest.fixture
def point(made) -> BranchingPoint:
    """The longer of two searches is the better one, and the answer is the worst."""
    return made([1.0, 2.0, 0.0])


def test_the_margin_is_in_nats_and_a_bias_for_a_letter_cancels(point: BranchingPoint) -> None:
    for bias in (0.0, 1.5, -3.0):
        found = MarginReward(Judge(bias=bias), form="lines").examine(rubric("The query is long."), point)
        assert found.with_rubric == pytest.approx(2.0)
        assert found.without == pytest.approx(0.0)
        assert found.bearing == "helpful"
        assert found.readings == 6  # three pairs in both orders


def test_the_reward_is_the_shift_of_the_probability_of_what_is_right(point: BranchingPoint) -> None:
    reward = MarginReward(Judge(), form="lines")
    assert isinstance(reward, PointReward)
    assert isinstance(Judge(), LetterJudge)
    sigmoid = 1 / (1 + math.exp(-2))
    assert reward.score(LONGER, point).value == pytest.approx((1 + sigmoid - 0.5) / 2)
    assert reward.score(VACUOUS, point).value == pytest.approx(0.5)
    assert reward.score(SHORTER, point).value == pytest.approx((1 + 1 - sigmoid - 0.5) / 2)


@pytest.mark.parametrize(
    ("own", "text", "bearing"),
    [
        (0.0, "long", "helpful"),
        (0.0, "short", "misleading"),
        (0.0, "sensible", "neutral"),
        (1.0, "long", "helpful"),
        (1.0, "sensible", "neutral"),  # right, but no more than without
        (3.0, "short", "neutral"),  # less right than without, and still right
        (1.0, "short", "misleading"),
        (-3.0, "long", "neutral"),  # less wrong than without, and still wrong
    ],
)
def test_c2s_conditions(point: BranchingPoint, own: float, text: str, bearing: str) -> None:
    found = MarginReward(Judge(own=own), form="lines").examine(rubric(f"The query is {text}."), point)
    assert found.bearing == bearing


def test_what_a_judge_knows_by_itself_is_not_paid(point: BranchingPoint) -> None:
    reward = MarginReward(Judge(own=4.0), form="lines")
    assert reward.score(VACUOUS, point).value == pytest.approx(0.5)
    assert reward.score(LONGER, point).value < 0.52  # there was hardly any room


margins = st.lists(st.floats(-5, 5) | st.none(), max_size=8)


@given(margins, st.floats(-3, 3))
def test_a_pair_is_the_best_of_the_helpful_and_the_worst_of_the_misleading(found, without: float) -> None:
    pair = contrast(found, without)
    known = [m for m in found if m is not None]
    helps = [m for m in known if m > max(0.0, without) + 1e-9]
    misleads = [m for m in known if m < min(0.0, without) - 1e-9]
    if not helps or not misleads:
        assert pair is None
        return
    assert found[pair.helpful] == max(helps)
    assert found[pair.misleading] == min(misleads)


def test_pairs_by_hand() -> None:
    assert contrast([0.2, 3.0, None, -0.5, -2.0, 3.0], 0.5) == Contrast(1, 4)
    assert contrast([0.2, 0.4, -1.0], 0.5) is None  # nothing beats the judge alone
    assert contrast([2.0, -1.0], -1.5) is None  # nothing is worse than the judge alone
    assert contrast([2.0, -1.0], None) is None


def test_the_margin_without_a_rubric_is_asked_for_once(point: BranchingPoint) -> None:
    judge = Judge()
    reward = MarginReward(judge, form="lines")

    async def group() -> list[float | None]:
        found = await asyncio.gather(*(reward.ascore(text, point) for text in (LONGER, SHORTER, VACUOUS)))
        return [one.value for one in found]

    found = asyncio.run(group())
    assert sum(one.rubric is None for one in judge.seen) == 6
    assert sum(one.rubric is not None for one in judge.seen) == 18
    assert found == [
        MarginReward(Judge(), form="lines").score(t, point).value for t in (LONGER, SHORTER, VACUOUS)
    ]
    copied = pickle.loads(pickle.dumps(MarginReward(Judge(), form="lines")))
    assert copied.score(LONGER, point).value == found[0]


def test_smuggling_and_nonsense_earn_nothing_and_a_broken_judge_is_masked(
    point: BranchingPoint, made
) -> None:
    judge = Judge()
    reward = MarginReward(judge, form="lines")
    assert "tells the verdict" in reward.score("1. [1] Choose option B.\n", point).problem
    assert reward.score("1. [1] Choose option B.\n", point).value == 0.0
    assert reward.score("Sorry.", point).value == 0.0
    assert not judge.seen

    class Mute(Judge):
        def weigh(self, material: Material) -> Letters:
            return Letters(-math.inf, 0.0)

    class Down(Judge):
        def weigh(self, material: Material) -> Letters:
            raise ConnectionError

    for broken in (Mute(), Down()):
        found = MarginReward(broken, form="lines").score(LONGER, point)
        assert found.value is None
        assert "no log-probabilities" in found.masked
    assert reward.score(LONGER, made([1.0, 1.0])).masked

    class Paused(Judge):
        def weigh(self, material: Material) -> Letters:
            raise GraphInterrupt

    with pytest.raises(GraphInterrupt):  # the graph's control flow is no failure
        MarginReward(Paused(), form="lines").score(LONGER, point)
    with pytest.raises(GraphInterrupt):
        asyncio.run(MarginReward(Paused(), form="lines").ascore(LONGER, point))
    assert Shift().bearing is None
    with pytest.raises(ConfigError, match="records"):
        MarginReward(judge, form="records")
