from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coreact.worlds import Question, contains_answer, exact_answer, gold_share, normalise_answer


def about(answer: str, *aliases: str, gold: tuple[str, ...] = ("p",)) -> Question:
    return Question(
        id="q",
        question="?",
        answer=answer,
        answer_aliases=aliases,
        hops=1,
        kind="bridge",
        supporting_ids=gold,
    )


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("The  Beatles!", "beatles"),
        ("Yaoundé", "yaounde"),
        ("Łódź", "lodz"),
        ("Guinea-Bissau", "Guinea Bissau"),
        ("St. John\u2019s", "st johns"),
        ("N'Djamena", "Ndjamena"),
        ("1,234", "1234"),
        ("+226", "226"),
        (".bf", "bf"),
        ("ＡＢＣ", "abc"),  # noqa: RUF001
        ("\u22125", "-5"),
        ("1914\u20131918", "1914-1918"),
        ("Straße", "STRASSE"),
        ("İstanbul", "istanbul"),
    ],
)
def test_spellings_of_one_answer(one, other):
    assert normalise_answer(one) == normalise_answer(other)
    assert exact_answer(one, about(other))


@pytest.mark.parametrize(
    ("one", "other"),
    [("3.5", "35"), ("-5", "5"), ("Niger", "Nigeria"), ("か", "が"), ("कि", "क"), ("?", "!"), ("The", "A")],
)
def test_different_answers_stay_different(one, other):
    assert normalise_answer(one) != normalise_answer(other)


@given(st.text())
def test_normalising_is_idempotent_and_never_empties(text):
    once = normalise_answer(text)
    assert normalise_answer(once) == once
    assert bool(once) == bool(text.strip())


@given(st.text(alphabet=st.characters(categories=["Lu", "Ll", "Lo", "Nd"]), min_size=1))
def test_a_word_is_its_own_answer(word):
    assert exact_answer(f"  {word}. ", about(word))
    assert contains_answer(f"It is ({word})!", about(word))


def test_exact_wants_the_whole_answer_and_knows_aliases():
    question = about("West African CFA Franc", "XOF")
    assert exact_answer("the West African CFA franc.", question)
    assert exact_answer("xof", question)
    assert not exact_answer("It is the West African CFA franc", question)
    assert not exact_answer("", question)


def test_contains_wants_whole_words():
    assert contains_answer("It is the XOF, I think.", about("West African CFA Franc", "XOF"))
    assert not contains_answer("He is from Nigeria.", about("Niger"))
    assert contains_answer("Nigeria? No: Niger.", about("Niger"))
    assert contains_answer("首都は東京です。", about("東京"))
    assert not contains_answer("", about("Niger"))


def test_gold_share_counts_each_passage_once():
    question = about("x", gold=("p1", "p2", "p3", "p4"))
    assert gold_share(["p1", "p1", "p9"], question) == 0.25
    assert gold_share([], question) == 0
    assert gold_share(["p4", "p3", "p2", "p1"], question) == 1
