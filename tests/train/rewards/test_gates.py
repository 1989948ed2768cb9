"""Truth tables of the gates, the ends of their schedules, and what an unknown score does in each."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from coreact.errors import ConfigError
from coreact.rubric import Observation, State, Step, ToolCall
from coreact.train.rewards.gates import Composition, composed, waypoint_coverage
from coreact.train.rewards.schedules import PROCESS_TO_OUTCOME, SOFT_MINIMUM, Schedule, progress

SCORE = st.floats(0, 1)
NAN = math.nan


def table(gate: str, outcome: list[float | None], process: list[float | None], **settings) -> list[float]:
    return composed(outcome, process, Composition.of(gate=gate, **settings)).tolist()


@pytest.mark.parametrize(
    ("gate", "expected"),
    [
        # right with 0, half, all of the process; wrong with the same
        ("none", [0.7, 0.85, 1.0, 0.0, 0.15, 0.3]),
        ("positive_only", [0.7, 0.85, 1.0, 0.0, 0.0, 0.0]),
        ("negative_only", [1.0, 1.0, 1.0, 0.0, 0.15, 0.3]),
    ],
)
def test_truth_tables(gate: str, expected: list[float]) -> None:
    found = table(gate, [1, 1, 1, 0, 0, 0], [0, 0.5, 1, 0, 0.5, 1])
    assert found == pytest.approx(expected)


def test_positive_only_is_measured_by_the_best_of_the_group() -> None:
    assert table("positive_only", [1, 1, 0], [0.2, 0.4, 0.1]) == pytest.approx([0.85, 1.0, 0.0])
    assert table("positive_only", [1, 1, 0], [0.2, 0.4, 0.8]) == pytest.approx([0.775, 0.85, 0.0])
    assert table("positive_only", [1, 1, 0], [0.2, 0.4, 0.1], relative=False) == pytest.approx(
        [0.76, 0.82, 0.0]
    )
    assert table("positive_only", [1, 1], [0, 0]) == pytest.approx([0.7, 0.7])
    groups = composed([[1, 1], [1, 1]], [[0.2, 0.4], [0.8, 1.0]], Composition(gate="positive_only"))
    np.testing.assert_allclose(groups, [[0.85, 1.0], [0.94, 1.0]])  # each by its own best


@given(st.lists(SCORE, min_size=1, max_size=6), st.lists(SCORE, min_size=6, max_size=6))
def test_under_positive_only_wrong_answers_are_indifferent_to_the_rubric(one, other) -> None:
    assert not any(table("positive_only", [0] * len(one), one))
    # And a right one is above every wrong one, whatever either of them collected.
    found = table("positive_only", [1, 0, 0, 0, 0, 0], other)
    assert found[0] >= 0.7 > max(found[1:]) == 0


def test_under_negative_only_waypoints_tell_wrong_answers_apart() -> None:
    right, all_of_it, some, none = table("negative_only", [1, 0, 0, 0], [0, 1, 2 / 3, 0])
    assert some > none == 0
    assert none < some < all_of_it < right == 1


@given(SCORE, SCORE, st.floats(0, 0.99))
def test_rewards_stay_in_range(outcome: float, process: float, share: float) -> None:
    for gate in ("none", "positive_only", "negative_only"):
        (found,) = table(gate, [outcome], [process], share=share)
        assert -1e-12 <= found <= 1 + 1e-12


def test_what_is_unknown_stays_unknown_unless_it_does_not_count() -> None:
    outcome: list[float | None] = [None, 1, 0, None]
    process: list[float | None] = [1, None, None, None]
    np.testing.assert_equal(table("none", outcome, process), [NAN] * 4)
    np.testing.assert_equal(table("positive_only", outcome, process), [NAN, NAN, 0.0, NAN])
    np.testing.assert_equal(table("negative_only", outcome, process), [NAN, 1.0, NAN, NAN])
    np.testing.assert_equal(table("none", outcome, process, share=0), [NAN, 1.0, 0.0, NAN])
    # An unknown process is not the group's best.
    assert table("positive_only", [1, 1], [None, 0.5])[1] == 1.0


def test_process_gives_way_to_outcome() -> None:
    settings = Composition(share=PROCESS_TO_OUTCOME)
    outcome, process = [1.0, 0.0], [0.0, 1.0]
    at = [composed(outcome, process, settings, progress=done).tolist() for done in (0, 0.5, 1)]
    assert at[0] == [0.5, 0.5]
    assert at[1] == [0.75, 0.25]  # 0.75 · 1 + 0.25 · 0
    assert at[2] == [1.0, 0.0]  # the outcome alone
    knob = Schedule(start=0.8, end=0.2)
    assert (knob.at(0), knob.at(1), knob.at(-3), knob.at(7)) == (0.8, 0.2, 0.8, 0.2)
    assert knob.at(0.25) == pytest.approx(0.65)
    assert (SOFT_MINIMUM.at(0), SOFT_MINIMUM.at(1)) == (0.5, 2.0)


@given(st.floats(-5, 5), st.floats(-5, 5), st.lists(st.floats(0, 1), min_size=2, max_size=9))
def test_schedules_are_monotone(start: float, end: float, times: list[float]) -> None:
    values = [Schedule(start=start, end=end).at(time) for time in sorted(times)]
    falling = start > end
    pairs = pairwise(values)
    assert all((a >= b - 1e-9) if falling else (a <= b + 1e-9) for a, b in pairs)


def test_progress_is_a_share_of_the_steps() -> None:
    assert [progress(step, 5) for step in (0, 2, 4, 9)] == [0, 0.5, 1, 1]
    assert progress(0, 1) == 0
    for step, steps in ((0, 0), (-1, 5)):
        with pytest.raises(ValueError, match="step"):
            progress(step, steps)
    with pytest.raises(ValueError, match="not a number"):
        SOFT_MINIMUM.at(NAN)


def test_a_wrong_answer_can_never_be_worth_a_right_one() -> None:
    for share in (1.0, -0.1, Schedule(start=0.2, end=1.0)):
        with pytest.raises(ValidationError, match=r"\[0, 1\)"):
            Composition(share=share)
    with pytest.raises(ConfigError, match="gate"):
        Composition.of(gate="stagwise")
    with pytest.raises(ConfigError, match="Did you mean 'relative'"):
        Composition.of(relativ=True)
    with pytest.raises(ValueError, match="outside"):
        composed([1.5], [0.0])
    with pytest.raises(ValueError, match="outcomes for"):
        composed([1.0, 0.0], [0.5])


# --- waypoints -------------------------------------------------------------------------------------

WAY = (("Ada Blom",), ("Lund", "Londinum Gothorum"), ("Krona", "Swedish krona"))


def trajectory(*observed: str, failed: bool = False) -> State:
    steps = [
        Step(
            call=ToolCall(name="search", arguments={"query": "Krona"}),
            observation=Observation(text=text, failed=failed),
        )
        for text in observed
    ]
    return State.start("Which currency is used where Ada Blom was born?").after(*steps)


def test_waypoints_are_found_by_name_or_alias_as_whole_words() -> None:
    state = trajectory("ADA BLÖM was born in Londinum Gothorum.", "Kronans kurs")
    assert waypoint_coverage(state, WAY) == pytest.approx(2 / 3)  # "Kronans" is another word
    assert waypoint_coverage(trajectory("She lived in Lunden."), WAY) == 0
    assert waypoint_coverage(trajectory("她出生在隆德。"), (("隆德",), ("克朗",))) == 0.5


def test_what_the_agent_wrote_itself_is_no_find() -> None:
    assert waypoint_coverage(trajectory("nothing here"), WAY) == 0  # it searched for "Krona"
    assert waypoint_coverage(trajectory("no result for Krona", failed=True), WAY) == 0


def test_answer_and_seed_are_no_waypoints() -> None:
    state = trajectory("Ada Blom was born in Lund.")
    assert waypoint_coverage(state, WAY, known=("ada blom", "KRONA")) == 1.0
    assert waypoint_coverage(state, WAY, known=("Ada Blom", "Lund", "Krona")) is None
    assert waypoint_coverage(state, ((" ",), ())) is None
