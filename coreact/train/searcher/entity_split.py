"""A split of the gazetteer by country: what is asked in one half is about countries the other half lacks.

`Question.split` draws single questions, so both halves ask about France. That is fair for an agent that
learns nothing, and unfair for a model that does: it may have learned the answer by heart. Here countries are
drawn, and a question belongs to a half only if every country that its proof names does. Currencies,
languages, scripts and continents are shared by countries of both halves; they are not split.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable
from typing import NamedTuple

from coreact.worlds import Question, World

_PROFILE = "square kilometres"
"""Words of a country's own passage, whose title is the country's name."""
_HELD_OUT_ONE_IN = 5


class EntitySplit(NamedTuple):
    """The questions of a world by the countries they are about."""

    train: tuple[Question, ...]
    """Questions whose proofs name no held-out country."""
    held_out: tuple[Question, ...]
    """Questions whose proofs name held-out countries and no others."""
    countries: frozenset[str]
    """Names of the held-out countries."""
    hidden: frozenset[str]
    """Ids of the passages that name a held-out country: no training text may show them."""


def by_country(world: World) -> EntitySplit:
    """Part the questions of a gazetteer by country; one country in five is held out, by a hash of its name.

    Questions whose proofs name countries of both halves are in neither.
    """
    countries = [passage.title for passage in world.passages if _PROFILE in passage.text]
    # Longest first, so that Nigeria is not read as Niger, nor Guinea-Bissau as Guinea.
    names = re.compile(
        rf"(?<!\w)(?:{'|'.join(map(re.escape, sorted(countries, key=len, reverse=True)))})(?!\w)"
    )
    held_out = frozenset(name for name in countries if is_held_out(name))
    named = {p.id: frozenset(names.findall(f"{p.title}\n{p.text}")) for p in world.passages}

    def about(question: Question) -> frozenset[str]:
        return frozenset(name for one in question.supporting_ids for name in named[one])

    return EntitySplit(
        train=_kept(world.questions, lambda q: not about(q) & held_out),
        held_out=_kept(world.questions, lambda q: bool(about(q)) and about(q) <= held_out),
        countries=held_out,
        hidden=frozenset(one for one, found in named.items() if found & held_out),
    )


def is_held_out(country: str) -> bool:
    """Whether a country is held out: drawn from its name, so it never moves."""
    return hashlib.sha256(f"country|{country}".encode()).digest()[0] % _HELD_OUT_ONE_IN == 0


def _kept(questions: Iterable[Question], wanted: Callable[[Question], bool]) -> tuple[Question, ...]:
    return tuple(question for question in questions if wanted(question))
