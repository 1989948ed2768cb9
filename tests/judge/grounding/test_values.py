"""Numbers and names: what they may mean, and what counts as the same; every doubt settled for the claim."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from coreact.judge.grounding.values import Held, names, numbers


@pytest.mark.parametrize(
    ("text", "readings"),
    [
        ("it has 5 doors", [{5}]),
        ("1,234.5 and 1.234,5", [{Decimal("1234.5")}, {Decimal("1234.5")}]),
        ("1,234,567", [{1234567}]),
        ("1.234", [{1234, Decimal("1.234")}]),
        ("3,5", [{Decimal("3.5")}]),
        (".05", [{Decimal("0.05")}]),
        ("12 345", [{12345}]),
        ("1936 200", [{1936}, {200}]),
        ("1.5 million", [{1500000}]),
        ("$3bn", [{3 * 10**9}]),
        ("5 m", [{5, 5 * 10**6}]),
        ("3万", [{30000}]),
        ("\uff11\uff12", [{12}]),
        ("19th, 1990s", [{19}, {1990}]),
        ("2018–19", [{2018}, {19, 2019}]),
        ("2010-05-04", [{2010}, {5, 2005}, {4}]),
        ("25%", [{25}]),
        ("v1.2.3 B52 o00012", []),
        ("none", []),
        ("9" * 50, []),
    ],
)
def test_readings(text: str, readings: list[set[Decimal | int]]) -> None:
    assert [set(number.readings) for number in numbers(text)] == readings


@pytest.mark.parametrize(
    ("claim", "source", "held"),
    [
        ("1936", "built in 1936", True),
        ("1936", "built in 1937", False),
        ("1936", "built in 19,36", False),
        ("1,482,313", "1482313 people", True),
        ("1.5 million", "1,482,313 people", True),
        ("1.4 million", "1,482,313 people", True),  # "more than 1.4 million"
        ("1.3 million", "1,482,313 people", False),
        ("1,500", "1,482 people", True),
        ("1500", "1482 people", False),  # could be a year: not rounded
        ("12", "twelve men", True),
        ("3rd", "the third man", True),
        ("25", "twenty-five men", True),
        ("25", "twenty men and five women", False),
        ("2010-12-24", "on December 24, 2010", True),
        ("2010-11-24", "on December 24, 2010", False),
        ("2009", "5.5.2009", True),
        ("3.5", "3,5 km", True),
        ("0.5", "5 km", False),
    ],
)
def test_whether_a_number_stands_in_a_text(claim: str, source: str, held: bool) -> None:
    known = Held([source])
    assert all(known.number(number) for number in numbers(claim)) is held


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("It was Barack Obama.", ["Barack Obama"]),
        ("Paris is big, and Rome is old.", ["Rome"]),  # the first may be no name
        ("IBM is big.", ["IBM"]),
        ("The Elbe is long. In Rome it rains.", ["Elbe", "Rome"]),
        ("the Prime Minister of Canada said", ["Prime Minister of Canada"]),
        ("the King of the road", ["King"]),
        ("in May on Monday I saw Brazil's coast", ["Brazil's"]),
        ("Ludwig van Beethoven, Wien", ["Ludwig van Beethoven", "Wien"]),
        ("nothing here", []),
        ("北京是首都", []),
    ],
)
def test_names(text: str, found: list[str]) -> None:
    assert [name.text for name in names(text)] == found


@pytest.mark.parametrize(
    ("name", "source", "held"),
    [
        ("by Omar Bradley", "Omar Nelson Bradley was", True),
        ("by Omar Bradley", "Omar Sharif was", False),
        ("in Germany", "a German town", True),
        ("in Brazilia", "Brazilian towns", True),
        ("of Müller", "Muller was", True),
        ("of Ito", "Italy", False),
    ],
)
def test_whether_a_name_stands_in_a_text(name: str, source: str, held: bool) -> None:
    known = Held([source])
    assert all(known.name(one) for one in names(f"it is {name}")) is held


@pytest.mark.parametrize(
    ("number", "held"),
    [("74", True), ("3946", True), ("97", True), ("20", True), ("2", False), ("75", False)],
)
def test_what_two_known_numbers_yield(number: str, held: bool) -> None:
    known = Held(["born 1936, died 2010, with 4 pets in 388 boxes of 5"])
    assert known.derives(numbers(number)[0]) is held


@given(st.text(max_size=200))
@example("\u0b3cA0")  # a mark without a letter
def test_every_number_and_name_of_a_text_stands_in_it(text: str) -> None:
    known = Held([text])
    for number in numbers(text):
        assert known.number(number)
        assert text[number.start : number.end].strip() == number.text
    for name in names(text):
        assert known.name(name)
        assert text[name.start : name.end] == name.text


@given(st.decimals(0, 10**9, places=2), st.text("abc ,", max_size=5))
def test_a_written_decimal_is_found_again(value: Decimal, around: str) -> None:
    assert all(Held([f"x {value} y"]).number(number) for number in numbers(f"z {value:,} {around}"))


def test_adding_texts_one_by_one_is_the_same_as_all_at_once() -> None:
    texts = ["In 1936 Ito built 12 dams.", "", "Twenty-five men, 3.5 km, Brazil."]
    known = Held()
    for text in texts:
        known.add(text)
    together = Held(texts)
    for question in ("1936", "25", "3.5", "13", "4"):
        number = numbers(question)[0]
        assert known.number(number) == together.number(number)
