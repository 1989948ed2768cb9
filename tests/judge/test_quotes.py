from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coreact.judge import quotes
from coreact.judge.quotes import locate, pieces, substantial

TEXT = "Dune  is a 1965 novel\nby “Frank Herbert” – the first of six. Café Müller."


@pytest.mark.parametrize(
    ("quote", "stands"),
    [
        ("1965 novel", "1965 novel"),
        ("1965 novel by", "1965 novel\nby"),  # other blanks
        ("dune is a 1965 NOVEL", "Dune  is a 1965 novel"),  # other case
        ('by "Frank Herbert" - the', "by “Frank Herbert” – the"),  # plain marks
        (unicodedata.normalize("NFD", "Café Müller"), "Café Müller"),  # another Unicode form
        ("Frank\u200b Herbert", "Frank Herbert"),  # a zero-width blank
        ("ﬁrst of six", "first of six"),  # a ligature
        ("  six. ", "six."),
    ],
)
def test_what_models_change_when_they_copy_is_folded(quote: str, stands: str) -> None:
    span = locate(quote, TEXT)
    assert span is not None
    assert TEXT[span.start : span.end] == stands


@pytest.mark.parametrize(
    "quote", ["1966 novel", "novel by Herbert", "Cafe Muller", "Dune is a novel", "", "   ", "Dune-is"]
)
def test_anything_else_is_not_the_text(quote: str) -> None:
    assert locate(quote, TEXT) is None


@pytest.mark.parametrize(
    ("quote", "text"),
    [
        ("5 percent agreed", "95 percent agreed"),
        ("approved", "It is unapproved."),
        ("102 copies", "10² copies"),
    ],
)
def test_a_part_of_a_word_is_another_word(quote: str, text: str) -> None:
    assert locate(quote, text) is None
    assert locate(quote, f"{text} {quote}!") == (len(text) + 1, len(text) + 1 + len(quote))
    assert locate("東京", "大東京都") == (1, 3)  # no spaces, no such edges


def test_pieces_stand_in_one_text_in_order() -> None:
    assert [TEXT[a:b] for a, b in quotes.find_all("Dune … 1965 … six", TEXT)] == ["Dune", "1965", "six"]
    assert quotes.find_all("six … Dune", TEXT) == ()
    assert quotes.find_all("Dune … nowhere", TEXT) == ()


def test_pieces_between_ellipses_are_quotes_of_their_own() -> None:
    assert pieces("“Dune is … by Frank” [...] six") == ("Dune is", "by Frank", "six")
    assert pieces(" ... ") == ()


@pytest.mark.parametrize(
    ("quote", "enough"),
    [
        ("the", False),
        ("with", False),
        ("of it", True),
        ("Herbert", True),
        ("1965", True),
        ("7", False),
        ("...!", False),
        ("東京", True),
        ("是", False),
        ("", False),
    ],
)
def test_a_quote_must_say_something(quote: str, enough: bool) -> None:
    assert substantial(quote) is enough


@given(st.text(max_size=40), st.text(min_size=1, max_size=20), st.text(max_size=40))
def test_a_true_quote_is_always_found_and_offsets_resolve(before: str, quote: str, after: str) -> None:
    text = f"{before} {quote} {after}"
    span = locate(quote, text)
    if quote.strip():
        assert span is not None
        assert quote.strip() in text[span.start : span.end] or locate(text[span.start : span.end], quote)
    else:
        assert span is None


@given(st.text(max_size=60), st.text(max_size=20))
def test_offsets_never_leave_the_text(text: str, quote: str) -> None:
    span = locate(quote, text)
    if span is not None:
        assert 0 <= span.start < span.end <= len(text)


ASCII = st.text(st.characters(max_codepoint=127), max_size=60)


@given(ASCII)
def test_the_quick_way_for_ascii_is_the_same(text: str) -> None:
    quick, slow = quotes._folded_ascii(text), quotes._folded(text)
    assert quick.text == slow.text
    assert [quick.origin(at) for at in range(len(quick.text))] == [
        slow.origin(at) for at in range(len(slow.text))
    ]


@given(st.text(max_size=60))
def test_every_folded_character_comes_from_a_place_in_the_text(text: str) -> None:
    folded = quotes._folded(text)
    origins = [folded.origin(at) for at in range(len(folded.text))]
    assert origins == sorted(origins)
    assert all(0 <= origin < len(text) for origin in origins)
