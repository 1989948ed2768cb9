"""Checks decide what they can; everything else stays open and is never guessed."""

from __future__ import annotations

import pytest

from coreact.judge import Checked, Judge, Ruling, judgement, run_checks, undecided
from coreact.rubric import (
    Action,
    ArgumentContains,
    Check,
    Criterion,
    Polarity,
    PredicateHolds,
    QuoteInObservation,
    Rubric,
    State,
    ToolCall,
    ToolIs,
    UnknownCheck,
)

STATE = State.start("Who wrote Faust?")
SEARCH = Action(call=ToolCall(name="search", arguments={"query": "Faust"}))
ANSWER = Action(answer="Goethe")


def run(check: Check | None, action: Action = SEARCH, *, polarity: Polarity = "require") -> Checked:
    rubric = Rubric(criteria=(Criterion(id="a", text="t", check=check, polarity=polarity),))
    return run_checks(rubric, action, STATE)


@pytest.mark.parametrize(
    ("check", "action", "required", "forbidden"),
    [
        (ToolIs(tools=("search",)), SEARCH, "met", "unmet"),
        (ToolIs(tools=("open",)), SEARCH, "unmet", "met"),
        (ArgumentContains(argument="query", terms=("x",)), ANSWER, "not_applicable", "not_applicable"),
        (UnknownCheck(kind="later"), SEARCH, "unknown", "unknown"),
    ],
)
def test_a_forbidden_condition_that_holds_is_unmet(
    check: Check, action: Action, required: str, forbidden: str
) -> None:
    assert [verdict.status for verdict in run(check, action).decided] == [required]
    assert [verdict.status for verdict in run(check, action, polarity="forbid").decided] == [forbidden]


def test_prose_is_left_open() -> None:
    checked = run(None)
    assert checked.decided == ()
    assert [criterion.id for criterion in checked.open] == ["a"]


def test_a_check_that_cannot_tell_is_left_to_a_judge() -> None:
    assert [c.id for c in run(QuoteInObservation(quote="x", observation="m9")).open] == ["a"]


@pytest.mark.parametrize("check", [UnknownCheck(kind="later"), PredicateHolds(name="missing")])
def test_a_broken_check_is_unknown_by_the_instruments_fault_and_not_for_a_judge(check: Check) -> None:
    checked = run(check)
    assert checked.open == ()
    assert [(v.status, v.fault, v.decided_by) for v in checked.decided] == [
        ("unknown", "instrument", "check")
    ]


def test_a_mixed_rubric_keeps_order_and_reasons() -> None:
    rubric = Rubric(
        criteria=(
            Criterion(id="p", text="Be kind."),
            Criterion(id="t", text="Search.", check=ToolIs(tools=("search",))),
            Criterion(id="q", text="Be brief."),
            Criterion(id="n", text="No search.", check=ToolIs(tools=("search",)), polarity="forbid"),
        )
    )
    checked = run_checks(rubric, SEARCH, STATE)
    assert [(v.criterion, v.status) for v in checked.decided] == [("t", "met"), ("n", "unmet")]
    assert {v.reason for v in checked.decided} == {"the action calls `search`"}
    assert [criterion.id for criterion in checked.open] == ["p", "q"]
    assert run_checks(rubric, SEARCH, STATE) == checked
    rest = undecided(checked.open, reason="no judge", by="nobody", broken=False)
    found = judgement(rubric, [*checked.decided, *rest])
    assert (found.judged, found.total, found.score, found.passed) == (2, 4, 0.5, None)


@pytest.mark.parametrize(("broken", "fault"), [(True, "instrument"), (False, "none")])
def test_undecided_criteria_say_who_and_why(broken: bool, fault: str) -> None:
    criteria = (Criterion(id="a", text="t"), Criterion(id="b", text="t"))
    verdicts = undecided(criteria, reason="it timed out", by="judge.1", broken=broken)
    assert [v.criterion for v in verdicts] == ["a", "b"]
    assert {(v.status, v.reason, v.decided_by, v.fault) for v in verdicts} == {
        ("unknown", "it timed out", "judge.1", fault)
    }
    assert undecided((), reason="", by="", broken=True) == ()


def test_the_protocol_of_a_judge() -> None:
    class Mine:
        id = "mine.1"

        def judge(self, criteria: object, action: object, state: object) -> Ruling:
            return Ruling(())

        async def ajudge(self, criteria: object, action: object, state: object) -> Ruling:
            return Ruling(())

    assert isinstance(Mine(), Judge)
    assert not isinstance(object(), Judge)
