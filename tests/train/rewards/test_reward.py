"""The reward of one rubric: what is paid, what is masked, what is neither rewarded nor punished."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import spearmanr

from coreact.errors import ConfigError
from coreact.generate.prompt import Form
from coreact.rubric.branching import BranchingPoint
from coreact.train.rewards.few import trust
from coreact.train.rewards.reward import Reward, RewardSettings, RubricReward

Made = Callable[..., BranchingPoint]

RIGHT = '1. [0.6] Do not answer yet.\n2. [0.2] Use `search`.\n3. [0.2] The `query` contains "river".'
TIED = (
    '1. [0.4] The `query` contains "zebra".\n2. [0.3] The `query` contains "quagga".\n3. [0.3] Use `search`.'
)
PROSE = "1. [0.5] The query is about water.\n2. [0.3] The query is short.\n3. [0.2] The query is new."


def reward(
    *, form: Form = "lines", secrets: dict[str, list[str]] | None = None, **settings: Any
) -> RubricReward:
    """By checks and by the paper's weights, unless something else is said."""
    return RubricReward(RewardSettings(**settings), form=form, secrets=secrets)


def test_a_right_order_earns_most_and_the_parts_add_up(made: Made) -> None:
    found = reward().score(RIGHT, made([3.0, 3.0, 3.0, 1.0]))
    assert (found.spearman, found.rank, found.format, found.atomic, found.value) == (1.0, 1.0, 1.0, 1.0, 1.0)
    assert (found.criteria, found.checked, found.calls) == (3, 3, 0)
    part = reward(ranking=0, atomic=0.2, format=0.2).score(RIGHT.replace("0.6", "6"), made([3, 3, 3, 1.0]))
    assert part.format == 0.5
    assert part.value == pytest.approx((0.2 + 0.2 * 0.5) / 0.4)


def test_the_correlation_is_scipys(collected: tuple[BranchingPoint, ...]) -> None:
    text = "1. [0.5] Search for name 1.\n2. [0.3] Do not repeat an earlier call.\n3. [0.2] Do not answer yet."
    scorer, ranked = reward(form="sheet"), 0
    for point in collected:
        found = scorer.score(text, point)
        if found.spearman is not None and not found.tied:
            scores = [one or 0.0 for one in _scores(text, point)]
            assert found.spearman == pytest.approx(spearmanr(scores, point.gains).statistic, abs=1e-12)
            assert found.value == pytest.approx(
                0.75 * (found.spearman + 1) / 2 + 0.15 * found.atomic + 0.10 * found.format
            )
            ranked += 1
    assert ranked > 20


def _scores(text: str, point: BranchingPoint) -> tuple[float | None, ...]:
    from coreact.generate.reading import read_reply
    from coreact.judge.ordering import judged, standing

    rubric = read_reply(text, point.state, form="sheet").rubric
    assert rubric is not None
    return standing(judged(rubric, point.actions, point.state))


@pytest.mark.parametrize(
    "text",
    ["", "sorry, I cannot", "<think>no end", "1. [-1] Answer now.", '{"criteria": []}', "1. [0.5]"],
)
def test_what_is_no_rubric_earns_nothing(text: str, point: BranchingPoint) -> None:
    found = reward().score(text, point)
    assert (found.value, found.masked) == (0.0, "")
    assert found.problem


def test_a_thought_before_the_rubric_is_no_part_of_it(point: BranchingPoint) -> None:
    plain = reward().score(RIGHT, point)
    assert reward().score(f"<think>\nwell, well, well\n</think>\n\n{RIGHT}", point) == plain


def test_padding_earns_nothing_in_any_script(point: BranchingPoint) -> None:
    chinese = "\n".join(f"{n}. [0.2] 应使用搜索工具查找该河流的名称" for n in range(1, 6))
    found = reward().score(chinese, point)
    assert (found.value, found.problem) == (0.0, "it repeats itself")
    assert found.repetition == pytest.approx(0.8)
    assert reward(max_repetition=1).score(chinese, point).tied  # prose, which nobody decides here


def test_too_few_criteria_by_the_papers_rule(point: BranchingPoint) -> None:
    assert reward().score("1. [1] Do not answer yet.", point).value > 0.5  # type: ignore[operator]
    found = reward(floor_criteria=2).score("1. [1] Do not answer yet.", point)
    assert (found.value, found.problem) == (0.0, "fewer than 2 criteria can be used")


def test_a_secret_costs_everything_unless_it_is_visible(point: BranchingPoint) -> None:
    text = '1. [0.6] The `query` contains "Okavango".\n2. [0.2] Use `search`.\n3. [0.2] Do not answer yet.'
    assert not reward().score(text, point).leaked
    told = reward(secrets={"q1": ["Okavango"], "q2": ["delta"]}).score(text, point)
    assert (told.value, told.leaked, told.problem) == (0.0, True, "it gives away what must not be known")
    visible = text.replace("Okavango", "delta")  # stands in the question
    assert not reward(secrets={"q1": ["delta"]}).score(visible, point).leaked


def test_a_point_without_contrast_is_masked_whatever_is_written(made: Made) -> None:
    for text in (RIGHT, ""):
        found = reward().score(text, made([1.0, 1.0, 1.0]))
        assert (found.value, found.spearman) == (None, None)
        assert "same" in found.masked


def test_few_candidates_count_less(made: Made) -> None:
    two = made([2.0, 1.0])
    assert reward().score(RIGHT, two).rank == pytest.approx((1 + trust(2)) / 2)
    assert reward(full_candidates=2).score(RIGHT, two).value == 1.0
    assert reward().score(RIGHT, two).spearman == 1.0  # told as it is


# --- the pairwise statistic ----------------------------------------------------------------------


def test_a_pair_is_right_wrong_or_neither(made: Made) -> None:
    gains = made([3.0, 3.0, 3.0, 1.0])  # each unequal pair holds the answer
    assert reward(rank="pairwise").score(RIGHT, gains).rank == 1.0
    assert reward(rank="pairwise").score(TIED, gains).rank == 1.0
    wrong = "1. [0.6] Answer now.\n2. [0.4] Stop."
    assert reward(rank="pairwise").score(wrong, gains).rank == 0.0
    assert reward(rank="pairwise").score(PROSE, gains).rank == 0.5


def test_the_pair_belongs_to_the_point_and_the_seed(made: Made) -> None:
    points = [made([4.0, 3.0, 2.0, 1.0], name=f"p{n}") for n in range(30)]
    text = '1. [0.5] The `query` contains "source".\n2. [0.5] Do not answer yet.'
    first = [reward(rank="pairwise").score(text, one).rank for one in points]
    assert first == [reward(rank="pairwise").score(text, one).rank for one in points]
    assert first != [reward(rank="pairwise", seed=1).score(text, one).rank for one in points]
    assert {0.0, 0.5, 1.0} == set(first)


# --- properties ----------------------------------------------------------------------------------

LINES = st.lists(
    st.sampled_from(
        [
            "Do not answer yet.",
            "Answer now.",
            'The `query` contains "river".',
            'The `query` contains "source".',
            'The `query` contains "length".',
        ]
    ),
    min_size=1,
    max_size=4,
    unique=True,
)


@settings(max_examples=25)
@given(LINES, st.lists(st.integers(0, 4), min_size=5, max_size=5), st.permutations(range(5)))
def test_neither_order_of_candidates_nor_scale_of_gains_matters(
    made: Made, lines: list[str], gains: list[int], order: list[int]
) -> None:
    text = "\n".join(f"{n}. [{1 / (n + 1):.2f}] {line}" for n, line in enumerate(lines, 1))
    point = made([float(gain) for gain in gains])
    turned = BranchingPoint(**{**dict(point), "candidates": tuple(point.candidates[at] for at in order)})
    scaled = made([2.5 * gain - 7 for gain in gains])
    tried: tuple[dict[str, Any], ...] = ({}, {"control": "relative"}, {"rank": "pairwise"})
    for chosen in tried:
        plain = reward(**chosen).score(text, point)
        for other in (turned, scaled):
            assert same(reward(**chosen).score(text, other), plain)


def same(one: Reward, other: Reward) -> bool:
    left, right = one.model_dump(), other.model_dump()
    return all(left[key] == pytest.approx(right[key], abs=1e-12) for key in left)


@given(st.text(max_size=300))
def test_no_text_breaks_it(made: Made, text: str) -> None:
    found = reward().score(text, made([4.0, 3.0, 2.0, 1.0]))
    assert found.value is not None


# --- settings and copies -------------------------------------------------------------------------


def test_settings_that_make_no_sense_are_refused() -> None:
    with pytest.raises(ConfigError, match="ranking"):
        RewardSettings.of(ranking=-1)
    with pytest.raises(ConfigError, match="Did you mean 'ranking'"):
        RewardSettings.of(rankin=1)
    with pytest.raises(ConfigError, match="at least one weight"):
        RewardSettings.of(ranking=0, atomic=0, format=0)
    with pytest.raises(ConfigError, match="least"):
        RewardSettings.of(least=6)
    with pytest.raises(ConfigError, match="records"):
        RubricReward(form="records")
