"""Leaks: answers in any notation and names of the future are found, what is visible never is."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coreact.generate.grounded import Leak, leaks
from coreact.rubric import Observation, State, Step, ToolCall, ToolContract
from coreact.worlds import gazetteer

QUESTION = "How does ISO abbreviate the country governed from Port-au-Prince?"
FUTURE = (
    "Haiti is governed from Port-au-Prince. Kingston lies in Jamaica.",
    "Its code is HTI, found in 1,936 rows; population 11.4 million. Search results end here.",
    "The president met mud, said the President.",
)


def terms(text: str, **options: object) -> list[tuple[str, str]]:
    return [(leak.kind, text[leak.start : leak.end]) for leak in leaks(text, **options)]  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "answer", "where"),
    [
        ("Answer HTI.", "HTI", "HTI"),
        ("the query contains hti", "HTI", "hti"),
        ("Look for Konigsberg.", "Königsberg", "Konigsberg"),
        ("Look for Brando, Marlon.", "Marlon Brando", "Brando, Marlon"),
        ("It was on June 30, 1998.", "30 June 1998", "June 30, 1998"),
        ("About 1 936 rows.", "1936", "1 936"),
        ("About 1.998 million people.", "1,998,000", "1.998 million"),
        ("There are seven of them.", "7", "seven"),
        ("There are thirty five of them.", "35", "thirty five"),
        ("Beatles or not.", "The Beatles", "Beatles"),
        ("Answer “yes”.", "yes", "yes"),
        ("Choose B.", "B", "B"),
        ("The answer is .do, I think.", ".do", "do"),
        ("回答北京市", "北京", "回答北京市"),
    ],
)
def test_an_answer_is_found_in_any_notation(text: str, answer: str, where: str) -> None:
    assert ("answer", where) in terms(text, answers=[answer])


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("Make no call twice.", "no"),
        ("A query with the yes button of it.", "yes"),
        ("A query is fine.", "A"),
        ("Do not answer yet.", ".do"),
        ("Search for Hilde in Perth.", "Paris Hilton"),
        ("At most 100 words.", "120"),
        ("Search for HTIX.", "HTI"),
        ("Search.", ""),
    ],
)
def test_what_is_no_answer_is_let_be(text: str, answer: str) -> None:
    assert leaks(text, answers=[answer]) == ()


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("Search for the code of Haiti.", "Haiti"),
        ("Search for the Haitian code.", "Haitian"),
        ("Kingston must be in the query.", "Kingston"),
        ("look at jamaica", "jamaica"),
        ("Open the table with 1936 rows.", "1936"),
        ("Name 11.4 million people.", "11.4 million"),
    ],
)
def test_a_name_that_only_comes_later_is_found(text: str, where: str) -> None:
    assert terms(text, visible=QUESTION, future=FUTURE) == [("entity", where)]


@pytest.mark.parametrize(
    "text",
    [
        "Use `search` with Port-au-Prince.",
        "Search for the country and its ISO code.",
        "Make 2 calls at most.",
        "The rows of the table must be read.",
        "Name the president.",
    ],
)
def test_what_does_not_come_later_alone_is_let_be(text: str) -> None:
    assert leaks(text, visible=QUESTION, future=FUTURE) == ()


def test_what_stands_in_the_visible_state_is_no_leak() -> None:
    state = State.start(
        "Is Port-au-Prince in Haiti or in Jamaica?",
        given=("Population figures: 11.4 million.",),
        tools=(ToolContract(name="lookup", description="Knows Kingston."),),
    ).after(
        Step(call=ToolCall(name="lookup", arguments={"q": "HTI"}), observation=Observation(text="1936 rows"))
    )
    text = "Haiti, Jamaica, Kingston, HTI, the 1,936 rows and 11.4 million may be named."
    assert leaks(text, answers=["Haiti", "HTI", "1936"], visible=state, future=FUTURE) == ()


def test_the_words_of_a_name_one_here_and_one_there_do_not_make_it_visible() -> None:
    visible = "Is it in South Africa or in the Sudan?"
    assert terms("Search for South Sudan.", visible=visible, future=["Juba is in South Sudan."]) == [
        ("entity", "South Sudan")
    ]


def test_places_are_those_of_the_text() -> None:
    assert leaks("x HTI, HTI", answers=["HTI"]) == (
        Leak("answer", "HTI", 2, 5),
        Leak("entity", "HTI", 2, 5),
        Leak("answer", "HTI", 7, 10),
        Leak("entity", "HTI", 7, 10),
    )


def test_planted_answers_of_a_world_are_caught_and_its_questions_raise_no_alarm() -> None:
    world = gazetteer(questions=80)
    texts = {passage.id: passage.text for passage in world.passages}
    checked = 0
    for question in world.questions:
        answers = (question.answer, *question.answer_aliases)
        future = [texts[one] for one in question.supporting_ids]
        found = leaks(f"The answer is {question.answer}.", answers=answers, visible=question.question)
        named = any(form in question.question for form in answers)
        assert bool(found) != named, question
        assert leaks(question.question, answers=answers, visible=question.question, future=future) == ()
        for hop in question.chain[1:]:
            # `Korean` is no news to who reads of Korea.
            if hop.entity[:4].lower() not in question.question.lower() and hop.entity[0].isupper():
                checked += 1
                said = f"Search for {hop.entity}."
                assert leaks(said, visible=question.question, future=future), (said, question)
    assert checked > 40


@given(st.text(max_size=80), st.text(max_size=20), st.text(max_size=80))
def test_any_text_is_looked_through(text: str, answer: str, future: str) -> None:
    for leak in leaks(text, answers=[answer], future=[future]):
        assert 0 <= leak.start <= leak.end <= len(text)
    assert leaks(text, answers=[answer], visible=f"{text} . {answer} . {future}", future=[future]) == ()
