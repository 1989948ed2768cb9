"""Citations as agents write them: numbers in brackets, footnotes, links, addresses, labels.

Everything is found by one pass of bounded patterns, so a long or hostile answer costs its length.
What is not taken for a citation: inline code, images, brackets that are neither numbers nor a label
somebody observed (`[sic]`), number pairs with a zero (`[0, 1]`), superscripts, author and year.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

from coreact.rubric.words import canonical_url, fold

# Brackets belong to an address in pairs; punctuation of the sentence behind it does not, nor does that
# of Chinese and Japanese, where no blank stands before or after an address.
_CHAR = (
    r"[^\s<>\"'`\]\[{}|\\^()\u3001\u3002\u3008-\u3011\u201c\u201d\uff01\uff08\uff09\uff0c\uff1a\uff1b\uff1f]"
)
_ADDRESS = rf"https?://(?:{_CHAR}|\({_CHAR}*\))+(?<![.,;:!?*_])"
_MARK = re.compile(
    r"(?P<code>(?P<ticks>`{1,3})[^`\n]{1,400}(?P=ticks)(?!`))"
    r"|(?P<image>!\[[^\[\]\n]{0,300}\]\([^\s()]{0,2000}\))"
    rf"|\[(?P<shown>(?:[^\[\]\n]|\[[^\[\]\n]{{0,80}}\]){{0,300}})\]\(\s?<?(?P<linked>{_ADDRESS})[*_]*>?(?:\s\"[^\"\n]{{0,300}}\")?\s?\)"
    r"|【(?P<lens>\d{1,3})(?::\d{1,3})?(?:†[^】\n]{0,200})?】"
    r"|\[(?P<label>[^\[\]\n]{1,80})\]"
    rf"|<?(?P<bare>{_ADDRESS})>?",
    re.IGNORECASE,
)
_BARE = re.compile(_ADDRESS, re.IGNORECASE)
_NUMBERS = re.compile(r"\^?\d{1,3}(?:\s?[,;–-]\s?\^?\d{1,3})*")
_RANGE = re.compile(r"(\d{1,3})(?:\s?[–-]\s?\^?(\d{1,3}))?")
_WIDEST = 50
_BETWEEN = re.compile(r"[ \t,;\u3001\uff0c\uff1b]*")


class Mark(NamedTuple):
    """One citation, or a stretch of inline code in which there can be none."""

    start: int
    end: int
    labels: tuple[str, ...] = ()
    """Labels it names, to be looked up in the reference list or among the observed ones."""
    address: str | None = None
    """The address it gives, canonical."""
    shown: tuple[int, int] | None = None
    """Where the text of a link stands."""

    @property
    def cites(self) -> bool:
        """Whether it is a citation."""
        return bool(self.labels) or self.address is not None


def marks(text: str, known: Collection[str] = frozenset()) -> Iterator[Mark]:
    """The citations and the code in a text, in order.

    Args:
        text: the text.
        known: folded labels that count as citations when they stand in brackets.
    """
    for match in _MARK.finditer(text):
        start, end = match.span()
        if match["code"] or match["image"]:
            yield Mark(start, end)
        elif match["linked"]:
            # A number that is linked, `[1](address)` or `[[1]](address)`, is no part of the sentence.
            says = not _NUMBERS.fullmatch(match["shown"].strip(" []")) and match["shown"].strip()
            shown = match.span("shown") if says else None
            yield Mark(start, end, address=canonical_url(match["linked"]), shown=shown)
        elif match["lens"]:
            yield Mark(start, end, labels=(match["lens"],))
        elif match["bare"]:
            yield Mark(start, end, address=canonical_url(match["bare"]))
        elif labels := _labels(match["label"], known):
            yield Mark(start, end, labels=labels)


def addresses(text: str) -> Iterator[tuple[int, str]]:
    """The http(s) addresses in a text: where each begins, and its canonical form; repeats kept."""
    for match in _BARE.finditer(text):
        yield match.start(), canonical_url(match.group())


def without_addresses(text: str) -> str:
    """The text with a blank for every http(s) address in it."""
    return _BARE.sub(" ", text)


def _labels(inside: str, known: Collection[str]) -> tuple[str, ...]:
    inside = inside.strip()
    if _NUMBERS.fullmatch(inside):
        spans = [(int(low), int(high or low)) for low, high in _RANGE.findall(inside)]
        if any(first == 0 for first, _ in spans):
            return ()
        listed = [str(n) for first, last in spans for n in range(first, min(last, first + _WIDEST) + 1)]
        return tuple(dict.fromkeys(listed))
    if len(inside) > 1 and inside[0] == "^" and " " not in inside:
        return (inside[1:],)
    parts = [part.strip() for part in inside.split(",")]
    return tuple(parts) if all(fold(part) in known for part in parts) else ()


def masked(text: str, found: Sequence[Mark]) -> str:
    """The text with citations blanked out, character for character as long.

    The text of a link stays (at the link's beginning), unless the link stands in brackets with nothing
    but citations (`([site](address))`). Inline code becomes letters: its stops end no sentence.
    """
    parts: list[str] = []
    at = 0
    for run in _runs(text, found):
        start, end = run[0].start, run[-1].end
        aside = text[start - 1 : start] in ("(", "（") and text[end : end + 1] in (")", "）")
        if aside and all(mark.cites for mark in run):
            parts += [text[at : start - 1], " " * (end - start + 2)]
            at = end + 1
            continue
        for mark in run:
            between = text[at : mark.start]
            # Commas between numbers in brackets go with them; those between links belong to the text.
            parts.append(" " * len(between) if mark is not run[0] and mark.shown is None else between)
            if mark.shown is None:
                parts.append((" " if mark.cites else "x") * (mark.end - mark.start))
            else:
                shown = text[mark.shown[0] : mark.shown[1]]
                parts.append(shown.ljust(mark.end - mark.start))
            at = mark.end
    parts.append(text[at:])
    return "".join(parts)


def _runs(text: str, found: Sequence[Mark]) -> Iterable[list[Mark]]:
    """Marks that follow each other with nothing but commas between, together."""
    if not found:
        return
    run = [found[0]]
    for left, right in pairwise(found):
        if _BETWEEN.fullmatch(text, left.end, right.start):
            run.append(right)
        else:
            yield run
            run = [right]
    yield run
