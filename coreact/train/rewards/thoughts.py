"""Scores of the pieces of a thought: the process score of Atom-Searcher (arXiv 2508.12800).

The agent writes its thinking in small pieces under tags of its own choice (`<plan>…</plan>`,
`<hypothesis>…</hypothesis>`); each is scored and the mean is the process score, which a schedule then lets
fade (`schedules.PROCESS_TO_OUTCOME`). A piece that is not well formed scores 0, so that half-open tags earn
nothing; one that nobody could judge is left out. Who scores is not decided here.

Text is only cut at tags: nothing in it is interpreted or executed.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

_TAG = re.compile(r"<(/?)([A-Za-z][\w-]{0,39})>")
_MOST = 256  # pieces of one thought; whatever follows is no thought any more


class Unit(NamedTuple):
    """One piece of a thought."""

    kind: str
    """The tag's name in lower case, as the agent chose it."""
    text: str
    problem: str = ""
    """Why it is not well formed; empty where it is."""


def thought_units(text: str) -> tuple[Unit, ...]:
    """The pieces of a thought in order; text outside of tags is none. Never raises on data.

    Not well formed: a tag that is never closed or never opened, one with another inside, one with no text.
    """
    found: list[Unit] = []
    kind, start = "", 0  # the open tag
    for match in _TAG.finditer(text):
        if len(found) == _MOST:
            return tuple(found)
        name = match[2].lower()
        if not match[1]:
            if kind:
                found.append(Unit(kind, text[start : match.start()].strip(), f"<{name}> begins inside of it"))
            kind, start = name, match.end()
        elif name == kind:
            inside = text[start : match.start()].strip()
            found.append(Unit(kind, inside, "" if inside else "it is empty"))
            kind = ""
        else:
            found.append(Unit(name, "", "it was never opened"))
    if kind:
        found.append(Unit(kind, text[start:].strip(), "it is never closed"))
    return tuple(found)


def thought_score(units: Sequence[Unit], scores: Sequence[float | None]) -> float | None:
    """The mean score of the pieces, in [0, 1].

    Args:
        units: the pieces.
        scores: one for each, in [0, 1]; None where nobody could judge. That of a piece that is not well
            formed is not looked at: it counts 0.

    Returns:
        0 for a thought without any piece; None where no piece counts.

    Raises:
        ValueError: there is not one score for each piece, or one is outside of [0, 1].
    """
    if not units and not scores:
        return 0.0
    marks = [0.0 if unit.problem else score for unit, score in zip(units, scores, strict=True)]
    known = [mark for mark in marks if mark is not None]
    if any(not 0 <= mark <= 1 for mark in known):
        raise ValueError("the score of a piece is outside of [0, 1]")
    return sum(known) / len(known) if known else None
