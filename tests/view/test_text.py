"""What would act unseen becomes visible; honest text stays as it is."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coreact.view.text import shortened, visible

ANY = st.text(st.characters(codec=None, exclude_categories=()), max_size=80)


@given(ANY)
def test_nothing_unseen_is_left_and_the_result_can_be_encoded(text: str) -> None:
    shown = visible(text)
    shown.encode()
    for char in shown:
        hidden = unicodedata.category(char) in ("Cc", "Cs") or "\u2028" <= char <= "\u202e"
        assert not hidden or char in "\t\n"
    assert visible(shown) == shown


@pytest.mark.parametrize(
    "honest", ["Ünïcødé 来源 ½ “quotes”", "👨\u200d👩\u200d👧 ☕\ufe0f", "a\tb\nc", "क्\u200dष"]
)
def test_honest_text_stays(honest: str) -> None:
    assert visible(honest) == honest


def test_what_a_terminal_or_a_reader_would_be_fooled_by_is_named() -> None:
    assert visible("\x1b[31m\u202egnp.exe\x00\ud800\r\nz") == "⟦U+001B⟧[31m⟦U+202E⟧gnp.exe⟦U+0000⟧⟦U+D800⟧\nz"


@given(ANY, st.integers(2, 40))
def test_shortened_is_short_and_one_line(text: str, limit: int) -> None:
    short = shortened(text, limit)
    assert len(short) <= limit
    assert len(short.splitlines()) <= 1
    if len(text) <= limit and " ".join(text.split()) == text:
        assert short == text
