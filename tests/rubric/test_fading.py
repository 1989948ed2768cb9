"""Fading: how many, which ones, and what becomes of the others."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coreact.rubric import Criterion, Rubric
from coreact.rubric.fading import drawn, fade, faded

RUBRIC = Rubric(
    criteria=(
        *(Criterion(id=f"c{at}", text=f"Do thing {at}.", weight=at) for at in range(1, 7)),
        Criterion(id="secret", text="Name the capital.", visibility="judge_only"),
    )
)


@given(st.integers(0, 40), st.floats(0, 1), st.floats(0, 1), st.text(max_size=8))
def test_a_smaller_share_shows_a_part_of_a_larger_one(n: int, one: float, other: float, key: str) -> None:
    low, high = sorted((one, other))
    few, many = drawn(n, low, key=key), drawn(n, high, key=key)
    assert set(few) <= set(many) <= set(range(n))
    assert abs(len(many) - high * n) <= 0.5
    assert drawn(n, 0, key=key) == ()
    assert drawn(n, 1, key=key) == tuple(range(n))


def test_halves_are_rounded_up_and_keys_draw_differently() -> None:
    assert [len(drawn(5, share, key="k")) for share in (0.09, 0.1, 0.3, 0.5, 0.7)] == [0, 1, 2, 3, 4]
    assert len({drawn(6, 0.5, key=str(key)) for key in range(60)}) > 10  # of 20 ways
    counts = [sum(at in drawn(6, 0.5, key=str(key)) for key in range(600)) for at in range(6)]
    assert all(240 < count < 360 for count in counts)  # 300 expected, five standard errors are 61


def test_what_is_faded_is_hidden_and_still_judged() -> None:
    half = faded(RUBRIC, 0.5, key="run")
    visible = [one.id for one in half if one.visibility == "policy"]
    assert len(visible) == 3
    assert [one.id for one in half] == [one.id for one in RUBRIC]
    assert [half.share(one) for one in half] == [RUBRIC.share(one) for one in RUBRIC]
    assert "secret" not in visible
    assert faded(RUBRIC, 1, key="run") is RUBRIC
    assert all(one.visibility == "judge_only" for one in faded(RUBRIC, 0, key="run"))


def test_a_share_out_of_range_is_refused() -> None:
    with pytest.raises(ValueError, match=r"not in \[0, 1\]"):
        drawn(3, 1.1, key="")


@pytest.mark.parametrize(
    ("passed", "share"),
    [
        ([], 1.0),
        ([True] * 4, 1.0),  # too few to tell
        ([True] * 5, 0.0),
        ([True] * 6 + [False] * 4, 1.0),  # 0.6
        ([True] * 8 + [False] * 2, 0.15 / 0.35),
        ([False] * 50 + [True] * 10, 0.0),  # the window has forgotten
        ([True] * 10 + [False] * 10, 1.0),  # it fails again
        ([None] * 9 + [True] * 4, 1.0),  # unknown outcomes say nothing
    ],
)
def test_a_policy_that_passes_is_shown_less(passed: list[bool | None], share: float) -> None:
    assert fade(passed) == pytest.approx(share)


@given(st.lists(st.booleans(), max_size=30))
def test_one_more_pass_never_shows_more(passed: list[bool]) -> None:
    if len(passed) >= 10 and passed[-10]:  # a pass that leaves the window is made up for
        assert fade([*passed, True]) == fade(passed)
    assert fade([*passed, True]) <= fade(passed)


def test_impossible_settings_are_refused() -> None:
    for settings in ({"begin": 0.9, "end": 0.5}, {"least": 0}, {"window": 3, "least": 4}):
        with pytest.raises(ValueError, match="must rise"):
            fade([True], **settings)  # type: ignore[arg-type]
