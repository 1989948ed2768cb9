"""Find a quote in the text it claims to come from, character for character where it stands.

Models change blanks, quotation marks, dashes, letter case and Unicode forms when they copy, and
shorten with an ellipsis; and they are shown control tokens with a blank in them. All of that is folded;
anything else is not the text. A quote is only looked for, never scored: what is nearly there is not there.
"""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_right
from functools import lru_cache
from typing import NamedTuple

from coreact.control_tokens import beginnings
from coreact.rubric.words import words

_PLAIN = str.maketrans(
    {
        # Typographic quotation marks, primes and accents used as such; guillemets; dashes and minus.
        **dict.fromkeys("\u2018\u2019\u201a\u201b\u2032\u0060\u00b4", "'"),
        **dict.fromkeys("\u201c\u201d\u201e\u201f\u2033\u00ab\u00bb", '"'),
        **dict.fromkeys("\u2010\u2011\u2012\u2013\u2014\u2015\u2212", "-"),
    }
)
_ELLIPSIS = re.compile(r"\[ ?(?:\u2026|\.{3,}) ?\]|\u2026|\.{3,}")
_WRAPPING = "\"'\u201c\u201d\u201e\u00ab\u00bb\u2018\u2019 \t\n"
_RUN = re.compile(r"\s{2,}")
_ASCII = {ord("`"): "'", **{at: " " for at in range(128) if chr(at).isspace()}}
_LONG_WORD = 6
_LONGEST = 2000


class Span(NamedTuple):
    """A stretch of a text, in characters, `end` exclusive."""

    start: int
    end: int


def pieces(quote: str) -> tuple[str, ...]:
    """The parts of a quote that claim to be verbatim: what stands between ellipses, unwrapped."""
    parts = (part.strip(_WRAPPING) for part in _ELLIPSIS.split(quote[:_LONGEST]))
    return tuple(part for part in parts if part)


def substantial(quote: str) -> bool:
    """Whether a quote says enough to be evidence: two words, a number of two digits, or a long word.

    `the` and `with` stand in every text and support nothing.
    """
    said = words(quote[:_LONGEST])
    if len(said) != 1:
        return bool(said)
    return len(said[0]) >= _LONG_WORD or (len(said[0]) >= 2 and any(map(str.isdigit, said[0])))


def locate(quote: str, text: str, start: int = 0) -> Span | None:
    """Where a quote stands in a text, from `start` on, or None.

    A quote stands where it begins and ends as words do: `5 percent` is not in `95 percent`.

    Returns:
        Offsets into `text` as it is, whatever was folded to find them; the first place of several.
    """
    wanted = quote.strip()
    if not wanted:
        return None
    at = text.find(wanted, start)
    if at >= 0 and _whole(text, at, at + len(wanted)):
        return Span(at, at + len(wanted))
    needle = _folded(wanted).text.strip()
    if not needle:
        return None
    folded = _folded_ascii(text) if text.isascii() and not beginnings(text) else _folded(text)
    at = folded.text.find(needle)
    while at >= 0:
        found = Span(folded.origin(at), folded.origin(at + len(needle) - 1) + 1)
        if found.start >= start and _whole(text, *found):
            return found
        at = folded.text.find(needle, at + 1)
    return None


def find_all(quote: str, text: str) -> tuple[Span, ...]:
    """Where the pieces of a quote stand in a text, one after the other; empty if one of them does not."""
    found: list[Span] = []
    for piece in pieces(quote):
        span = locate(piece, text, found[-1].end if found else 0)
        if span is None:
            return ()
        found.append(span)
    return tuple(found)


def _whole(text: str, start: int, end: int) -> bool:
    return not (_joined(text, start) or _joined(text, end))


def _joined(text: str, at: int) -> bool:
    """Whether a word goes on over this place. Scripts without spaces have no such places."""
    if not 0 < at < len(text) or not (text[at - 1].isalnum() and text[at].isalnum()):
        return False
    return len(words(text[at - 1 : at + 1])) == 1


class _Folded(NamedTuple):
    """A folded text, and where its characters come from."""

    text: str
    places: tuple[int, ...]
    """Places in the folded text from which on the distance to the original changes, ascending."""
    ahead: tuple[int, ...]
    """How far the original is ahead from each of these places on; negative where folding made more."""

    def origin(self, at: int) -> int:
        """The place in the original text of the character at this place in the folded one."""
        found = bisect_right(self.places, at) - 1
        return at + (self.ahead[found] if found >= 0 else 0)


@lru_cache(maxsize=128)
def _folded_ascii(text: str) -> _Folded:
    """The same as `_folded`, thirty times quicker: only runs of blanks change a text's length."""
    places, ahead, extra = [], [], 0
    for run in _RUN.finditer(text):
        places.append(run.start() - extra + 1)
        extra += run.end() - run.start() - 1
        ahead.append(extra)
    return _Folded(_RUN.sub(" ", text).translate(_ASCII).lower(), tuple(places), tuple(ahead))


@lru_cache(maxsize=128)
def _folded(text: str) -> _Folded:
    kept: list[str] = []
    places, ahead = [0], [0]
    broken = beginnings(text)
    for at, char in enumerate(text):
        if char.isascii():
            plain = char.translate(_PLAIN).lower()
        elif unicodedata.category(char) == "Cf":  # soft hyphens, zero-width characters
            continue
        elif unicodedata.category(char) == "No":  # 10² is not 102
            plain = char
        else:
            plain = unicodedata.normalize("NFKD", char.translate(_PLAIN)).casefold().translate(_PLAIN)
        if at in broken:  # as it is shown
            plain += " "
        for part in plain:
            blank = part.isspace()
            if blank and kept and kept[-1] == " ":
                continue
            if at - len(kept) != ahead[-1]:
                places.append(len(kept))
                ahead.append(at - len(kept))
            kept.append(" " if blank else part)
    return _Folded("".join(kept), tuple(places), tuple(ahead))
