"""A built-in world: short passages on countries and thousands of questions in two or three hops.

It exists so that an agent that searches can be tried, measured and trained with no network and no data set
to fetch. Each passage holds one or two facts. A question names one thing and asks about another that is two
or three passages away, so the thing in between has to be found before the next search can be put into
words; one search for the bare question rarely brings up the whole proof. A smaller part (`comparison`)
names both of its things.

The facts come from installed packages (see `_atlas`): a world's version changes when the packages' tables do.
It is no encyclopedia: what the tables do not agree on is left out, and figures are rounded.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import combinations
from random import Random
from typing import NamedTuple

from coreact.errors import WorldError
from coreact.worlds._atlas import Atlas, Country, read_atlas, shares_a_word
from coreact.worlds._phrases import (
    COMPARE,
    PASSAGES,
    RELATIONS,
    TITLES,
    listed,
    rounded,
    sentence,
    with_article,
)
from coreact.worlds._words import is_stop_word, words
from coreact.worlds.records import Hop, Passage, Question, World

_COMPARISONS = 600
"""Comparison questions of each kind (population, area)."""
_CLEARLY_MORE = 2.0
"""A comparison is asked only where the larger figure is at least this many times the smaller one."""


class _Thing(NamedTuple):
    """What a fact is about or says: a country, a city, a code."""

    kind: str
    name: str
    aliases: tuple[str, ...] = ()

    @property
    def spoken(self) -> str:
        """The name as it stands in a sentence."""
        return with_article(self.name) if self.kind == "country" else self.name


class _Fact(NamedTuple):
    """`subject` has `relation` `value`, and this passage says so."""

    subject: _Thing
    relation: str
    value: _Thing
    passage: str


class _Book:
    """Passages being written and the facts that they state."""

    def __init__(self, rng: Random) -> None:
        self._rng = rng
        self.pages: dict[str, tuple[str, str]] = {}
        """Title and text by working key."""
        self.facts: dict[_Thing, list[_Fact]] = defaultdict(list)

    def write(self, key: str, title: str, *sentences: tuple[str, dict[str, str]]) -> None:
        """Write one passage, each sentence from a template drawn by its name."""
        text = " ".join(
            sentence(self._rng.choice(PASSAGES[name]).format(**values)) for name, values in sentences
        )
        self.pages[key] = (title, text)

    def state(self, subject: _Thing, relation: str, value: _Thing, passage: str) -> None:
        """Note a fact that a written passage states."""
        self.facts[subject].append(_Fact(subject, relation, value, passage))


def gazetteer(seed: int = 0, questions: int | None = None) -> World:
    """The built-in world of countries, cities, currencies and languages.

    Args:
        seed: draws the wording, the comparison pairs and the order; the facts and the ids of
            bridge questions do not depend on it.
        questions: keep only the first so many questions of the shuffled order; None keeps all.

    Returns:
        A world whose every question has a chain of hops.

    Raises:
        MissingExtraError: the extra `worlds` is not installed.
        WorldError: `questions` is negative.
    """
    if questions is not None and questions < 0:
        raise WorldError(f"A world cannot have {questions} questions.", remedy="Ask for 0 or more.")
    rng = Random(seed)
    atlas = read_atlas()
    book = _write_book(atlas, rng)
    order = sorted(book.pages)
    rng.shuffle(order)
    ids = {key: f"g{number:04d}" for number, key in enumerate(order)}
    passages = tuple(Passage(id=ids[key], title=book.pages[key][0], text=book.pages[key][1]) for key in order)
    asked = [*_bridges(book, ids, rng), *_comparisons(atlas, ids, rng)]
    rng.shuffle(asked)
    return World(name="gazetteer", passages=passages, questions=tuple(asked[:questions]))


def _write_book(atlas: Atlas, rng: Random) -> _Book:
    book = _Book(rng)
    nations = {country.name: _nation(country) for country in atlas.countries.values()}
    for country in atlas.countries.values():
        _write_profile(book, country)
        _write_seat(book, country, sole=country.code in atlas.sole_capitals)
        _write_money_and_speech(book, country, atlas)
        _write_codes(book, country, sole=country.calling_code in atlas.sole_calling_codes)
        _write_borders(book, country, nations)
    for city in atlas.cities:
        country = atlas.countries[city.country]
        key = f"city {city.country} {city.name}"
        people = {"people": rounded(city.population or 0)}
        place = {"city": city.name, "country": with_article(country.name)}
        book.write(key, city.name, ("city", place), ("people", people))
        book.state(_Thing("city", city.name), "city in", _nation(country), key)
    for currency in atlas.currencies.values():
        key = f"currency {currency.code}"
        book.write(key, currency.name, ("currency code", {"currency": currency.name, "code": currency.code}))
        thing = _Thing("currency", currency.name, currency.aliases)
        book.state(thing, "currency code", _Thing("code", currency.code), key)
    for language in atlas.languages.values():
        key = f"language {language.code}"
        thing = _Thing("language", language.name, language.aliases)
        sentences = []
        if language.script:
            sentences.append(("script", {"language": language.name, "script": language.script}))
            book.state(thing, "script", _Thing("script", language.script), key)
        if language.iso_639_3:
            sentences.append(("language code", {"language": language.name, "code": language.iso_639_3}))
            book.state(thing, "language code", _Thing("code", language.iso_639_3), key)
        if sentences:
            book.write(key, TITLES["language"].format(x=language.name), *sentences)
    return book


def _nation(country: Country) -> _Thing:
    return _Thing("country", country.name, country.aliases)


def _write_profile(book: _Book, country: Country) -> None:
    key = f"profile {country.code}"
    name = with_article(country.name)
    size = {"country": name, "people": rounded(country.population), "area": rounded(country.area_km2)}
    if country.continent is None:
        book.write(key, TITLES["profile"].format(x=country.name), ("size", size))
        return
    where = {"country": name, "continent": country.continent}
    book.write(key, TITLES["profile"].format(x=country.name), ("continent", where), ("size", size))
    book.state(_nation(country), "continent", _Thing("continent", country.continent), key)


def _write_seat(book: _Book, country: Country, *, sole: bool) -> None:
    city = country.capital
    if city is None:
        return
    key = f"capital {country.code}"
    place = {"city": city.name, "country": with_article(country.name)}
    book.write(key, TITLES["capital"].format(city=city.name, x=country.name), ("capital", place))
    thing = _Thing("city", city.name, city.aliases)
    book.state(_nation(country), "capital", thing, key)
    if sole:
        book.state(thing, "capital of", _nation(country), key)


def _write_money_and_speech(book: _Book, country: Country, atlas: Atlas) -> None:
    name = with_article(country.name)
    if country.currency is not None:
        currency = atlas.currencies[country.currency]
        key = f"money {country.code}"
        title = TITLES["currency"].format(x=name)
        book.write(key, title, ("currency", {"country": name, "currency": currency.name}))
        thing = _Thing("currency", currency.name, currency.aliases)
        book.state(_nation(country), "currency", thing, key)
        if currency.code in atlas.sole_currencies and not shares_a_word(currency.name, country.name):
            book.state(thing, "currency of", _nation(country), key)
    if country.language is not None:
        language = atlas.languages[country.language]
        key = f"speech {country.code}"
        title = TITLES["official language"].format(x=name)
        book.write(key, title, ("official language", {"country": name, "language": language.name}))
        thing = _Thing("language", language.name, language.aliases)
        book.state(_nation(country), "official language", thing, key)
        if language.code in atlas.sole_languages:
            book.state(thing, "language of", _nation(country), key)


def _write_codes(book: _Book, country: Country, *, sole: bool) -> None:
    key = f"codes {country.code}"
    nation = _nation(country)
    letters = {"alpha_3": country.alpha_3, "domain": country.domain}
    name = with_article(country.name)
    title = TITLES["codes"].format(x=name)
    if country.calling_code is None:
        book.write(key, title, ("letters alone", {"country": name, **letters}))
    else:
        book.write(
            key, title, ("codes", {"country": name, "calling": country.calling_code}), ("letters", letters)
        )
        code = country.calling_code
        book.state(nation, "calling code", _Thing("number", f"+{code}", (f"00{code}", f"00 {code}")), key)
        if sole:
            book.state(_Thing("number", code), "calling code of", nation, key)
    book.state(nation, "country code", _Thing("code", country.alpha_3), key)
    book.state(nation, "internet domain", _Thing("code", country.domain), key)
    if not is_stop_word(country.alpha_3):
        book.state(_Thing("code", country.alpha_3), "country code of", nation, key)


def _write_borders(book: _Book, country: Country, nations: dict[str, _Thing]) -> None:
    if not country.neighbours:
        return
    key = f"borders {country.code}"
    name = with_article(country.name)
    alone = len(country.neighbours) == 1
    around = listed([with_article(near) for near in country.neighbours])
    book.write(
        key,
        TITLES["neighbours"].format(x=name),
        ("neighbour" if alone else "neighbours", {"country": name, "neighbours": around}),
    )
    if alone and country.neighbours[0] in nations:
        book.state(_nation(country), "land neighbour", nations[country.neighbours[0]], key)


def _bridges(book: _Book, ids: dict[str, str], rng: Random) -> Iterator[Question]:
    """Every chain of two or three facts that makes a fair question."""
    for start in sorted(book.facts):
        for first in book.facts[start]:
            for second in book.facts[first.value]:
                if _is_fair((first, second)):
                    yield _bridge((first, second), ids, rng)
                for third in book.facts[second.value]:
                    if _is_fair((first, second, third)):
                        yield _bridge((first, second, third), ids, rng)


def _is_fair(facts: Sequence[_Fact]) -> bool:
    """Whether a chain can be asked for, goes ever onward, and no link of it can be read off or guessed."""
    relations = [RELATIONS[fact.relation] for fact in facts]
    last = facts[-1]
    if not relations[-1].ask or not all(relation.refer for relation in relations[:-1]):
        return False
    if last.value.name == "Latin" or shares_a_word(last.value.name, last.subject.name):
        return False
    if last.relation == "continent" and facts[0].relation not in {"capital of", "city in"}:
        return False  # Six possible answers: too easy to guess to be asked from every side.
    distinct = {fact.passage for fact in facts}, {relation.words for relation in relations}
    if any(len(found) < len(facts) for found in distinct):
        return False
    if last.value in {fact.subject for fact in facts}:
        return False
    return not any(shares_a_word(fact.value.name, facts[0].subject.name) for fact in facts)


def _bridge(facts: Sequence[_Fact], ids: dict[str, str], rng: Random) -> Question:
    phrase = facts[0].subject.spoken
    for fact in facts[:-1]:
        phrase = rng.choice(RELATIONS[fact.relation].refer).format(x=phrase)
    last = facts[-1]
    key = " > ".join((facts[0].subject.name, *(fact.relation for fact in facts)))
    return Question(
        id=_question_id(key),
        question=rng.choice(RELATIONS[last.relation].ask).format(x=phrase),
        answer=last.value.name,
        answer_aliases=last.value.aliases,
        hops=len(facts),
        kind="bridge",
        supporting_ids=tuple(ids[fact.passage] for fact in facts),
        chain=tuple(
            Hop(
                entity=fact.subject.name,
                relation=RELATIONS[fact.relation].words,
                passage_id=ids[fact.passage],
                answer=fact.value.name,
            )
            for fact in facts
        ),
    )


def _comparisons(atlas: Atlas, ids: dict[str, str], rng: Random) -> Iterator[Question]:
    """Pairs of countries whose figures differ clearly and whose names do not contain each other."""
    countries = sorted(atlas.countries.values())
    figures = {
        "population": {country.code: country.population for country in countries},
        "area": {country.code: country.area_km2 for country in countries},
    }
    named = {country.code: frozenset(words(country.name)) for country in countries}
    pairs = [
        (one, other)
        for one, other in combinations(countries, 2)
        if named[one.code].isdisjoint(named[other.code])
    ]
    for relation, figure in figures.items():
        clear = [pair for pair in pairs if _differ_clearly(*(figure[side.code] for side in pair))]
        for pair in rng.sample(clear, min(_COMPARISONS, len(clear))):
            sides = list(pair)
            rng.shuffle(sides)
            winner = max(sides, key=lambda side: figure[side.code])
            yield Question(
                id=_question_id(f"{relation}: {pair[0].name} or {pair[1].name}"),
                question=rng.choice(COMPARE[relation]).format(
                    a=with_article(sides[0].name), b=with_article(sides[1].name)
                ),
                answer=winner.name,
                answer_aliases=winner.aliases,
                hops=2,
                kind="comparison",
                supporting_ids=tuple(ids[f"profile {side.code}"] for side in sides),
                chain=tuple(
                    Hop(
                        entity=side.name,
                        relation=relation,
                        passage_id=ids[f"profile {side.code}"],
                        answer=rounded(figure[side.code]),
                    )
                    for side in sides
                ),
            )


def _differ_clearly(one: int, other: int) -> bool:
    return one >= _CLEARLY_MORE * other or other >= _CLEARLY_MORE * one


def _question_id(key: str) -> str:
    """An id that depends on what is asked, not on its wording, and does not show the answer."""
    return f"q-{hashlib.sha256(key.encode()).hexdigest()[:12]}"
