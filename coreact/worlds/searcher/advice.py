"""What guidance says, read without knowing who wrote it: quoted names and a few verbs.

Nothing here knows a generator or a criterion. A sentence that quotes a name tells to search for it, whoever
wrote it and however wrong it is: a misleading rubric misleads. What is not understood is passed over.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

_QUOTED = re.compile(r"[\"“„«]([^\"“”„«»\n]{1,120})[\"”“»]")
_SENTENCE = re.compile(r"(?<=[.!?])\s+|\n+")
_REASON = re.compile(r"\([^()]*\)\s*$")
_HOLE = "\x00"
"""In the place of a quotation, so that what is quoted is never read as an order."""
_NEGATED = re.compile(r"\b(?:avoid|not|never|without|instead of)\b", re.IGNORECASE)
_SEARCH = re.compile(
    r"\b(?:search|look|find|ask|query|put|use|name|include|about|contains?)\b", re.IGNORECASE
)
_REPEAT = re.compile(r"\b(?:repeat\w*|already (?:made|called|asked|searched)|made before)\b", re.IGNORECASE)
_ANSWER = re.compile(r"\b(?:answer|finish|conclude)\b", re.IGNORECASE)
_ORDER = re.compile(r"[\W\d]*(?:(?:now|please|then) )?(?:give|answer|finish|conclude)\b", re.IGNORECASE)
_SUPPORT = re.compile(r"\b(?:observ\w+|evidence|passages?|sources?|support\w*)\b", re.IGNORECASE)


class Advice(NamedTuple):
    """What a text tells to do next."""

    names: tuple[str, ...] = ()
    """Names to search for, the first is meant first."""
    new: bool = False
    """Not to repeat a search."""
    wait: bool = False
    """Not to answer without evidence, or not yet."""
    answer: bool = False
    """To answer now."""


@lru_cache(maxsize=1024)
def read_advice(text: str) -> Advice:
    """Read a text for advice; an empty one gives none.

    Sentence by sentence, what stands in brackets at a sentence's end left out: `repeat` means not to repeat;
    `answer` with a negation or a word such as `evidence` means not to answer without it; an order to `answer`
    means to answer now; a quotation beside a verb such as `search` or `put`, without negation, is a name to
    search for.
    """
    text = text.replace(_HOLE, " ")
    quoted = iter(_QUOTED.findall(text))
    names: list[str] = []
    new = wait = answer = False
    for sentence in _SENTENCE.split(_QUOTED.sub(_HOLE, text)):
        here = [next(quoted) for _ in range(sentence.count(_HOLE))]
        plain = _REASON.sub("", sentence)
        here = here[: plain.count(_HOLE)]
        negated = _NEGATED.search(plain) is not None
        head = plain if plain.lstrip("-* ").casefold().startswith("avoid") else plain.partition(":")[0]
        if _REPEAT.search(plain):
            new = True
        if _ANSWER.search(head):
            if _NEGATED.search(head) or _SUPPORT.search(head):
                wait = True
            elif _ORDER.match(head):
                answer = True
        elif here and not negated and _SEARCH.search(plain):
            names += here
    return Advice(tuple(dict.fromkeys(name.strip() for name in names if name.strip())), new, wait, answer)
