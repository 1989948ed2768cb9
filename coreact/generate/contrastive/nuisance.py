"""What a contrastive criterion must not say: who won, where it stood, how long it was, what it looked like.

A writer that sees two candidates is tempted to describe the winner instead of what made it win. Such a
criterion separates the pair it was made from and nothing else, or rewards what judges are biased to
anyway. It is found here by English phrases, word by word, without a model: other languages pass, and a
criterion that means length without any of the usual words passes too. What the question itself demands
("answer in one word", "as a table") is no nuisance.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from coreact.generate.contrastive.contrast import Side
from coreact.generate.entities import entities
from coreact.rubric import State
from coreact.rubric.remarks import Problem
from coreact.rubric.words import words

_SIDES = frozenset("response answer candidate action option completion output proposal side reply".split())
_SIDES_OF = _SIDES | {f"{noun}s" for noun in _SIDES}
_WINNER = frozenset(
    """better best worse worst preferred chosen rejected winning losing superior inferior favored
    favoured""".split()
)
_NAMES_ONE = frozenset("winner loser".split())
_POSITION = frozenset("first second third fourth former latter left other 1st 2nd 3rd".split())
_LETTERED = re.compile(
    r"(?i:response|answer|candidate|action|option|completion|output|proposal)\s[\"'`(]?[A-D1-4]\b"
)
_FORM = frozenset(
    """long longer longest length lengthy short shorter shortest concise concisely conciseness brief briefly
    brevity verbose verbosity wordy succinct succinctly terse detailed sentences paragraphs paragraph
    format formats formatted formatting markdown bullet bullets bulleted headings heading bold italics
    layout typography emoji emojis""".split()
)
_NOT_THE_FORM = frozenset("time date period ago distance river term".split())
"""What may stand near `long`, `short` or `length` where they are about the matter and not the text."""
_MEASURES = frozenset("long longer longest length short shorter shortest brief".split())
_COUNTS = frozenset("few fewer less many more most number fewest".split())
_NEAR = 4


class Nuisance(NamedTuple):
    """Why a criterion may not be used."""

    problem: Problem
    reason: str


def names_winner(text: str, compared: Sequence[Side]) -> str | None:
    """What in a text tells one of the candidates apart by name, place or outcome, or None."""
    lettered = _LETTERED.search(text)
    if lettered is not None:
        return f"it names `{lettered[0]}`"
    said = words(text)
    labels = {side.label for side in compared}
    for at, word in enumerate(said):
        after = said[at + 1] if at + 1 < len(said) else ""
        if word in _NAMES_ONE:
            return f"it names a {word}"
        if word in _SIDES_OF and after in labels:
            return f"it names `{word} {after}`"
        if word in _WINNER and after in _SIDES_OF:
            return f"it names the {word} {after}"
        if word in _POSITION and after in _SIDES_OF:
            return f"it names a place: {word} {after}"
        if word in labels and after in ("is", "was", "wins", "beats", "does"):
            return f"it speaks of `{word}`"
    return None


def nuisance(
    text: str, *, compared: Sequence[Side], state: State, sources: Sequence[str] | None = None
) -> Nuisance | None:
    """What makes a criterion unusable, or None.

    Args:
        text: the criterion.
        compared: the candidates it was made from.
        state: what was asked. Words of form that the question or given text holds are its own demand.
        sources: texts that its names and numbers may come from; one that stands in none of them may not
            stand in some candidates alone. None: it may name anything.
    """
    named = names_winner(text, compared)
    if named is not None:
        return Nuisance("nuisance", named)
    form = _form(text, state)
    if form is not None:
        return Nuisance("nuisance", f"it rewards length or form: {form}")
    own = None if sources is None else one_sided(text, compared, sources)
    if own is not None:
        return Nuisance("leaking", f"it names what only some candidates say: {own}")
    return None


def _form(text: str, state: State) -> str | None:
    """A word of length or layout in a text that the task does not hold itself, or None."""
    said = words(text)
    demanded = {word for asked in (state.question, *state.given) for word in words(asked)}
    for at, word in enumerate(said):
        counted = word == "words" and at > 0 and said[at - 1] in _COUNTS
        if not (counted or word in _FORM) or word in demanded:
            continue
        near = set(said[max(0, at - _NEAR) : at + _NEAR + 1])
        if not (word in _MEASURES and near & _NOT_THE_FORM):
            return word
    return None


def one_sided(text: str, compared: Sequence[Side], sources: Sequence[str]) -> str | None:
    """A name or number in a text that some candidates hold, others do not, and no source holds."""
    given = {word for source in sources for word in words(source)}
    held = [frozenset(words(side.text)) for side in compared]
    for term in _specifics(text, compared):
        own = frozenset(words(term))
        if not own or own <= given:
            continue
        if 0 < sum(own <= one for one in held) < len(held):
            return term
    return None


def _specifics(text: str, compared: Sequence[Side]) -> tuple[str, ...]:
    """Names and numbers in a text. Its first word has a capital anyway, so a side must hold it as a name."""
    first, _, rest = text.partition(" ")
    named = {word for side in compared for name in entities(side.text) for word in words(name)}
    opening = first if set(words(first)) <= named else first.lower()
    numbers = [word for word in words(text) if any(char.isdigit() for char in word)]
    return (*entities(f"{opening} {rest}"), *numbers)
