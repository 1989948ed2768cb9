"""Follow-ups: what is asked, what counts as yes, what becomes evidence."""

from __future__ import annotations

from typing import Any

import pytest

from coreact.judge.records import Cost, Verdict
from coreact.judge.scoring import judgement
from coreact.refine import FollowUp, Found
from coreact.refine.follow_up import evidence, planned, read, unclear
from coreact.rubric import Criterion, Rubric, State


def verdict(name: str, status: Any, **more: Any) -> Verdict:
    return Verdict(criterion=name, reason="r", status=status, decided_by=more.pop("by", "j"), **more)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (verdict("a", "unknown"), True),
        (verdict("a", "unknown", fault="model"), True),
        (verdict("a", "unknown", fault="instrument", cause="unsupported", claimed="met"), True),
        (verdict("a", "unknown", fault="instrument", cause="transport"), False),
        (verdict("a", "unknown", fault="instrument"), False),
        (verdict("a", "unknown", by="nobody"), False),
        (verdict("a", "unmet"), False),
        (verdict("a", "met"), False),
    ],
)
def test_unclear_is_what_a_judge_looked_at_and_could_not_tell(given: Verdict, expected: bool) -> None:
    assert unclear(given) is expected


def plan(statuses: str, *proposed: FollowUp, most: int = 3) -> list[str]:
    names = {"?": "unknown", "u": "unmet", "m": "met"}
    rubric = Rubric(criteria=tuple(Criterion(id=f"c{n}", text=f"T{n}.") for n in range(len(statuses))))
    judged = judgement(rubric, [verdict(f"c{n}", names[s]) for n, s in enumerate(statuses)])
    return [one.question for one in planned(rubric, judged, proposed, most=most)]


def test_one_question_for_each_unclear_criterion_and_at_most_three() -> None:
    assert plan("mum") == []
    assert plan("m?u?") == ["Is this so: T1.", "Is this so: T3."]
    assert len(plan("?????")) == 3


def test_proposed_questions_come_first_and_none_is_asked_twice() -> None:
    about = FollowUp(question="Really?", criterion="c0")
    twice = FollowUp(question="really", criterion="c1")
    other = FollowUp(question="Where?", criterion="c1")
    assert plan("??", about) == ["Really?", "Is this so: T1."]
    assert plan("uu", about, twice, other) == ["Really?", "Where?"]
    assert plan("uu", about, other, most=1) == ["Really?"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Yes, it does.", "yes"),
        ("**YES** — page 3", "yes"),
        ("no", "no"),
        ("No: the page says 1990.", "no"),
        ("", "unclear"),
        ("UNCLEAR, the page is gone", "unclear"),
        ("It seems so, yes.", "unclear"),
        ("Nobody knows", "unclear"),
        ("yesterday", "unclear"),
        ("True", "unclear"),
    ],
)
def test_only_what_begins_with_yes_is_yes(text: str, expected: str) -> None:
    finding, cost = read(FollowUp(question="q?"), text)
    assert (finding.answer, cost) == (expected, Cost())
    finding, cost = read(FollowUp(question="q?"), Found(text, Cost(calls=2)))
    assert (finding.answer, cost.calls) == (expected, 2)


def test_findings_become_observations_that_a_judge_can_quote() -> None:
    found = [
        read(FollowUp(question="A?", source="page"), "Yes, on https://a.example/x")[0],
        read(FollowUp(question="B?"), "x" * 9999)[0],
        read(FollowUp(question="C?"), "no")[0].model_copy(update={"failed": True}),
    ]
    steps = evidence(found)
    assert [step.call.arguments for step in steps] == [
        {"question": "A?", "source": "page"},
        {"question": "B?"},
    ]
    assert [step.observation.id for step in steps if step.observation] == ["follow-up-1", "follow-up-2"]
    assert len(found[1].text) == 2000
    assert State.start("q").after(*steps, decisions=0).knows("https://a.example/x")
