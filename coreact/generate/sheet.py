"""The state of a run on one page: what a small model can read, and point at.

A model of a few million parameters cannot read a trajectory of several thousand characters, nor copy a name
out of it without an error. So a sheet lists what a rubric may be about, numbered: the words of the question,
and the names that were met, each with what code knows of it (was it searched, does it stand near a name that
was asked for, which of the question's words stand beside it). The model writes `Search for name 2.`, and
`filled` puts the name in its place. What it cannot point at it cannot name: a number that is not on the sheet
makes the line unreadable.

Nothing is decided here, and no name is ranked: names stand in the order in which they were met.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

from coreact.generate.entities import OPENERS, entities
from coreact.rubric import State
from coreact.rubric.words import fold, words

SHEET = 1
"""Version of the page, part of the prompt's version: raise it when bytes change."""

MAX_NAMES = 6
"""Most names on a sheet."""

MAX_WORDS = 8
"""Most words of the question on a sheet, and beside a name."""

_QUESTION_CHARS = 240
_LETTERS = 4  # from which on a word carries meaning
_POINTER = re.compile(r"\b(name|word)s? (\d{1,3})\b", re.IGNORECASE)


class Named(NamedTuple):
    """A name that was met."""

    name: str
    asked: bool
    """It stands in the question."""
    searched: bool
    """It stands in a query."""
    near: bool
    """It stands in a line with a name of the question or of a query."""
    latest: bool
    """It stands in the last observation."""
    beside: tuple[str, ...]
    """Words of the question in a line with it."""


class Sheet(NamedTuple):
    """What a rubric may be about."""

    names: tuple[Named, ...]
    words: tuple[str, ...]
    """Words of the question, folded, names left out."""
    text: str
    """The page as a model reads it."""


def sheet(state: State) -> Sheet:
    """The sheet of a state. Pure; the same state and budget give the same text."""
    asked_words = _asked(state.question)
    names = _names(state, asked_words)
    lines = [f"Question: {json.dumps(_cut(state.question), ensure_ascii=False)}"]
    lines.append("Words: " + (", ".join(f"{at} {word}" for at, word in enumerate(asked_words, 1)) or "none"))
    lines += [f"{at} {_told(name)}" for at, name in enumerate(names, 1)] or ["no names"]
    found = sum(step.succeeded for step in state.steps)
    left = "any" if state.budget.left is None else state.budget.left
    lines.append(f"Searches: {found}. Calls left: {left}.")
    return Sheet(names, asked_words, "\n".join(lines))


def filled(text: str, page: Sheet) -> str:
    """The text with names and words in the place of their numbers, in quotation marks.

    Raises:
        LookupError: a number is not on the sheet.
    """

    def named(match: re.Match[str]) -> str:
        offered: Sequence[str] = (
            [one.name for one in page.names] if match[1].lower() == "name" else page.words
        )
        at = int(match[2])
        if not 1 <= at <= len(offered):
            raise LookupError(f"there is no {match[1].lower()} {at}")
        return f'"{offered[at - 1]}"'

    return _POINTER.sub(named, text)


def _told(name: Named) -> str:
    marks = [
        word
        for word, holds in (
            ("asked", name.asked),
            ("searched", name.searched),
            ("near", name.near),
            ("latest", name.latest),
        )
        if holds
    ]
    beside = f": {' '.join(name.beside)}" if name.beside else ""
    return f"{name.name} ({' '.join(marks) or 'new'}){beside}"


def _cut(question: str) -> str:
    line = " ".join(question.split())
    return line if len(line) <= _QUESTION_CHARS else f"{line[: _QUESTION_CHARS - 1]}…"


@lru_cache(maxsize=256)
def _asked(question: str) -> tuple[str, ...]:
    named = {word for name in entities(question) for word in words(name)}
    kept = (w for w in dict.fromkeys(words(question)) if len(w) >= _LETTERS and w not in OPENERS | named)
    return tuple(kept)[:MAX_WORDS]


class _Met(NamedTuple):
    """A name as it was met, with all lines that hold it."""

    name: str
    lines: list[str]


def _names(state: State, asked_words: Sequence[str]) -> tuple[Named, ...]:
    """Names in the order in which they were met; where there are too many, the farthest go first."""
    asked = entities(state.question)
    folded_asked = {fold(name) for name in asked}
    met: dict[str, _Met] = {fold(name): _Met(name, []) for name in asked}
    last = state.last_observation
    latest: set[str] = set()
    wanted = {word for name in asked for word in words(name)}
    wanted |= {word for query in state.queries for name in entities(query) for word in words(name)}
    for step in state.steps:
        if not step.succeeded or step.observation is None:
            continue
        for line in step.observation.text.splitlines():
            for name in entities(line):
                met.setdefault(fold(name), _Met(name, [])).lines.append(line)
                if step.observation is last:
                    latest.add(fold(name))
    found = []
    for key, one in met.items():
        others = wanted - set(key.split())
        line_words = [set(words(line)) for line in one.lines]
        found.append(
            Named(
                name=one.name,
                asked=key in folded_asked,
                searched=f" {key} " in state.searched,
                near=any(others & there for there in line_words),
                latest=key in latest,
                beside=tuple(w for w in asked_words if any(w in there for there in line_words)),
            )
        )
    keep = sorted(range(len(found)), key=lambda at: (_distance(found[at]), -at))[:MAX_NAMES]
    return tuple(found[at] for at in sorted(keep))


def _distance(name: Named) -> int:
    """How far a name is from what was asked: the nearest are kept where not all fit."""
    if name.asked:
        return 0
    if name.searched:
        return 1
    if name.near:
        return 2 if name.latest else 3
    return 4 if name.latest else 5
