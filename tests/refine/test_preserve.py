"""Content preservation: a changed number is caught, wording is free, and what feedback names is open."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coreact.refine import facts, lost

RIVER = "The river is 500 km long."
PARIS = "Paris has 2,102,650 inhabitants (https://a.example/paris)."
MOTTO = 'Its motto is "tossed but not sunk".'
ABOUT = ["The river's length is wrong: it is 777 km."]


@pytest.mark.parametrize(
    ("text", "keys"),
    [
        ("1,234,567 and 1234567", ["1234567", "1234567"]),
        ("1.234.567", ["1234567"]),
        ("1'234 and 1\u00a0234", ["1234", "1234"]),
        ("3.50 and 3.5 and 3,5", ["3.5", "3.5", "3.5"]),
        ("-4 °C, \u22124 °C, 3-5", ["-4", "-4", "3", "5"]),
        ("50%, 5km, H2O, v2", ["50", "5"]),
        ("On 2024-05-06 at 10:30", ["2024", "5", "6", "10", "30"]),
        ("0.10 and .5", ["0.1", "0.5"]),
        ("v1.2 and x-ray", []),
        ("٤٢", ["42"]),
        ("as shown [1], [2, 3] and [^4]", []),
        ("1. first\n2) second", []),
        ("https://a.example/2024/x7", []),
    ],
)
def test_numbers_are_equal_however_they_are_written(text: str, keys: list[str]) -> None:
    assert [fact.key for fact in facts(text) if fact.kind == "number"] == keys


def test_quotes_and_addresses_are_facts() -> None:
    found = {fact.kind: fact.key for fact in facts(f"{PARIS} {MOTTO}")}
    assert found == {
        "number": "2102650",
        "quote": "tossed but not sunk",
        "address": "https://a.example/paris",
    }
    assert [f.kind for f in facts('He said "absolutely".')] == [], "a single word is no passage"


@pytest.mark.parametrize(
    ("after", "expected"),
    [
        (f"{PARIS} {MOTTO} The river is 777 km long.", ()),
        (f"The river (777 km) is in Paris (2102650 people, https://a.example/paris/). {MOTTO}", ()),
        (f"Paris has 2,1 million people. {MOTTO} River: 777 km.", ("2,102,650", "https://a.example/paris")),
        (f"{PARIS} Its motto is “Tossed, but not sunk”. 777 km.", ()),
        (f'{PARIS} Its motto is "sunk but not tossed". 777 km.', ("tossed but not sunk",)),
        ("777 km.", ("2,102,650", "https://a.example/paris", "tossed but not sunk")),
    ],
)
def test_what_no_feedback_speaks_of_must_stay(after: str, expected: tuple[str, ...]) -> None:
    assert lost(f"{PARIS} {MOTTO} {RIVER}", after, about=ABOUT) == expected


def test_what_feedback_speaks_of_may_change() -> None:
    assert lost(f"{PARIS} {RIVER}", PARIS, about=ABOUT) == ()
    assert lost(f"{PARIS} {RIVER}", RIVER, about=["2102650 is outdated"]) == (), "named by its number"


@pytest.mark.parametrize(
    ("before", "after", "about"),
    [
        ("The answer is 42.", "The answer is 43.", ["Wrong."]),
        ("It is 42. It was 41.", "It is 1. It was 2.", ["Not what was asked for."]),
        ("Rome is 10 km. Rome is 20 km.", "Rome is 5 km.", ["Rome is wrong."]),
        (f"{PARIS} {RIVER}", "", []),
        ("", "42", ["river"]),
    ],
)
def test_feedback_about_no_part_in_particular_holds_nothing(
    before: str, after: str, about: list[str]
) -> None:
    assert lost(before, after, about=about) == ()


def test_scripts_without_spaces() -> None:
    before = "人口は2102650人です。川の長さは500キロです。"
    assert lost(before, "人口は99人です。川は777キロです。", about=["川の長さが違う"]) == ("2102650",)
    assert lost(before, "人口は2102650人です。川は777キロです。", about=["川の長さが違う"]) == ()


SENTENCES = st.lists(
    st.sampled_from([PARIS, RIVER, MOTTO, "Gold was found in 1849.", "See https://b.example/x."]), max_size=6
).map(" ".join)


@given(SENTENCES, st.lists(st.sampled_from(["river length", "gold 1849", "motto", "zzz"]), max_size=3))
def test_a_revision_that_changes_nothing_or_only_adds_loses_nothing(before: str, about: list[str]) -> None:
    assert lost(before, before, about=about) == ()
    assert lost(before, f"By the way. {before} And more: 7.", about=about) == ()


@given(SENTENCES, SENTENCES, st.lists(st.sampled_from(["river length", "gold", "motto"]), max_size=3))
def test_what_is_lost_was_there_and_is_gone(before: str, after: str, about: list[str]) -> None:
    gone = lost(before, after, about=about)
    assert len(set(gone)) == len(gone)
    here = {fact.key for fact in facts(after)}
    for text in gone:
        assert text in before
        assert not {fact.key for fact in facts(f"{text}")} & here


@given(st.text(), st.text(), st.lists(st.text(), max_size=3))
def test_no_text_breaks_it(before: str, after: str, about: list[str]) -> None:
    lost(before, after, about=about)
