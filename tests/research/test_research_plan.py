"""Plans: read strictly, changed only with a trace, and never stuck."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from langchain_core.messages import AIMessage

from coreact.research import Plan, PlanReplyError, SubQuestion, fallback_plan, read_plan, read_review
from coreact.research.plan import MAX_TRIES, PlanRemark


def sub(sub_id: str, text: str = "", depends_on: tuple[str, ...] = ()) -> dict[str, Any]:
    return {"id": sub_id, "text": text or f"What is {sub_id}?", "depends_on": list(depends_on)}


def written(*subs: dict[str, Any]) -> AIMessage:
    return AIMessage(json.dumps({"sub_questions": list(subs)}))


def test_a_plan_is_read_and_its_beginning_is_on_record() -> None:
    plan = read_plan(written(sub("a"), sub("b", depends_on=("a",))))
    assert [(one.id, one.depends_on, one.status) for one in plan.sub_questions] == [
        ("a", (), "open"),
        ("b", ("a",), "open"),
    ]
    assert [(change.round, change.deed, change.sub_question) for change in plan.changes] == [
        (0, "planned", "a"),
        (0, "planned", "b"),
    ]


@pytest.mark.parametrize(
    ("message", "problem", "words"),
    [
        (AIMessage("First I would look at Jamaica."), "unreadable", "not one complete JSON object"),
        (AIMessage(""), "unreadable", "empty"),
        (AIMessage('{"sub_questions": []}'), "unreadable", "at least 1"),
        (AIMessage('{"sub_questions": [{"id": "a"}]}'), "unreadable", "text"),
        (AIMessage('{"sub_questions": [], "answer": "x"}'), "unreadable", ""),
        (written(sub("a"), sub("a", "Something else?")), "contradictory", "same id"),
        (written(sub("a", "Who?"), sub("b", "who")), "contradictory", "ask the same"),
        (written(sub("a", depends_on=("z",))), "contradictory", "does not have"),
        (written(sub("a", depends_on=("a",))), "contradictory", "circle"),
        (written(sub("a", depends_on=("b",)), sub("b", depends_on=("a",))), "contradictory", "circle"),
        (written(sub("a", " ")), "contradictory", "no text"),
        (written(*(sub(f"q{n}") for n in range(7))), "unreadable", "at most 6"),
    ],
)
def test_what_breaks_the_rules_is_no_plan(message: AIMessage, problem: str, words: str) -> None:
    with pytest.raises(PlanReplyError) as caught:
        read_plan(message)
    assert caught.value.remark.problem == problem
    assert words in caught.value.remark.reason


def test_the_fallback_is_the_question_and_says_why() -> None:
    remark = PlanRemark(stage="plan", problem="unreadable", reason="it is empty")
    plan = fallback_plan("¿Dónde está el oro?", remark)
    assert [one.text for one in plan.ready] == ["¿Dónde está el oro?"]
    assert plan.remarks == (remark,)


def test_a_dependent_waits_until_what_it_needs_is_answered_or_dropped() -> None:
    plan = read_plan(written(sub("a"), sub("b"), sub("c", depends_on=("a", "b"))))
    assert [one.id for one in plan.ready] == ["a", "b"]
    plan = plan.told("a", "It is gold.", ["m1"], round=1)
    assert [one.id for one in plan.ready] == ["b"]
    for round_ in range(MAX_TRIES):
        plan = plan.told("b", "", [], round=round_ + 1)
    assert plan.find("b").status == "dropped"
    assert [one.id for one in plan.ready] == ["c"]
    assert [(c.deed, c.sub_question) for c in plan.changes[3:]] == [
        ("answered", "a"),
        ("tried", "b"),
        ("tried", "b"),
        ("dropped", "b"),
    ]


def test_a_finding_without_evidence_is_none() -> None:
    plan = read_plan(written(sub("a"))).told("a", "Jamaica, as everybody knows.", [], round=1)
    assert plan.find("a").status == "open"
    assert plan.find("a").finding == ""


def test_evidence_of_several_tries_adds_up() -> None:
    plan = (
        read_plan(written(sub("a"))).told("a", "", ["m1"], round=1).told("a", "Gold.", ["m1", "m2"], round=2)
    )
    assert plan.find("a").evidence == ("m1", "m2")
    assert plan.find("a").status == "answered"


def test_a_review_adds_and_drops_and_is_on_record() -> None:
    plan = read_plan(written(sub("a"), sub("b")))
    reply = AIMessage(json.dumps({"add": [sub("c", depends_on=("b",))], "drop": ["b"]}))
    plan = plan.reviewed(read_review(reply, plan), round=1)
    assert [one.id for one in plan.ready] == ["a", "c"]
    assert [(c.round, c.deed, c.sub_question) for c in plan.changes[2:]] == [
        (1, "dropped", "b"),
        (1, "added", "c"),
    ]


def test_a_review_drops_no_answer() -> None:
    plan = read_plan(written(sub("a"))).told("a", "Gold.", ["m1"], round=1)
    reply = AIMessage(json.dumps({"add": [], "drop": ["a"]}))
    assert plan.reviewed(read_review(reply, plan), round=1).find("a").status == "answered"


@pytest.mark.parametrize(
    "reply",
    [
        {"add": [sub("a", "Another?")], "drop": []},
        {"add": [sub("b", "What is a?")], "drop": []},
        {"add": [sub("b", depends_on=("z",))], "drop": []},
        {"add": [], "drop": ["z"]},
        {"add": []},
    ],
)
def test_a_review_that_breaks_the_rules_is_none(reply: dict[str, Any]) -> None:
    plan = read_plan(written(sub("a")))
    with pytest.raises(PlanReplyError) as caught:
        read_review(AIMessage(json.dumps(reply)), plan)
    assert caught.value.remark.stage == "review"


@st.composite
def plans(draw: st.DrawFn) -> Plan:
    count = draw(st.integers(1, 6))
    return Plan(
        sub_questions=tuple(
            SubQuestion(
                id=f"q{n}",
                text=f"Question {n}?",
                depends_on=tuple(f"q{m}" for m in range(n) if draw(st.booleans())),
                status=draw(st.sampled_from(["open", "answered", "dropped"])),
            )
            for n in range(count)
        )
    )


@given(plans(), st.integers(1, 20), st.integers(1, 6))
def test_a_wave_spends_what_is_left_and_no_more(plan: Plan, left: int, width: int) -> None:
    wave = plan.wave(left, width=width)
    assert bool(wave) == bool(plan.with_status("open")), "as long as something is open, something is ready"
    shares = [share for _, share in wave]
    assert sum(shares) == (left if wave else 0)
    assert len(wave) <= width
    assert all(share >= 1 for share in shares)
    assert not wave or max(shares) - min(shares) <= 1
    assert Plan.model_validate_json(plan.model_dump_json()) == plan
