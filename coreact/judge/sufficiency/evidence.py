"""What a trajectory has observed, line by line, and what of a question it has not: read without a model.

Whether the evidence is enough cannot be read off the number of searches. It shows in small things: which
words of the question never came back, whether one line holds what a sub-question asks, whether the line
that the answer stands in hangs together with what was asked about. All of it is comparison of folded
words: no stemming, no synonyms. So "resolved" here means *spoken of*, not *proved*; a judge may know more.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import NamedTuple

from coreact.rubric import State, Step
from coreact.rubric.words import fold, words

MOST_LINES = 400
"""Newest lines that are looked at: a run over whole web pages must not slow its decisions down."""

MOST_CHARS = 50_000
"""Characters of one observation that are read."""

ENOUGH = 0.6
"""Share of a sub-question's content words that one line must hold for it to count as resolved."""

_HOPS = 3
_LINE_CHARS = 600
_SENTENCE = re.compile(r"(?<=[.!?])\s+|(?<=[\u3002\uff01\uff1f])")
_TOKEN = re.compile(r"[^\W_]+")
_BEFORE = " \t\"'(*_\u2018\u201c\u00ab"  # may stand between the end of a sentence and a word
_ENDS = ".!?:;])}\u3002\uff01\uff1f"
FUNCTION_WORDS = frozenset(
    """a about after all also am an and any are as at be been before both but by can could did do does
    during each else find for from give given had has have he her him his how i if in into is it its
    list many may me more most much my name no not of on one or other our out over please s same she
    should so some such tell than that the their them then there these they this those through to under
    up upon was we were what when where which while who whom whose why will with would yes you your""".split()
)
"""English words that say nothing about the subject of a question."""


class Line(NamedTuple):
    """One observed line: of a search result, the text of one hit."""

    text: str
    folded: str
    """The folded text between spaces, for whole-word look-ups."""
    words: frozenset[str]
    keys: frozenset[str]
    """Its telling words: capitalised ones and numbers, folded."""
    inner: frozenset[str]
    """Capitalised ones that do not open a sentence: surely names, where others may be any first word."""


def content_words(text: str) -> tuple[str, ...]:
    """The folded words of a text that say what it is about, in order, each once.

    Where nothing but function words stands there, all of them.
    """
    distinct = tuple(dict.fromkeys(words(text)))
    return tuple(word for word in distinct if word not in FUNCTION_WORDS) or distinct


def keys(text: str) -> tuple[str, ...]:
    """The folded capitalised words and numbers of a text, in order, each once; no function words.

    A script without capital letters yields numbers only.
    """
    found = (
        folded
        for token in _TOKEN.findall(text)
        if token[0].isupper() or token[0].isdigit() or not token.islower()
        for folded in _folded(token)
        if folded not in FUNCTION_WORDS and (token.isascii() or not _caseless(token))
    )
    return tuple(dict.fromkeys(found))


def _inner(text: str) -> frozenset[str]:
    return frozenset(
        folded
        for token in _TOKEN.finditer(text)
        if token.group()[0].isupper() and not _opens(text, token.start())
        for folded in _folded(token.group())
        if folded not in FUNCTION_WORDS
    )


def _opens(text: str, start: int) -> bool:
    before = text[max(0, start - 8) : start].rstrip(_BEFORE)
    return not before or before[-1] in _ENDS


def _folded(token: str) -> tuple[str, ...]:
    return (token.lower(),) if token.isascii() else words(token)  # the same, and many times quicker


def _caseless(token: str) -> bool:
    return token.lower() == token.upper() and not any(char.isdigit() for char in token)


def lines_of(text: str) -> tuple[Line, ...]:
    """The lines of an observation; a long one is cut at the ends of its sentences.

    Of more than `MOST_CHARS` characters the beginning is read.
    """
    return _lines_of(text[:MOST_CHARS])


@lru_cache(maxsize=256)
def _lines_of(text: str) -> tuple[Line, ...]:
    return tuple(
        Line(piece, f" {fold(piece)} ", frozenset(words(piece)), frozenset(keys(piece)), _inner(piece))
        for line in text.splitlines()
        for piece in _pieces(line.strip())
        if words(piece)
    )


def observed(step: Step) -> tuple[Line, ...]:
    """The lines that a step brought: none for an error, nor for a tool's own word on having found nothing.

    The latter is a single line that quotes a text the tool was called with; it would make every word of a
    query count as observed.
    """
    if not step.succeeded or step.observation is None:
        return ()
    found = lines_of(step.observation.text)
    if len(found) == 1 and any(repr(text) in found[0].text for text in step.call.texts if text.strip()):
        return ()
    return found


def _pieces(line: str) -> Iterator[str]:
    if len(line) <= _LINE_CHARS:
        yield line
        return
    held = ""
    for sentence in _SENTENCE.split(line):
        rest = sentence
        while len(rest) > _LINE_CHARS:  # no end of a sentence in sight
            yield rest[:_LINE_CHARS]
            rest = rest[_LINE_CHARS:]
        if held and len(held) + len(rest) > _LINE_CHARS:
            yield held
            held = ""
        held = f"{held} {rest}".strip()
    if held:
        yield held


class Evidence:
    """The distinct lines that a trajectory observed, errors left out.

    Args:
        state: the trajectory.
    """

    def __init__(self, state: State) -> None:
        distinct: dict[str, Line] = {}
        for step in state.steps:
            for line in observed(step):
                distinct.setdefault(line.folded, line)
        self.lines: tuple[Line, ...] = tuple(distinct.values())[-MOST_LINES:]
        """Oldest first."""

    def coverage(self, text: str) -> float:
        """Share of the content words of a text that stand in any line, in [0, 1]."""
        return self._share(content_words(text))

    def names_covered(self, text: str) -> float | None:
        """Share of the telling words of a text that stand in any line; None where it has none."""
        found = keys(text)
        return self._share(found) if found else None

    def _share(self, wanted: tuple[str, ...]) -> float:
        if not wanted:
            return 0.0
        return sum(any(word in line.words for line in self.lines) for word in wanted) / len(wanted)

    def best_line(self, text: str, among: Iterable[Line] | None = None) -> float:
        """The largest share of a text's content words that one single line holds, in [0, 1]."""
        wanted = frozenset(content_words(text))
        chosen = self.lines if among is None else among
        return (
            max((len(wanted & line.words) / len(wanted) for line in chosen), default=0.0) if wanted else 0.0
        )

    def resolves(self, text: str, *, share: float = ENOUGH) -> bool:
        """Whether one line speaks of what a sub-question asks.

        That line holds all telling words of the sub-question and at least `share` of its content words.
        """
        named, wanted = frozenset(keys(text)), frozenset(content_words(text))
        if not wanted:
            return False
        return any(
            named <= line.words and len(wanted & line.words) >= share * len(wanted) for line in self.lines
        )

    def holding(self, text: str) -> tuple[Line, ...]:
        """The lines in which a short text stands, as whole words in its order."""
        needle = f" {fold(text)} "
        return () if needle.isspace() else tuple(line for line in self.lines if needle in line.folded)

    def reached(self, start: Iterable[Line], question: str) -> float | None:
        """How much of what is asked about hangs together with some lines.

        From the lines on, others are reached that share a name with them. A name is a word that is somewhere
        capitalised within a sentence; those of the question itself link nothing, else all lines about its
        topic would hang together.

        Args:
            start: where to begin, such as the lines that an answer stands in.
            question: what is asked.

        Returns:
            Share of the question's telling words that stand in a reached line, in [0, 1]; None where the
            question has none.
        """
        asked = frozenset(keys(question))
        if not asked:
            return None
        here = list(start)
        reached: set[Line] = set(here)
        names = frozenset(name for line in self.lines for name in line.inner) - asked
        for _ in range(_HOPS):
            links = names.intersection(key for line in here for key in line.keys)
            here = [line for line in self.lines if line not in reached and not links.isdisjoint(line.keys)]
            if not here:
                break
            reached.update(here)
        return sum(any(word in line.words for line in reached) for word in asked) / len(asked)
