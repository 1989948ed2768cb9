"""Quotes, code spans, addresses and numbers of a sentence, each put behind one character.

A pattern then reads the words of the sentence and nothing of what it quotes: a quoted "do not" is no
negation, and a quote may be in any language. The characters are from Unicode's private use area; a
sentence that holds some of its own is not read.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from coreact.rubric.words import is_web_address, urls

PHRASE = "\ue000"
"""First of the characters that stand for quoted phrases; those of code spans, addresses, numbers follow."""
CODE = "\ue300"
ADDRESS = "\ue600"
NUMBER = "\ue900"

_RANGE = 0x300
_PRIVATE = re.compile("[\ue000-\uf8ff]")
# ruff: noqa: RUF001 - the quotation marks of several scripts are what this is about
_SPANS = re.compile(
    r"`(?P<code>[^`]{1,200})`"
    r"|“(?P<a>[^“”]*)”|„(?P<b>[^„“”]*)[“”]|«(?P<c>[^«»]*)»|»(?P<i>[^«»]*)«|‹(?P<d>[^‹›]*)›"
    r"|「(?P<e>[^「」]*)」|『(?P<f>[^『』]*)』|《(?P<g>[^《》]*)》"
    r'|"(?P<h>[^"]*)"'
    r"|(?<!\w)'(?P<j>[^'\n]*)'(?!\w)|(?<!\w)‘(?P<k>[^‘’\n]*)’(?!\w)"
    r"|(?P<address>https?://[^\s<>\"'`\]\[{}|\\^]+)"
    r"|(?<![\w.,])(?P<number>[-+]?\d+(?:,\d{3})*(?:\.\d+)?)(?![\w%°€$£,.]*\d|[\w%°€$£])",
    re.IGNORECASE,
)


class Masked(NamedTuple):
    """A sentence whose quotes and the like are single characters."""

    text: str
    meant: dict[str, str]
    """What each character stands for, without quotes."""
    written: dict[str, str]
    """What stood there, with them."""

    def restored(self, part: str) -> str:
        """A part of the masked text as it was written."""
        return "".join(self.written.get(char, char) for char in part)


def masked(text: str) -> Masked | None:
    """Mask a sentence, or None where it cannot be read: an empty quote, a quote left open."""
    if _PRIVATE.search(text):
        return None
    meant: dict[str, str] = {}
    written: dict[str, str] = {}
    pieces: list[str] = []
    at = 0
    for match in _SPANS.finditer(text):
        group = str(match.lastgroup)
        said, whole = match[group], match[0]
        if group == "address":
            kept = len(said) - len(said.rstrip(".,;:!?)"))  # punctuation of the sentence around it
            end = match.end() - kept
            said = whole = text[match.start() : end]
        else:
            end = match.end()
        said = said.strip()
        if not said:
            return None
        char = chr(ord(_kind(group, said)) + len(meant))
        meant[char], written[char] = said, whole
        pieces += [text[at : match.start()], char]
        at = end
    rest = "".join([*pieces, text[at:]])
    if len(meant) >= _RANGE or any(mark in rest for mark in '"“”„«»「」『』《》`'):
        return None
    return Masked(" ".join(rest.split()), meant, written)


def _kind(group: str, said: str) -> str:
    if is_web_address(said) and len(urls(said)) == 1 and " " not in said:
        return ADDRESS
    return {"code": CODE, "address": ADDRESS, "number": NUMBER}.get(group, PHRASE)


def class_of(*kinds: str) -> str:
    """The class of an RE2 pattern that matches the characters of these kinds."""
    ranges = (f"\\x{{{ord(first):X}}}-\\x{{{ord(first) + _RANGE - 1:X}}}" for first in kinds)
    return f"[{''.join(ranges)}]"


def is_of(kind: str, char: str) -> bool:
    """Whether a character stands for something of this kind."""
    return ord(kind) <= ord(char) < ord(kind) + _RANGE
