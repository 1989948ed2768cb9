"""Guesses: names of the sheet, alone and with a word of the question, drawn by the decision."""

from __future__ import annotations

import pytest

from coreact.generate.sheet import sheet
from coreact.rubric import Action, Observation, State, Step, ToolCall, ToolContract
from coreact.train.branch.guesses import Guesses
from coreact.train.branch.sampling import Decision

SEARCH = ToolContract(
    name="find",
    role="search",
    parameters={"type": "object", "properties": {"q": {"type": "string"}}, "required": ["q"]},
)


def decision(question: str, *tools: ToolContract, name: str = "d", seen: str = "") -> Decision:
    state = State.start(question, tools=tools)
    if seen:
        step = Step(
            call=ToolCall(name="find", arguments={"q": "Omaha Song"}), observation=Observation(text=seen)
        )
        state = state.after(step)
    return Decision(name, "q", state, ())


ASKED = decision("Where was the singer of Omaha Song born?", SEARCH, seen="Omaha Song was sung by Anna Berg.")


def queries(found: list[tuple[str, Action]]) -> list[str]:
    assert {source for source, _ in found} <= {"guess"}
    calls = [action.call for _, action in found]
    assert all(one is not None and one.name == "find" and list(one.arguments) == ["q"] for one in calls)
    return [one.arguments["q"] for one in calls if one is not None]


def test_a_guess_is_a_name_that_was_met_alone_or_with_a_word_of_the_question() -> None:
    page = sheet(ASKED.state)
    names = [one.name for one in page.names]
    assert {"Omaha Song", "Anna Berg"} <= set(names)
    every = queries(Guesses(1000).of(ASKED))
    assert sorted(every) == sorted([*names, *(f"{name} {word}" for name in names for word in page.words)])


def test_no_more_than_asked_for_and_none_twice() -> None:
    for most in (1, 2, 5):
        found = queries(Guesses(most).of(ASKED))
        assert len(found) == len(set(found)) == most


def test_the_decision_draws() -> None:
    drawn = {name: tuple(queries(Guesses(3).of(ASKED._replace(id=name)))) for name in "abcdefgh"}
    assert len(set(drawn.values())) > 4
    assert drawn == {name: tuple(queries(Guesses(3).of(ASKED._replace(id=name)))) for name in "abcdefgh"}


@pytest.mark.parametrize(
    "nothing",
    [
        decision("Where was the singer of Omaha Song born?"),  # no tool
        decision("where was she born?", SEARCH),  # no name
        decision("Where is Omaha?", ToolContract(name="open", role="read", parameters={"type": "object"})),
    ],
)
def test_where_nothing_can_be_guessed(nothing: Decision) -> None:
    assert Guesses(3).of(nothing) == []


def test_how_many_is_part_of_what_decides() -> None:
    assert Guesses(3).id != Guesses(4).id, "a collection under another number is another one"
