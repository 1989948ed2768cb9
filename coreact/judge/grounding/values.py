"""What can be traced without reading: the numbers and names in a text, and whether others hold them.

A claim may be false although all its numbers stand in the source; it is not fully stated by a
source that lacks one of them. So everything here serves a necessary condition, and every doubt is
settled for the claim: several readings of `1.234`, number words, months, rounding, inflected names.
Dates are compared by their numbers, whatever the order they are written in. Units and signs are not
compared, and scripts without capital letters have no names here.
"""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal
from itertools import pairwise
from typing import NamedTuple

from coreact.rubric.words import fold, words

_SCALES = {
    "hundred": 2,
    "thousand": 3,
    "k": 3,
    "million": 6,
    "millions": 6,
    "mn": 6,
    "m": 6,
    "billion": 9,
    "bn": 9,
    "b": 9,
    "trillion": 12,
    "tn": 12,
    "万": 4,
    "萬": 4,
    "亿": 8,
    "億": 8,
}
_UNITS_TOO = frozenset(("k", "m", "b", "mn", "tn"))
_NUMBER = re.compile(
    r"(?<![^\W\d_])(?<![\d.,])"  # not the tail of a word or of another number
    r"(?P<digits>\d{1,3}(?:[,.\u00a0\u202f'’ ]\d{3}){1,9}(?:[.,]\d+)?|\d+(?:[.,]\d+)?|\.\d+)(?![.,]?\d)"
    r"(?:(?P<tail>(?:st|nd|rd|th|s)\b)|[\s\u00a0-]?(?P<scale>" + "|".join(_SCALES) + r")(?![^\W_]))?",
    re.IGNORECASE,
)
_UNITS = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen"
    " sixteen seventeen eighteen nineteen"
).split()
_ORDINALS = "zeroth first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth".split()
_TENS = "twenty thirty forty fifty sixty seventy eighty ninety".split()
_MONTHS = "january february march april may june july august september october november december".split()
_WORDS: dict[str, int] = {
    **{word: at for at, word in enumerate(_UNITS)},
    **{word: at for at, word in enumerate(_ORDINALS)},
    **{word: 10 * at for at, word in enumerate(_TENS, 2)},
    **{word: at for at, word in enumerate(_MONTHS, 1)},
    **{word[:3]: at for at, word in enumerate(_MONTHS, 1)},
    "once": 1,
    "twice": 2,
    "dozen": 12,
    "hundred": 100,
    "thousand": 1000,
    "million": 10**6,
    "billion": 10**9,
}
_DAYS = "monday tuesday wednesday thursday friday saturday sunday".split()
_NO_NAMES = frozenset((*_MONTHS, *_DAYS, "i"))
_CENTURY = re.compile(r"(?<!\d)(?P<first>[12]\d)\d\d[-\u2013/]$")
_DIGITS = re.compile(r"\d{1,18}")
_MOST = 2000  # numbers tried as one half of a sum
_LONGEST = 40  # characters; what is longer is no quantity and no name

_CAPITAL = re.compile(r"(?<!\w)[^\W\d_][^\W_]*(?:['’.\-&][^\W_]+)*(?!\w)")
_INSIDE = frozenset("of de da do dos du del der den van von la le al el bin ibn the".split())
_OPENERS = frozenset(
    """a an the in on at by from of for to with as it he she they we you i this that these those his her its
    their our my when while after before since although though because but and or if so then there here what
    who which how why where is are was were do does did no not yes both each all some most many one
    two""".split()
)
_POSSESSIVE = re.compile(r"['’]s?$")
_STEM = 4


class Number(NamedTuple):
    """A number as it stands in a text."""

    text: str
    readings: tuple[Decimal, ...]
    """What it may mean: `1.234` is a decimal in one country and over a thousand in another."""
    unit: Decimal
    """The place of its last significant digit: how far it may be rounded."""
    start: int
    end: int

    @property
    def year(self) -> bool:
        """Whether it looks like a year: four digits and nothing else."""
        return len(self.text) == 4 and self.text.isdigit() and "1000" <= self.text <= "2199"


def numbers(text: str) -> tuple[Number, ...]:
    """The numbers written in digits, in order."""
    found = []
    for match in _NUMBER.finditer(text):
        digits = match["digits"]
        if len(digits) > _LONGEST:
            continue
        scale = (match["scale"] or "").lower()
        factor = Decimal(10) ** _SCALES.get(scale, 0)
        plain = _readings(digits)
        readings = tuple(dict.fromkeys(value * factor for value in plain))
        if scale in _UNITS_TOO:  # 5 m are five metres, or five million
            readings, factor = tuple(dict.fromkeys((*plain, *readings))), Decimal(1)
        century = _CENTURY.search(text, max(0, match.start() - 5), match.start())
        if century and len(digits) == 2:  # 2018-19 means 2019 as well
            readings += (Decimal(century["first"] + digits),)
        found.append(
            Number(match.group().strip(), readings, _unit(digits, factor), match.start(), match.end())
        )
    return tuple(found)


def _readings(digits: str) -> list[Decimal]:
    grouped = re.sub(r"[\u00a0\u202f'’ ]", "", digits)
    marks = [char for char in grouped if char in ".,"]
    if not marks:
        return [Decimal(grouped)]
    last = marks[-1]
    as_decimal = grouped.replace("," if last == "." else ".", "").replace(",", ".")
    if len(set(marks)) == 2:  # both kinds: the last one is the decimal mark
        return [Decimal(as_decimal)]
    whole = Decimal(re.sub("[.,]", "", grouped))
    if len(marks) > 1:
        return [whole]
    decimal = Decimal(as_decimal)
    return [whole, decimal] if len(grouped) - grouped.index(last) == 4 else [decimal]


def _unit(digits: str, factor: Decimal) -> Decimal:
    value = _readings(digits)[0]
    exponent = value.as_tuple().exponent
    unit = Decimal(1).scaleb(exponent if isinstance(exponent, int) else 0)
    if unit == 1 and value >= 100 and not (len(digits) == 4 and digits.isdigit()):
        zeros = len(str(value)) - len(str(value).rstrip("0"))
        unit = Decimal(1).scaleb(zeros)
    return unit * factor


class Name(NamedTuple):
    """A name as it stands in a text."""

    text: str
    words: tuple[str, ...]
    """Its folded words, without the small ones between."""
    start: int
    end: int


def names(text: str) -> tuple[Name, ...]:
    """Runs of capitalised words, in order; a lone one that opens a sentence may be no name: left out."""
    found: list[Name] = []
    run: list[re.Match[str]] = []

    def close() -> None:
        while run and run[-1].group() in _INSIDE:
            run.pop()
        while run and run[0].group().lower() in _OPENERS and len(run[0].group()) > 1:
            run.pop(0)
        if run and not (len(run) == 1 and _opens(text, run[0])):
            start, end = run[0].start(), run[-1].end()
            parts = tuple(w for token in run if token.group() not in _INSIDE for w in _name_words(token))
            if parts:
                found.append(Name(text[start:end], parts, start, end))
        run.clear()

    for token in _CAPITAL.finditer(text):
        word = token.group()
        if unicodedata.category(text[token.start() - 1 : token.start()] or " ")[0] == "M":
            close()  # a mark that belongs to no letter before it: where the word begins is unclear
            continue
        if run and text[run[-1].end() : token.start()].strip(" "):
            close()
        if (word[0].isupper() and fold(word) not in _NO_NAMES) or (run and word in _INSIDE):
            run.append(token)
        else:
            close()
    close()
    return tuple(found)


def _name_words(token: re.Match[str]) -> list[str]:
    return [word for word in words(_POSSESSIVE.sub("", token.group())) if len(word) > 1]


def _opens(text: str, token: re.Match[str]) -> bool:
    if len(token.group()) > 1 and token.group().isupper():
        return False
    before = text[max(0, token.start() - 8) : token.start()].rstrip(" \"'\u201c\u2018(*_")
    return not before or before[-1] in ".!?:;\n-–—•|>"


class Held:
    """The numbers and words of some texts, to ask whether a number or a name stands in them.

    Args:
        texts: the texts; reading them is linear in their length.
    """

    def __init__(self, texts: Iterable[str] = ()) -> None:
        self._values: set[Decimal] = set()
        self._ordered: list[Decimal] = []
        self._words: set[str] = set()
        self._stems: set[str] = set()
        for text in texts:
            self.add(text)

    def add(self, text: str) -> None:
        """Take in one more text."""
        folded = words(text)
        fresh = set(folded) - self._words
        self._words |= fresh
        self._stems.update(
            word[:size] for word in fresh for size in range(_STEM, min(len(word), _LONGEST) + 1)
        )
        values = {*_written(text), *_spelled(folded)} - self._values
        self._values |= values
        self._ordered += values
        self._ordered.sort()  # what was there is in order already, so this is quick

    def number(self, number: Number) -> bool:
        """Whether the number stands in the texts, exactly or before rounding."""
        if any(reading in self._values for reading in number.readings):
            return True
        if number.unit == 1:
            return False
        for reading in number.readings:
            at = bisect_left(self._ordered, reading - number.unit / 2)
            if at < len(self._ordered) and self._ordered[at] < reading + number.unit:
                return True
        return False

    def derives(self, number: Number) -> bool:
        """Whether two numbers of the texts add up, differ, multiply or divide to it.

        With many numbers most can be had somehow, so this excuses and never proves.
        """
        return any(
            reading - other in self._values
            or reading + other in self._values
            or (other and (reading / other in self._values or reading * other in self._values))
            for reading in number.readings
            for other in self._ordered[:_MOST]
        )

    def name(self, name: Name) -> bool:
        """Whether all words of the name stand in the texts, in whatever form."""
        return all(self.word(word) for word in name.words)

    def word(self, word: str) -> bool:
        """Whether a folded word stands in the texts, or one with the same beginning."""
        return word in self._words or (len(word) > _STEM and word[: max(_STEM, len(word) - 3)] in self._stems)


def _written(text: str) -> Iterator[Decimal]:
    rest = list(text)
    for number in numbers(text):
        yield from number.readings
        rest[number.start : number.end] = " " * (number.end - number.start)
    # What is left of digits, in dates with stops, versions and codes, can still be what is meant.
    for match in _DIGITS.finditer("".join(rest)):
        yield Decimal(match.group())


def _spelled(folded: Sequence[str]) -> Iterator[Decimal]:
    for word, after in pairwise((*folded, "")):
        value = _WORDS.get(word)
        if value is None:
            continue
        yield Decimal(value)
        unit = _WORDS.get(after, 0)
        if value in range(20, 100, 10) and 0 < unit < 10:
            yield Decimal(value + unit)
