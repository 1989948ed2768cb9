"""Answers in any script, empty, or a megabyte long: judged like any other, and no text is read too often."""

# ruff: noqa: RUF001 - other scripts are what is tested

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coreact.judge.runner import run_checks
from coreact.judge.scoring import judgement
from coreact.rubric import (
    Action,
    AnswerCitesObserved,
    AnswerObserved,
    ArgumentContains,
    ArgumentEquals,
    ArgumentInRange,
    ArgumentMatches,
    ArgumentsFitSchema,
    Criterion,
    DoesNotStop,
    HasProvenance,
    NotRepeat,
    Observation,
    QuoteInObservation,
    Rubric,
    State,
    Step,
    Stops,
    ToolCall,
    ToolContract,
    ToolIs,
    ToolIsNot,
    UrlSeenUnvisited,
)
from coreact.rubric.checks import AnswerFitsSchema, ArgumentsHaveProvenance

SEARCH = ToolContract(
    name="search",
    role="search",
    read_only=True,
    parameters={"type": "object", "properties": {"query": {"type": "string"}}, "required": ["query"]},
)
CHECKS: tuple[Any, ...] = (
    ToolIs(tools=("search",)),
    ToolIsNot(tools=("search",)),
    ArgumentContains(argument="query", terms=("gold", "金")),
    ArgumentEquals(argument="query", value="gold"),
    ArgumentMatches(argument="query", pattern="(a+)+$"),
    ArgumentInRange(argument="query", minimum=1),
    ArgumentsFitSchema(),
    HasProvenance(argument="query"),
    ArgumentsHaveProvenance(),
    UrlSeenUnvisited(argument="query"),
    NotRepeat(),
    Stops(),
    DoesNotStop(),
    AnswerCitesObserved(),
    AnswerObserved(),
    AnswerFitsSchema(json_schema={"type": "object", "required": ["answer"]}),
    AnswerFitsSchema(json_schema={"type": "string", "pattern": "(a+)+$"}),
    QuoteInObservation(quote="gold and 金"),
)
EVERYTHING = Rubric(
    criteria=tuple(
        Criterion(id=f"c{at}", text="x", check=check, polarity="forbid" if at % 3 == 2 else "require")
        for at, check in enumerate(CHECKS)
    )
)
FOUND = Observation(text="There is gold and 金 at https://gold.org/a. В горах есть золото. في الجبال ذهب")
STATE = State.start("Where is gold?", tools=(SEARCH,)).after(
    Step(call=ToolCall(name="search", arguments={"query": "gold"}), observation=FOUND)
)


def check_whole(text: str, state: State = STATE) -> None:
    """Judge a text as an answer and as an argument; nothing may be missing, and twice is the same."""
    for action in (Action(answer=text), Action(call=ToolCall(name="search", arguments={"query": text}))):
        checked = run_checks(EVERYTHING, action, state)
        assert checked.open == ()
        assert [verdict.criterion for verdict in checked.decided] == [c.id for c in EVERYTHING]
        assert all(verdict.fault == "none" for verdict in checked.decided)
        assert all(len(verdict.reason) < 500 for verdict in checked.decided)
        judged = judgement(EVERYTHING, checked.decided)
        assert judged.passed is not None
        assert judged == judgement(EVERYTHING, run_checks(EVERYTHING, action, state).decided)


SCRIPTS = st.sampled_from(
    [
        "",
        " \t\n",
        "\u200b\ufeff",
        "\x00\x1b[31m",
        "\ud800",
        "золото в горах",
        "ذهب في الجبال",
        "山里有金子，金。",
        "पहाड़ों में सोना",
        "ทองอยู่ในภูเขา",
        "산에 금이 있다",
        "かのやまに きんが あり",
        "‮dlog‬",
        "🥇👩‍👩‍👧‍👦" * 3,
        "Z̷͇͝a̴͈͘l̶̥̕g̸̣͐o̵̤̾",
        "https://gold.org/a https://[ http://",
        '{"answer": "金"}',
        "[[[[" * 30,
        "½ Ⅳ ٣٤ ①",
    ]
)


@settings(max_examples=150)
@given(st.text(st.characters(codec=None), max_size=40) | st.lists(SCRIPTS, max_size=3).map(" ".join))
def test_an_answer_in_any_script_is_judged(text: str) -> None:
    check_whole(text)


@pytest.mark.parametrize("text", ["", " ", "\n\n", "\u200b", "\ufeff"])
def test_an_empty_answer_is_no_answer(text: str) -> None:
    form = AnswerFitsSchema(json_schema={"type": "string", "pattern": r"\pL"})
    rubric = Rubric(criteria=(Criterion(id="form", text="Say something.", check=form),))
    judged = judgement(rubric, run_checks(rubric, Action(answer=text), STATE).decided)
    assert (judged.passed, judged.score) == (False, 0.0)
    assert AnswerObserved().evaluate(Action(answer=text), STATE).status == "not_applicable"


@pytest.mark.parametrize(
    ("answer", "status"),
    [
        ("золото", "met"),
        ("ذَهَب", "met"),
        ("金", "met"),
        ("ГОРАХ!", "met"),
        ("серебро", "unmet"),
        ("銀", "not_applicable"),
    ],
)
def test_what_an_answer_in_another_script_rests_on_is_found(answer: str, status: str) -> None:
    assert AnswerObserved().evaluate(Action(answer=answer), STATE).status == status


MEGABYTE = 2**20
PIECES = [
    "金",
    "ذهب ",
    "(",
    "[",
    '{"a":',
    "\n",
    "https://gold.org/a ",
    "https://x.org/((((",
    "7 ",
    "\ud800",
    "\u0301",
    "`[x](<>",
]


@pytest.mark.timeout(120)
@pytest.mark.parametrize(
    ("piece", "size"), [("gold ", MEGABYTE), *((piece, MEGABYTE // 8) for piece in PIECES)], ids=ascii
)
def test_a_text_may_be_as_long_as_a_megabyte(piece: str, size: int) -> None:
    text = (piece * (size // len(piece) + 1))[:size]
    long = STATE.after(
        Step(call=ToolCall(name="search", arguments={"query": "more"}), observation=Observation(text=text))
    )
    check_whole(text)
    check_whole("gold", long)


class Counted(str):
    """A text that counts how often it is searched."""

    searched = 0
    __slots__ = ()

    def __contains__(self, part: object) -> bool:
        Counted.searched += 1
        return super().__contains__(part)  # type: ignore[operator]

    def split(self, *given: Any) -> list[str]:  # type: ignore[override]
        Counted.searched += 1
        return super().split(*given)


def searches(check: Any, text: str) -> int:
    """How often a check reads the observation to judge a text as an answer and as an argument."""
    seen = Observation(text="gold")
    seen.__dict__["folded"] = Counted(" gold ")
    state = State.start("Where?", tools=(SEARCH,)).after(
        Step(call=ToolCall(name="search", arguments={"query": "gold"}), observation=seen)
    )
    Counted.searched = 0
    for action in (Action(answer=text), Action(call=ToolCall(name="search", arguments={"query": text}))):
        check.evaluate(action, state)
    return Counted.searched


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.kind)
def test_a_longer_text_does_not_make_the_observations_be_read_more_often(check: Any) -> None:
    few, many = (" ".join(f"{n}gold{n}" for n in range(size)) for size in (500, 4000))
    assert searches(check, many) <= searches(check, few) <= 5
    known, more = ("gold " * size for size in (500, 4000))
    assert searches(check, more) <= searches(check, known) <= 5
