"""Which answer is best and when to stop: tables by hand, and laws."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coreact.judge.records import Judgement
from coreact.refine import Progress, RefineSettings, Round, ended


def one(index: int, mark: str) -> Round:
    """A round from a mark: `+` passed, `?` unknown, a digit for a failed one's score; `-` behind: it lost
    something; `=` behind: it repeats."""
    kind = mark[0]
    passed = {"+": True, "?": None}.get(kind, False)
    score = {"+": 1.0, "?": None}.get(kind, int(kind) / 10 if kind.isdigit() else None)
    judged = Judgement(rubric="r", verdicts=(), score=score, passed=passed, judged=0, total=0)
    return Round(
        index=index,
        answer=f"a{index}",
        judgement=judged,
        lost=("41",) if "-" in mark else (),
        repeats=0 if "=" in mark else None,
    )


def progress(marks: str, **more: Any) -> Progress:
    return Progress(rounds=tuple(one(n, mark) for n, mark in enumerate(marks.split())), **more)


@pytest.mark.parametrize(
    ("marks", "best", "outcome"),
    [
        ("", None, "unverified"),
        ("+", 0, "accepted"),
        ("3 +", 1, "accepted"),
        ("3 5 4", 1, "unmet"),
        ("5 5 5", 0, "unmet"),
        ("3 ?", 1, "unverified"),
        ("?", 0, "unverified"),
        ("3 +-", 0, "unmet"),
        ("3 5- 4", 2, "unmet"),
        ("0 ?-", 0, "unmet"),
    ],
)
def test_the_best_answer(marks: str, best: int | None, outcome: str) -> None:
    made = progress(marks)
    assert (made.best.index if made.best else None) == best
    assert made.outcome == outcome


@pytest.mark.parametrize(
    ("marks", "why"),
    [
        ("", "unjudged"),
        ("+", "accepted"),
        ("3 +", "accepted"),
        ("?", "unjudged"),
        ("3 ?", "unjudged"),
        ("3", None),
        ("3 3", None),
        ("3 3 3", "plateau"),
        ("3 5 4", None),
        ("3 5 4 4", "rounds"),
        ("3 4 5 6", "rounds"),
        ("5 3 4", "plateau"),
        ("3 3=", "plateau"),
        ("3 +-", None),
        ("3 +- 3", "plateau"),
        ("3 +- +", "accepted"),
        ("+-", None),
    ],
)
def test_when_it_ends(marks: str, why: str | None) -> None:
    assert ended(progress(marks), RefineSettings()) == why


def test_a_revision_that_could_not_be_made_ends_it() -> None:
    assert ended(progress("3", failed=True), RefineSettings()) == "failed"
    assert ended(progress("3"), RefineSettings(max_rounds=1)) == "rounds"


MARKS = st.lists(
    st.builds(lambda kind, tail: kind + tail, st.sampled_from("+?0123456789"), st.sampled_from(["", "-"])),
    max_size=8,
).map(" ".join)


@given(MARKS, st.integers(1, 10), st.integers(1, 10))
def test_it_always_ends_and_never_calls_the_unjudged_accepted(marks: str, most: int, patience: int) -> None:
    settings = RefineSettings(max_rounds=most, patience=patience)
    made = progress(marks)
    if len(made.rounds) >= most:
        assert ended(made, settings) is not None
    if made.outcome == "accepted":
        best = made.best
        assert best is not None
        assert best.judgement.passed is True
        assert not best.lost


@given(MARKS)
def test_one_more_round_never_makes_the_returned_answer_worse(marks: str) -> None:
    whole = progress(marks)
    for count in range(1, len(whole.rounds)):
        before = Progress(rounds=whole.rounds[:count]).best
        after = Progress(rounds=whole.rounds[: count + 1]).best
        assert before is not None
        assert after is not None
        assert after.worth >= before.worth


@given(MARKS)
def test_progress_survives_a_checkpoint(marks: str) -> None:
    made = progress(marks)
    assert Progress.model_validate(made.model_dump(mode="json")) == made
