"""The page that a small model reads, and the pointers that it writes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coreact.generate.prompt import chat, step_prompt, step_version
from coreact.generate.reading import read_reply
from coreact.generate.sheet import MAX_NAMES, MAX_WORDS, filled, sheet
from coreact.rubric import (
    ArgumentContains,
    DoesNotStop,
    Observation,
    State,
    Step,
    Stops,
    ToolCall,
    ToolContract,
)

SEARCH = ToolContract(
    name="search",
    parameters={
        "type": "object",
        "properties": {"query": {"type": "string"}},
        "required": ["query"],
    },
    role="search",
)
QUESTION = "Which currency is used in the country whose capital is Rabat?"


def searched(state: State, query: str, text: str, *, failed: bool = False) -> State:
    call = ToolCall(name="search", arguments={"query": query})
    return state.after(Step(call=call, observation=Observation(text=text, failed=failed)))


@pytest.fixture
def start() -> State:
    return State.start(QUESTION, tools=(SEARCH,), limit=4)


def test_the_page_of_a_state(start: State) -> None:
    state = searched(start, "Rabat", "Rabat, Morocco: Rabat is the capital of Morocco.\nOslo lies in Norway.")
    assert sheet(state).text == "\n".join(
        [
            'Question: "Which currency is used in the country whose capital is Rabat?"',
            "Words: 1 currency, 2 used, 3 country, 4 capital",
            "1 Rabat (asked searched latest): capital",
            "2 Morocco (near latest): capital",
            "3 Oslo (latest)",
            "4 Norway (latest)",
            "Searches: 1. Calls left: 3.",
        ]
    )


def test_before_the_first_search_only_the_question_is_there(start: State) -> None:
    page = sheet(start)
    assert [one.name for one in page.names] == ["Rabat"]
    assert "1 Rabat (asked)" in page.text.splitlines()
    assert "Searches: 0. Calls left: 4." in page.text


def test_what_failed_was_not_met(start: State) -> None:
    page = sheet(searched(start, "Rabat", "Error: Timeout at Casablanca", failed=True))
    assert [one.name for one in page.names] == ["Rabat"]
    assert page.names[0].searched
    assert "Searches: 0." in page.text


def test_the_nearest_names_are_kept_where_not_all_fit(start: State) -> None:
    noise = "\n".join(f"City{letter} lies far away." for letter in "ABCDEFGHIJKL")
    page = sheet(searched(start, "Rabat", f"{noise}\nRabat is the capital of Morocco."))
    assert len(page.names) == MAX_NAMES
    assert {"Rabat", "Morocco"} <= {one.name for one in page.names}


def test_a_state_without_names_or_words() -> None:
    page = sheet(State.start("why?", tools=(SEARCH,)))
    assert page.text == 'Question: "why?"\nWords: none\nno names\nSearches: 0. Calls left: any.'


def test_pointers_are_filled(start: State) -> None:
    state = searched(start, "Rabat", "Rabat is the capital of Morocco.")
    text = filled("1. [0.5] Search for name 2 or name 1.\n2. [0.5] The query contains word 1.", sheet(state))
    assert text == '1. [0.5] Search for "Morocco" or "Rabat".\n2. [0.5] The query contains "currency".'


@pytest.mark.parametrize("pointer", ["name 0", "name 7", "word 9", "Name 99"])
def test_a_pointer_off_the_page_is_refused(start: State, pointer: str) -> None:
    with pytest.raises(LookupError, match="there is no"):
        filled(f"Search for {pointer}.", sheet(start))


def test_a_reply_is_read_with_checks(start: State) -> None:
    state = searched(start, "Rabat", "Rabat is the capital of Morocco.")
    reply = "1. [0.5] Search for name 2.\n2. [0.3] Do not answer yet.\n3. [0.2] Search for name 40."
    read = read_reply(reply, state, form="sheet", source="me")
    assert read.problem is None
    assert [one.check for one in read.criteria] == [
        ArgumentContains(argument="query", terms=("Morocco",)),
        DoesNotStop(),
    ]
    assert [one.text for one in read.criteria] == ['Search for "Morocco".', "Do not answer yet."]
    assert any(remark.reason == "there is no name 40" for remark in read.remarks)
    answer = read_reply("1. [1] Answer now.", state, form="sheet")
    assert [one.check for one in answer.criteria] == [Stops()]


@pytest.mark.parametrize(
    "text", ["", "no rubric", "1. [0.5] Search for name 40.", "1. [0] Answer now.", "[" * 5000]
)
def test_what_is_no_rubric_has_a_problem_and_no_criterion(start: State, text: str) -> None:
    read = read_reply(text, start, form="sheet")
    assert read.problem is not None
    assert read.criteria == ()
    assert read.rubric is None


def test_the_prompt_is_the_page(start: State) -> None:
    system, user = chat(step_prompt(start, form="sheet"))
    assert (system["role"], user["role"]) == ("system", "user")
    assert user["content"] == sheet(start).text
    assert step_version("sheet") not in (step_version("lines"), step_version("records"))


@given(st.text(max_size=300), st.text(max_size=600))
def test_any_state_has_a_page_within_bounds(question: str, text: str) -> None:
    page = sheet(searched(State.start(question, tools=(SEARCH,)), "x", text))
    assert len(page.names) <= MAX_NAMES
    assert len(page.words) <= MAX_WORDS
    # One line for question, words, each name and the budget: no text can add a line of its own.
    assert len(page.text.splitlines()) == 3 + max(1, len(page.names))


@given(st.text(max_size=400))
def test_reading_never_raises(text: str) -> None:
    state = State.start(QUESTION, tools=(SEARCH,))
    read = read_reply(text, state, form="sheet")
    assert (read.problem is None) == bool(read.criteria)
