"""Folding must join what people write differently and keep apart what is different."""

# ruff: noqa: RUF001 - other scripts are what is tested

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coreact.rubric.words import (
    canonical_url,
    fold,
    is_web_address,
    normalized,
    similarity,
    stands_in,
    urls,
    words,
)


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ("Café", "cafe\u0301"),
        ("STRASSE", "Straße"),
        ("ＡＢＣ １２", "abc 12"),
        ("İstanbul", "istanbul"),
        ("مُحَمَّد", "محمد"),
        ("שָׁלוֹם", "שלום"),
        ("Ελλάδα", "ΕΛΛΑΔΑ"),
        ("don't  stop!", "Don t stop"),
        ("が", "か\u3099"),
        ("❤\ufe0f ok", "ok"),
    ],
)
def test_spellings_of_one_thing_fold_alike(left: str, right: str) -> None:
    assert fold(left) == fold(right)


@pytest.mark.parametrize(
    ("left", "right"),
    [("パリ", "バリ"), ("राम", "रोम"), ("ดี", "ดู"), ("কলা", "কালো"), ("한국", "한글"), ("2019", "2010")],
)
def test_different_words_stay_different(left: str, right: str) -> None:
    assert fold(left) != fold(right)


def test_words_of_scripts_with_and_without_spaces() -> None:
    assert words("Bhārat हिन्दी भाषा") == ("bharat", "हिन्दी", "भाषा")
    assert words("北京在哪里") == tuple("北京在哪里")
    assert words("𠮷野家") == tuple("𠮷野家")
    assert words("GPT在2024年") == ("gpt", "在", "2024", "年")
    assert words("snake_case a-b") == ("snake_case", "a", "b")
    assert words("\u200b…") == ()


@given(st.text(st.characters(codec=None)))
def test_folding_is_total_and_stable(text: str) -> None:
    once = fold(text)
    assert fold(once) == once
    assert once == " ".join(once.split())


def test_whole_words_only() -> None:
    assert stands_in("York", "in New-York.")
    assert not stands_in("ork", "New York")
    assert not stands_in("!!", "!!")
    assert stands_in("北京", "我在北京住")


def test_similarity_is_jaccard() -> None:
    assert similarity(frozenset("ab"), frozenset("bc")) == pytest.approx(1 / 3)
    assert similarity(frozenset(), frozenset()) == 1.0
    assert similarity(frozenset("a"), frozenset()) == 0.0


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("see HTTPS://Ex.ORG/A/#top.", ["https://ex.org/A"]),
        ("(https://x.org/a_(b))", ["https://x.org/a_(b)"]),
        ("[t](https://x.org/q?a=1&b=2), **https://y.org/**", ["https://x.org/q?a=1&b=2", "https://y.org"]),
        ("https://x.org/a https://x.org/a/", ["https://x.org/a"]),
        ("http://a[b http://%5B", ["http://a", "http://%5b"]),
        ("ftp://x.org doc://1", []),
    ],
)
def test_addresses_in_text(text: str, found: list[str]) -> None:
    assert list(urls(text)) == found


def test_a_flood_of_brackets_costs_no_more_than_reading_it() -> None:
    assert urls("http://x" + ")" * 300_000) == ("http://x",)


@given(st.text(st.characters(codec=None)))
def test_addresses_are_total(text: str) -> None:
    for address in urls(f"http://{text} https:{text}"):
        assert canonical_url(address) == canonical_url(canonical_url(address))
    canonical_url(text)
    is_web_address(text)


@pytest.mark.timeout(60)
@pytest.mark.parametrize(
    "marks", ["\u0301\u0323", "\u094d\u093c", "\u0e38\u0e48"], ids=["latin", "nagari", "thai"]
)
def test_a_megabyte_of_combining_marks_is_folded_in_linear_time(marks: str) -> None:
    text = f"before a{marks * 2**18} after"
    assert fold(text).startswith("before a")
    assert fold(text).endswith(" after")
    assert len(normalized(text, "NFC")) < 100


@given(st.text(max_size=50))
def test_a_form_is_unicodes_own_where_no_marks_pile_up(text: str) -> None:
    long = f"{text} {'x' * 1000}"
    for form in ("NFC", "NFKD"):
        assert normalized(long, form) == unicodedata.normalize(form, long)
