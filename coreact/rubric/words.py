"""How texts are compared: folding, words, similarity, URLs.

Checks must not depend on case, accents, punctuation or script, and a run of Chinese or Thai
must not count as one word. No stemming and no language detection: both guess.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from functools import lru_cache
from typing import Literal
from urllib.parse import urlsplit, urlunsplit

_ASCII_WORD = re.compile(r"[a-z0-9_]+")
# Accents and points that readers of the script leave out at will, and variation selectors. Marks
# that make another letter stay: vowel signs of India and Thailand, the voicing marks of kana.
_OPTIONAL = re.compile(
    "[\u0300-\u036f\u0483-\u0489\u0591-\u05bd\u05bf\u05c1\u05c2\u05c4\u05c5\u05c7\u0610-\u061a"
    "\u064b-\u065f\u0670\u06d6-\u06dc\u06df-\u06e4\u06e7\u06e8\u06ea-\u06ed\u1ab0-\u1aff\u1dc0-\u1dff"
    "\u20d0-\u20ff\ufe00-\ufe0f\ufe20-\ufe2f\U000e0100-\U000e01ef]"
)
# Scripts written without spaces: each character is a word of its own.
_UNSPACED = re.compile(
    "[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]"
)
_MARKS = 30  # in a row: UAX 15, Stream-Safe Text Format; more than any language writes
_SHORT = 1000  # characters of which even a quadratic sort takes a few milliseconds
_URL = re.compile(r"https?://[^\s<>\"'`\]\[{}|\\^]+", re.IGNORECASE)


@lru_cache(maxsize=4096)
def fold(text: str) -> str:
    """Fold a text for comparison: no accents, no case, one Unicode form, words joined by one space."""
    bare = _OPTIONAL.sub("", normalized(text, "NFKD")).casefold()
    return " ".join(_split(normalized(bare, "NFC")))


def normalized(text: str, form: Literal["NFC", "NFKD"]) -> str:
    """A text in a Unicode form, in time proportional to its length.

    Python sorts a run of combining marks in quadratic time, so that a megabyte of them takes minutes:
    of a long text, runs are cut after as many marks as Unicode's stream-safe form allows.
    """
    if len(text) > _SHORT and not text.isascii():
        text = "".join(_without_piles(text))
    return unicodedata.normalize(form, text)


def _without_piles(text: str) -> Iterator[str]:
    marks = 0
    for char in text:
        marks = marks + 1 if unicodedata.combining(char) else 0
        if marks <= _MARKS:
            yield char


def _split(bare: str) -> list[str]:
    if bare.isascii():
        return _ASCII_WORD.findall(bare)
    spaced = "".join(char if _in_word(char) else " " for char in bare)
    return _UNSPACED.sub(lambda match: f" {match.group()} ", spaced).split()


def _in_word(char: str) -> bool:
    # A mark that was kept (a vowel sign) is no letter to Python, yet it does not end a word.
    return char.isalnum() or char == "_" or unicodedata.category(char)[0] == "M"


def words(text: str) -> tuple[str, ...]:
    """The folded words of a text, in order, repeats kept."""
    return tuple(fold(text).split())


def similarity(left: frozenset[str], right: frozenset[str]) -> float:
    """Jaccard similarity of two word sets, in [0, 1]; two empty sets are equal (1.0)."""
    if not left and not right:
        return 1.0
    return len(left & right) / len(left | right)


def stands_in(value: str, text: str) -> bool:
    """Whether `value` stands in `text` as whole folded words. An empty value stands nowhere."""
    needle = fold(value)
    return bool(needle) and f" {needle} " in f" {fold(text)} "


def is_web_address(text: str) -> bool:
    """Whether a text begins like an http(s) address: the only kind that `urls` finds in texts."""
    return text.strip().lower().startswith(("http://", "https://"))


def canonical_url(url: str) -> str:
    """One spelling per address: lower-case scheme and host, no fragment, no trailing slash."""
    try:
        parts = urlsplit(url.strip())
    except ValueError:  # e.g. an unclosed IPv6 bracket: keep the text as it stands
        return url.strip()
    return urlunsplit((parts.scheme.lower(), parts.netloc.lower(), parts.path.rstrip("/"), parts.query, ""))


def urls(text: str) -> tuple[str, ...]:
    """The http(s) addresses in a text, canonical, in order, without repeats."""
    found: dict[str, None] = {}
    for match in _URL.findall(text):
        found[canonical_url(_without_tail(match))] = None
    return tuple(found)


def _without_tail(address: str) -> str:
    """Take away punctuation of the sentence around it, and brackets that it does not open."""
    end = len(address)
    excess = address.count(")") - address.count("(")
    while end and (address[end - 1] in ".,;:!?*_" or (address[end - 1] == ")" and excess > 0)):
        end -= 1
        excess -= address[end] == ")"
    return address[:end]
