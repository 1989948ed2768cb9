"""How text is cut into the words that a search goes by.

`Yaoundé` and `Yaounde`, `St. John's` and `St Johns`, `東京` inside a sentence without spaces must find each
other. The rules are those of `coreact.worlds` to the letter (a test compares them), so that an index on disk
and a world in memory find the same passages; they stand here again because this package imports nothing of
`coreact`. English endings only, no dictionary.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from itertools import pairwise

_LETTERS = str.maketrans(
    {
        "ø": "o", "ł": "l", "đ": "d", "ð": "d", "ħ": "h", "ŧ": "t", "\u0131": "i",
        "æ": "ae", "œ": "oe", "þ": "th",
    }
)  # fmt: skip
"""Latin letters that Unicode does not decompose into a base letter and a mark."""

_APOSTROPHE_FORMS = "'`\u00b4\u02b9\u02bb\u02bc\u02bd\u02be\u02bf\u2018\u2019\u201b\u2032\uff07"
"""Characters that stand inside a name as an apostrophe: written or left out without changing the name."""

_APOSTROPHES = re.compile(f"[{_APOSTROPHE_FORMS}]")
_POSSESSIVE = re.compile(f"(?<=\\w)[{_APOSTROPHE_FORMS}]s\\b")
_LATIN_MARKS = re.compile("[\u0300-\u036f]")
_ASCII_WORD = re.compile("[a-z0-9]+")
_UNSPACED = re.compile(
    "[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff]"
)


def fold(text: str) -> str:
    """Lower case without diacritics: `Łódź` becomes `lodz`.

    Apostrophes go too: `N'Djamena` and `Ndjamena` are one name. Marks are dropped from Latin, Greek and
    Cyrillic letters only; where a mark is a letter of its own (Devanagari vowels, Japanese voicing) it
    stays. Compatibility forms (full width, ligatures) are unified.
    """
    if text.isascii():
        return text.lower().replace("'", "").replace("`", "")
    text = _APOSTROPHES.sub("", text)
    # Decomposed twice: case folding may itself bring out a mark (the Turkish dotted capital I does).
    bare = _LATIN_MARKS.sub("", unicodedata.normalize("NFKD", text)).casefold()
    bare = _LATIN_MARKS.sub("", unicodedata.normalize("NFKD", bare)).translate(_LETTERS)
    return unicodedata.normalize("NFC", bare)


def is_unspaced(character: str) -> bool:
    """Whether the script of this character puts no spaces between words (Chinese, Japanese, Thai, …)."""
    return _UNSPACED.match(character) is not None


def words(text: str) -> list[str]:
    """The folded words of a text, in order, repeats kept: the terms a passage is found by.

    English plural and possessive endings are dropped; a run of a script without spaces gives its characters
    and its pairs of neighbouring characters.
    """
    folded = fold(_POSSESSIVE.sub("", text))
    if folded.isascii():
        return [_singular(word) for word in _ASCII_WORD.findall(folded)]
    found: list[str] = []
    for piece in folded.split():
        if piece.isascii():
            found.extend(map(_singular, _ASCII_WORD.findall(piece)))
            continue
        for run in _runs(piece):
            if any(map(is_unspaced, run)):
                found.extend(run)
                found.extend(first + second for first, second in pairwise(run))
            else:
                found.append(_singular(run))
    return found


def query_words(text: str) -> list[str]:
    """The distinct words of a query, in order; stop words only where the query has no other word."""
    distinct = list(dict.fromkeys(words(text)))
    return [word for word in distinct if word not in _STOP_WORDS] or distinct


def _runs(folded: str) -> list[str]:
    """Runs of letters, marks and digits; the `re` word class would split at Indic vowel signs."""
    spaced = "".join(char if unicodedata.category(char)[0] in "LMN" else " " for char in folded)
    return spaced.split()


@lru_cache(maxsize=65_536)
def _singular(word: str) -> str:
    """The plural rule of Harman's S-stemmer, for words of more than three letters."""
    if len(word) <= 3 or not word.endswith("s") or word.endswith(("ss", "us", "is")):
        return word
    if word.endswith("ies") and len(word) > 4:
        return f"{word[:-3]}y"
    return word[:-1]


_STOP_WORDS = frozenset(
    map(
        _singular,
        """
        a about all also am an and any are as at be been but by can could did do does for from had has have he
        her him his how i if in into is it its me more my no not of on or our out she so some than that the
        their them then there these they this to up was we were what when where which while who whom whose why
        will with would you your
        """.split(),
    )
)
"""English words that say nothing about the subject of a query, in the form that `words` gives."""
