"""Hindsight: what is told, who is rewritten, what it is worth, and what it does to a group."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from coreact.errors import ConfigError
from coreact.judge.records import Status, Verdict
from coreact.judge.scoring import judgement
from coreact.rubric import Criterion, Rubric
from coreact.train.hindsight import (
    HindsightSettings,
    Rollout,
    mixed,
    off_policy_weight,
    rewriting,
    to_rewrite,
    with_bonus,
)
from coreact.train.rewards.advantages import group_advantages

RUBRIC = Rubric(
    criteria=(
        Criterion(id="a", text="Name the river."),
        Criterion(id="b", text="Search for Lund."),
        Criterion(id="c", text="Two tools at once.", polarity="forbid"),
        Criterion(id="d", text="The answer is Malmo.", visibility="judge_only"),
        Criterion(id="e", text="Use the year 1907."),
        Criterion(id="f", text="Say where it was read."),
    )
)
PROMPT = [{"role": "system", "content": "Write criteria."}, {"role": "user", "content": "Where does it end?"}]
DEFAULT = HindsightSettings()
SCORES = st.one_of(st.none(), st.floats(0, 1))


def found(**statuses: Status) -> tuple[Verdict, ...]:
    return tuple(
        Verdict(criterion=one.id, reason=f"secret reason {one.id}", status=statuses.get(one.id, "met"))
        for one in RUBRIC
    )


def test_the_rewrite_is_told_exactly_the_unmet_criteria() -> None:
    judged = judgement(RUBRIC, found(a="unmet", c="unmet", d="unmet", e="partial", f="unknown"))
    asked = rewriting(PROMPT, "1. [1] A draft.", RUBRIC, judged)
    assert asked is not None
    assert asked.criteria == ("a", "c", "e")
    assert asked.messages[:2] == PROMPT
    assert asked.messages[2] == {"role": "assistant", "content": "1. [1] A draft."}
    said = asked.messages[3]["content"]
    assert "- Name the river.\n- Avoid: Two tools at once.\n- Use the year 1907." in said
    for absent in ("Lund", "Malmo", "read", "secret reason"):  # met, hidden, unknown, a judge's words
        assert absent not in said
    assert "keep everything else" in said


def test_where_nothing_may_be_told_nothing_is_asked() -> None:
    assert rewriting(PROMPT, "…", RUBRIC, judgement(RUBRIC, found())) is None
    assert rewriting(PROMPT, "…", RUBRIC, judgement(RUBRIC, found(d="unmet"))) is None
    assert rewriting(PROMPT, "…", RUBRIC, judgement(RUBRIC, found(a="unknown"))) is None


def test_the_best_rollouts_of_a_group_without_full_score_are_rewritten() -> None:
    group = [Rollout("a", 0.5, 1), Rollout("b", 0.5, 2), Rollout("c", None, 9), Rollout("d", 0.9, 0)]
    assert to_rewrite(group, DEFAULT) == (3, 1, 0)
    assert to_rewrite(group, HindsightSettings(most=2)) == (3, 1)
    assert to_rewrite([*group, Rollout("e", 1.0)], DEFAULT) == ()
    assert to_rewrite([Rollout("a", None)], DEFAULT) == ()
    assert to_rewrite([], DEFAULT) == ()


def test_the_bonus_is_the_difference() -> None:
    settings = HindsightSettings(bonus=0.1)
    assert with_bonus([0.2, 0.5, None, 0.4, 0.3], {0: 0.8, 1: 0.1, 2: 1.0, 3: None}, settings) == [
        pytest.approx(0.2 + 0.1 * 0.6),
        pytest.approx(0.5 - 0.1 * 0.4),
        None,
        0.4,
        0.3,
    ]


def test_a_group_of_equal_failures_learns_once_a_rewrite_is_in_it() -> None:
    group = [Rollout(text, 0.0) for text in "abcd"]
    assert not np.any(group_advantages([one.score for one in group]))
    richer = mixed(group, [Rollout("rewrite", 0.6, 3)], DEFAULT, key="q1")
    advantages = group_advantages([one.score for one in richer])
    place = next(at for at, one in enumerate(richer) if one.rewritten)
    assert richer[place].reply == "rewrite"
    assert advantages[place] > 0
    assert all(advantages[at] < 0 for at in range(4) if at != place)
    assert sum(one.rewritten for one in richer) == 1


@given(
    st.lists(SCORES, min_size=1, max_size=8),
    st.lists(SCORES, max_size=4),
    st.sampled_from(["worst", "random"]),
    st.integers(0, 5),
)
def test_a_group_keeps_its_size_and_its_best(
    scores: list[float | None], rewritten: list[float | None], slot: str, seed: int
) -> None:
    settings = HindsightSettings.of(slot=slot, seed=seed)
    group = [Rollout(at, score) for at, score in enumerate(scores)]
    rewrites = [Rollout(100 + at, score) for at, score in enumerate(rewritten)]
    result = mixed(group, rewrites, settings, key="k")
    assert len(result) == len(group)
    assert result == mixed(group, rewrites, settings, key="k")
    known = [score for score in scores if score is not None]
    new = [one for one in result if one.rewritten]
    best = max((score for score in rewritten if score is not None), default=-1.0)
    assert bool(new) == (bool(known) and best > max(known))
    lost = [one for one in group if one not in result]
    assert len(lost) == len(new)
    assert all(one.score is not None for one in lost)  # what nobody could score keeps its place
    if slot == "worst" and lost:
        assert lost[0].score == min(known)


def test_random_places_are_drawn_by_the_group() -> None:
    group = [Rollout(at, at / 10) for at in range(6)]
    settings = HindsightSettings(slot="random")
    places = {
        next(
            at
            for at, one in enumerate(mixed(group, [Rollout(9, 1.0)], settings, key=str(key)))
            if one.rewritten
        )
        for key in range(80)
    }
    assert places == set(range(6))  # the paper's rule can lose the best rollout


@given(st.floats(-50, 0), st.floats(-50, 0), st.floats(0.01, 5))
def test_the_off_policy_weight(one: float, other: float, gamma: float) -> None:
    low, high = sorted((one, other))
    few, many = off_policy_weight([low, high], gamma=gamma)
    assert 0 <= few <= many <= 1 / (1 + gamma) + 1e-12
    rho = np.exp(one)
    assert off_policy_weight(one, gamma=gamma) == pytest.approx(rho / (rho + gamma))
    ratio = np.exp(one - other)
    assert off_policy_weight(one, gamma=gamma, behaviour=other) == pytest.approx(ratio / (ratio + gamma))


def test_extreme_ratios_stay_numbers() -> None:
    weights = off_policy_weight([-5000.0, 0.0], gamma=0.1, behaviour=[0.0, -5000.0])
    assert weights.tolist() == [pytest.approx(0, abs=1e-300), 1.0]
    # The gradient with respect to log rho, gamma * rho / (rho + gamma)^2, is largest where rho is gamma.
    grid = np.linspace(-8, 0, 2001)
    slope = np.gradient(off_policy_weight(grid, gamma=0.1), grid)
    assert np.exp(grid[slope.argmax()]) == pytest.approx(0.1, rel=0.02)


def test_an_unknown_setting_is_named() -> None:
    with pytest.raises(ConfigError, match="'alpha'"):
        HindsightSettings.of(alpha=0.05)
