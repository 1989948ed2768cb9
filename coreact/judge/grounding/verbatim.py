"""Whether a text says a statement word for word, as a sentence of its own.

A statement inside of a longer sentence may be denied there ("it is not true that …"), and a few words
stand in many texts by chance: neither counts.
"""

from __future__ import annotations

from coreact.judge.quotes import Span, locate
from coreact.rubric.words import words

_LEAST = 4  # words
_BORDERS = ".!?;:\n|\u3002\uff01\uff1f"
_STOPS = " .!?\u3002\uff01\uff1f"


def stated(statement: str, text: str) -> Span | None:
    """Where a text says a statement word for word, or None."""
    if len(words(statement)) < _LEAST:
        return None
    span = locate(statement.rstrip(_STOPS), text)
    if span is None:
        return None
    before, after = text[: span.start].rstrip(' "'), text[span.end :].lstrip(' "')
    begins = not before or before[-1] in _BORDERS
    ends = not after or after[0] in _BORDERS
    return span if begins and ends else None
