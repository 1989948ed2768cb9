"""Which action a run goes on with: truth tables, schedules, and a coin that is what it says."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from coreact.rubric import Action, ToolCall
from coreact.train.branch.roll_in import Schedule, coin, follow
from coreact.train.branch.screening import Screened

A, B = (Action(call=ToolCall(name="search", arguments={"query": query})) for query in "ab")
STOP = Action(answer="c")
NAMES = {str(A): "A", str(B): "B", str(STOP): "STOP"}


def followed(rule: Any, **given: Any) -> tuple[str, str] | None:
    settings = {"usable": [Screened("m", A)], "teacher": None, "teacher_acts": False, "draw": "d"} | given
    found = follow(rule, settings.pop("candidates", (A, B, STOP)), settings.pop("gains", None), **settings)
    return None if found is None else (found.driver, NAMES[str(found.action)])


def test_the_best_is_followed_and_of_equal_ones_a_call() -> None:
    assert followed("best", gains=(0.0, 1.0, 0.5)) == ("best", "B")
    assert followed("best", gains=(0.0, 0.0, 0.5)) == ("best", "STOP")
    assert followed("best", candidates=(STOP, A), gains=(0.0, 0.0)) == ("best", "A")
    assert followed("best", candidates=()) is None


def test_where_nobody_could_tell_the_worth_one_is_drawn() -> None:
    found = {followed("best", draw=str(at)) for at in range(30)}
    assert found == {("random", "A"), ("random", "B")}


def test_random_draws_a_call_where_there_is_one() -> None:
    found = [followed("random", gains=(1.0, 0.0, 2.0), draw=str(at)) for at in range(200)]
    assert 70 < found.count(("random", "A")) < 130
    assert set(found) == {("random", "A"), ("random", "B")}
    assert followed("random", candidates=(STOP,)) == ("random", "STOP")


def test_teacher_and_student_take_turns() -> None:
    assert followed("teacher", teacher=B, teacher_acts=True) == ("teacher", "B")
    assert followed("teacher", teacher=B, teacher_acts=False) == ("student", "A")
    assert followed("teacher", teacher=None, teacher_acts=True) == ("student", "A"), "one failed call"
    assert followed("teacher", teacher=B, usable=[]) == ("teacher", "B"), "a student without an idea"
    assert followed("teacher", usable=[]) is None


def test_the_student_acts_as_often_as_it_proposes() -> None:
    usable = [Screened("m", A)] * 3 + [Screened("m", B)]
    found = [followed("teacher", usable=usable, draw=str(at)) for at in range(400)]
    assert 270 < found.count(("student", "A")) < 330
    assert [followed("teacher", usable=usable[::-1], draw=str(at)) for at in range(400)] == found


def test_schedules() -> None:
    assert [Schedule().at(x) for x in (-1, 0, 0.25, 1, 2)] == [1, 1, 0.75, 0, 0]
    assert [Schedule.constant(0.3).at(x) for x in (0, 0.5, 1)] == [0.3, 0.3, 0.3]
    assert Schedule(start=0.2, end=0.6).at(0.5) == pytest.approx(0.4)
    with pytest.raises(ValidationError):
        Schedule(start=1.5)


def test_the_coin_repeats_and_is_fair() -> None:
    draws = [coin(f"q{at}", step, 0) for at in range(500) for step in range(4)]
    assert draws == [coin(f"q{at}", step, 0) for at in range(500) for step in range(4)]
    assert all(0 <= one < 1 for one in draws)
    for beta in (0.1, 0.5, 0.9):
        assert sum(one < beta for one in draws) / len(draws) == pytest.approx(beta, abs=0.04)
    assert coin("q", 0, 0) != coin("q", 0, 1) != coin("q", 1, 1)
