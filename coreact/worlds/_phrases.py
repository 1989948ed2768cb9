"""How the gazetteer puts its facts into sentences, and its chains of facts into questions.

Only wording lives here. Every passage sentence carries the words of the relation it states, because an agent
searches for a relation in those words; two templates differ in everything else.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple


class Relation(NamedTuple):
    """One kind of link from a thing to another: what to search for, and how a question speaks of it."""

    words: str
    """The relation as a searcher would put it."""
    refer: tuple[str, ...] = ()
    """Noun phrases for the far end, from `{x}`, the near end; empty where no further hop starts there."""
    ask: tuple[str, ...] = ()
    """Questions for the far end; empty where the far end is too easy or is only a way in."""


RELATIONS: Mapping[str, Relation] = {
    # From a thing to the one country it belongs to.
    "capital of": Relation("capital", ("the country whose capital is {x}", "the country governed from {x}")),
    "city in": Relation(
        "city", ("the country in which the city of {x} lies", "the country to which the city of {x} belongs")
    ),
    "currency of": Relation(
        "currency", ("the only country that pays with the {x}", "the country that issues the {x}")
    ),
    "language of": Relation(
        "official language",
        ("the only country where {x} is an official language", "the country that alone made {x} official"),
    ),
    "calling code of": Relation(
        "calling code",
        ("the country that is dialled with +{x}", "the country with the international calling code +{x}"),
    ),
    "country code of": Relation(
        "country code", ("the country with the three-letter code {x}", "the country that ISO lists as {x}")
    ),
    # From a country to a thing.
    "land neighbour": Relation(
        "land neighbour",
        ("the only land neighbour of {x}", "the one state that shares a land border with {x}"),
    ),
    "capital": Relation(
        "capital", ask=("What is the capital of {x}?", "Which city is the seat of government of {x}?")
    ),
    "currency": Relation(
        "currency",
        ("the currency of {x}", "the money used in {x}"),
        (
            "Which currency is used in {x}?",
            "What is the currency of {x}?",
            "What money do people pay with in {x}?",
        ),
    ),
    "official language": Relation(
        "official language",
        ("the official language of {x}", "the language of state in {x}"),
        ("What is the official language of {x}?", "Which language is the official one in {x}?"),
    ),
    "continent": Relation(
        "continent", ask=("On which continent does {x} lie?", "Which continent is home to {x}?")
    ),
    "calling code": Relation(
        "calling code",
        ask=("What is the international calling code of {x}?", "Which code do callers dial to reach {x}?"),
    ),
    "country code": Relation(
        "country code", ask=("What is the ISO 3166 three-letter code of {x}?", "How does ISO abbreviate {x}?")
    ),
    "internet domain": Relation(
        "internet domain",
        ask=("What is the internet domain of {x}?", "Under which top-level domain are the web sites of {x}?"),
    ),
    # From a currency or a language on.
    "currency code": Relation(
        "currency code",
        ask=("What is the ISO 4217 code of {x}?", "How do banks abbreviate {x}?"),
    ),
    "language code": Relation(
        "language code", ask=("What is the ISO 639-3 code of {x}?", "Which three-letter code stands for {x}?")
    ),
    "script": Relation("script", ask=("In which script is {x} written?", "What script is used for {x}?")),
}

COMPARE: Mapping[str, tuple[str, ...]] = {
    "population": (
        "Which country has more inhabitants, {a} or {b}?",
        "Do more people live in {a} or in {b}?",
        "Of {a} and {b}, which has the larger population?",
    ),
    "area": (
        "Which country is larger by area, {a} or {b}?",
        "Of {a} and {b}, which covers the larger area?",
    ),
}
"""Questions with two countries side by side; the answer is the country with more."""

PASSAGES: Mapping[str, tuple[str, ...]] = {
    "capital": (
        "{city} is the capital of {country}.",
        "{city}, the capital city of {country}, is its seat of government.",
        "The government of {country} sits in the capital, {city}.",
    ),
    "city": (
        "{city} is a city in {country}.",
        "{city} is one of the large cities of {country}.",
        "The city of {city} lies in {country}.",
    ),
    "people": (
        "About {people} people live there.",
        "It has about {people} inhabitants.",
    ),
    "continent": (
        "{country} lies on the continent of {continent}.",
        "{country} is part of the continent {continent}.",
    ),
    "size": (
        "The population of {country} is about {people} and its area {area} square kilometres.",
        "With a population of about {people}, {country} covers an area of {area} square kilometres.",
    ),
    "currency": (
        "The currency of {country} is the {currency}.",
        "Prices in {country} are given in its currency, the {currency}.",
        "{country} uses the {currency} as its currency.",
    ),
    "official language": (
        "The official language of {country} is {language}.",
        "{language} is the official language of {country}.",
        "In {country}, laws and schools use the official language, {language}.",
    ),
    "codes": (
        "The international calling code of {country} is +{calling}.",
        "Calls to {country} start with the calling code +{calling}.",
    ),
    "letters": (
        "Its ISO 3166 country code is {alpha_3} and its internet domain {domain}.",
        "The three-letter country code is {alpha_3}; web sites use the internet domain {domain}.",
    ),
    "letters alone": (
        "The ISO 3166 country code of {country} is {alpha_3} and its internet domain {domain}.",
        "ISO lists {country} under the country code {alpha_3}; its internet domain is {domain}.",
    ),
    "neighbour": (
        "{neighbours} is the only land neighbour of {country}.",
        "{country} has a single land neighbour, {neighbours}.",
    ),
    "neighbours": (
        "The land neighbours of {country} are {neighbours}.",
        "{country} has land borders with its neighbours {neighbours}.",
    ),
    "currency code": (
        "The ISO 4217 currency code of the {currency} is {code}.",
        "Banks write the {currency} with the currency code {code}.",
    ),
    "language code": (
        "The ISO 639-3 language code of {language} is {code}.",
        "Catalogues list {language} under the language code {code}.",
    ),
    "script": (
        "{language} is written in the {script} script.",
        "Texts in {language} use the {script} script.",
    ),
}

TITLES: Mapping[str, str] = {
    "profile": "{x}",
    "capital": "{city}, {x}",
    "currency": "Money in {x}",
    "official language": "Language of {x}",
    "codes": "Codes of {x}",
    "neighbours": "Borders of {x}",
    "language": "{x} language",
}

_ARTICLE_BEFORE = ("Republic of", "Democratic Republic", "United ")
_ARTICLE_AFTER = (" Islands", " Republic", " Emirates")
_ARTICLE_NAMES = frozenset(
    {"Bahamas", "Comoros", "Gambia", "Maldives", "Netherlands", "Philippines", "Seychelles"}
)


def with_article(country: str) -> str:
    """The name of a country as it stands in a sentence: `the Gambia`, `Ghana`."""
    if country in _ARTICLE_NAMES or country.startswith(_ARTICLE_BEFORE) or country.endswith(_ARTICLE_AFTER):
        return f"the {country}"
    return country


def sentence(text: str) -> str:
    """The text with its first letter in upper case."""
    return text[:1].upper() + text[1:]


def listed(names: Sequence[str]) -> str:
    """`A`, `A and B`, `A, B and C`."""
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def rounded(number: int) -> str:
    """A large number as people say it, two or three digits long: `2.4 million`, `97 thousand`."""
    for size, name in ((1_000_000, "million"), (1_000, "thousand")):
        if number >= size:
            amount = number / size
            return f"{amount:.0f} {name}" if amount >= 100 else f"{amount:.1f} {name}"
    return str(number)
