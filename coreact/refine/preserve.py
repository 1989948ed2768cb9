"""Whether a revision kept what nobody objected to: numbers, quoted passages and addresses, by code.

A reviser that is told to mend one sentence likes to rewrite the others, and every later round turns
some right answers into wrong ones. So what stands in a part of the answer that no point of the
feedback speaks of has to stand in the revision as well, wherever it stands there. A part is a
sentence; feedback speaks of it where they share a telling word or a number. Feedback that speaks of
no part in particular is about the whole answer, and then nothing is held.

Only what code can compare is held: wording may change freely. Source of the idea: APRES, which
rejects revisions that alter the science; how it compares is ours.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from decimal import Decimal, InvalidOperation
from typing import NamedTuple

from coreact.rubric.words import fold, urls, words

_SENTENCE = re.compile(r"\n+|(?<=[.!?])\s+|(?<=[\u3002\uff01\uff1f])")
# No part of a name (H2O, v1.2): a letter of a script with spaces must not stand before it.
_NAME = r"A-Za-z_\u00c0-\u052f\d"
_NUMBER = re.compile(
    rf"(?:(?<![^\s(])[-\u2212])?(?<![{_NAME}])(?<![{_NAME}][.,])\.?\d+(?:[.,'\u2019\u00a0\u202f]\d+)*"
)
_MARKS = re.compile(r"\[\^?\d{1,3}(?:\s*[,–-]\s*\d{1,3})*\]|^\s*\d{1,3}[.)]\s", re.MULTILINE)
"""Citation marks and list numbers: they change with every edit and say nothing."""
_ADDRESS = re.compile(r"https?://\S+", re.IGNORECASE)
_QUOTED = re.compile(r"[\"“„«]([^\"“”„«»\n]{8,400})[\"”“»]")
_THOUSANDS = re.compile(r"\d{1,3}(?:,\d{3})+(?:\.\d+)?")
_TELLING = 4


class Fact(NamedTuple):
    """Something in a text that must not change unasked."""

    kind: str
    """`number`, `quote` or `address`."""
    text: str
    """As it is written."""
    key: str
    """Equal for equal facts, however they are written."""


def facts(text: str) -> tuple[Fact, ...]:
    """The numbers, quoted passages of at least two words and addresses of a text, in that order."""
    bare = _MARKS.sub(" ", _ADDRESS.sub(" ", text))
    found = [Fact("number", written, _value(written)) for written in _NUMBER.findall(bare)]
    for passage in _QUOTED.findall(text):
        key = fold(passage)
        if " " in key:
            found.append(Fact("quote", passage, key))
    found += [Fact("address", address, address) for address in urls(text)]
    return tuple(found)


def _value(written: str) -> str:
    plain = unicodedata.normalize("NFKC", written)
    plain = re.sub(r"['\u2019\s]", "", plain).replace("\u2212", "-")
    unsigned = plain.lstrip("-")
    if _THOUSANDS.fullmatch(unsigned):
        plain = plain.replace(",", "")
    elif unsigned.count(".") > 1:
        plain = plain.replace(".", "")
    plain = plain.replace(",", ".")
    try:
        return f"{Decimal(plain).normalize():f}"
    except InvalidOperation:  # several decimal points: a version, a date
        return plain


def lost(before: str, after: str, *, about: Sequence[str]) -> tuple[str, ...]:
    """What a revision lost though nobody asked for it.

    Args:
        before: the answer that was revised.
        after: the revision.
        about: the texts of the feedback that say what is to change.

    Returns:
        The lost numbers, quotes and addresses as `before` has them, each once, in order.
    """
    parts = [part for part in _SENTENCE.split(before) if part and part.strip()]
    spoken_of = _spoken_of(parts, about)
    if not any(spoken_of):
        return ()
    here = {(fact.kind, fact.key) for fact in facts(after)}
    folded = f" {fold(after)} "
    missing: dict[tuple[str, str], str] = {}
    for part, is_open in zip(parts, spoken_of, strict=True):
        if is_open:
            continue
        for fact in facts(part):
            kept = f" {fact.key} " in folded if fact.kind == "quote" else (fact.kind, fact.key) in here
            if not kept:
                missing.setdefault((fact.kind, fact.key), fact.text)
    return tuple(missing.values())


def _spoken_of(parts: Sequence[str], about: Sequence[str]) -> list[bool]:
    told = frozenset(word for text in about for word in _telling(text))
    named = {(fact.kind, fact.key) for text in about for fact in facts(text)}
    own = [frozenset(_telling(part)) for part in parts]
    shared = Counter(word for found in own for word in found)
    # A word that most parts share points at none of them.
    common = {word for word, count in shared.items() if len(parts) > 1 and 2 * count > len(parts)}
    return [
        bool((found & told) - common) or any((fact.kind, fact.key) in named for fact in facts(part))
        for part, found in zip(parts, own, strict=True)
    ]


def _telling(text: str) -> Iterable[str]:
    for word in words(_ADDRESS.sub(" ", text)):
        if not word.isdigit() and (len(word) >= _TELLING or not word.isascii()):
            yield word
