"""Pieces of thoughts: what is well formed, what is not, and what each is worth."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coreact.train.rewards.gates import Composition, composed
from coreact.train.rewards.schedules import Schedule
from coreact.train.rewards.thoughts import Unit, thought_score, thought_units


def test_pieces_are_cut_at_their_tags() -> None:
    text = "hm <Plan> find the mayor </Plan>\n so <risk_analysis>names repeat</risk_analysis> done"
    assert thought_units(text) == (Unit("plan", "find the mayor"), Unit("risk_analysis", "names repeat"))
    assert thought_units("no pieces, 1 < 2 > 0") == ()


@pytest.mark.parametrize(
    ("text", "problems"),
    [
        ("<plan>a", ["it is never closed"]),
        ("a</plan>", ["it was never opened"]),
        ("<plan> </plan>", ["it is empty"]),
        ("<plan>a<test>b</test></plan>", ["<test> begins inside of it", "", "it was never opened"]),
        ("<plan>a</test>", ["it was never opened", "it is never closed"]),
    ],
)
def test_what_is_not_well_formed_scores_nothing(text: str, problems: list[str]) -> None:
    units = thought_units(text)
    assert [unit.problem for unit in units] == problems
    well = problems.count("")
    assert thought_score(units, [1.0] * len(units)) == pytest.approx(well / len(units))


def test_what_nobody_could_judge_is_left_out() -> None:
    units = thought_units("<a>1</a><b>2</b><c>3</c>")
    assert thought_score(units, [1.0, None, 0.5]) == 0.75
    assert thought_score(units, [None] * 3) is None
    assert thought_score((), ()) == 0.0
    for scores in ([1.0], [1.0, 2.0, 0.0]):
        with pytest.raises(ValueError):
            thought_score(units, scores)


def test_the_whole_reward_by_hand_in_the_middle_of_training() -> None:
    process = thought_score(thought_units("<a>1</a><b>2"), [0.8, 1.0])
    assert process == 0.4
    faded = Composition(share=Schedule(start=0.8, end=0.2))
    assert composed([1.0], [process], faded, progress=0.5).item() == pytest.approx(0.5 * 1 + 0.5 * 0.4)


@given(st.text(alphabet="<>/ab -_", max_size=60))
def test_any_text_can_be_cut(text: str) -> None:
    units = thought_units(text)
    assert thought_score(units, [1.0] * len(units)) is not None
    assert all(unit.text or unit.problem for unit in units)


def test_many_pieces_end_somewhere() -> None:
    assert len(thought_units("<a>1</a>" * 5000)) == 256
