"""Search providers: what each wants to be asked, and what its answers mean. Plain functions, no network.

An answer is foreign data: it is checked for its shape (a `garbled` error otherwise), and only web addresses
are taken from it. A key travels in a header, so that it stands in no address, message or log.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from pydantic import BaseModel

from coreact_tools.errors import ToolSettingsError


class Found(NamedTuple):
    """One thing that a provider found."""

    title: str
    url: str
    snippet: str


@dataclass(frozen=True, kw_only=True)
class Request:
    """What is to be sent."""

    method: str
    url: str
    params: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    json: object = None


@dataclass(frozen=True, kw_only=True)
class Provider:
    """How to search with one provider."""

    name: str
    request: Callable[[str, int], Request] = field(repr=False)
    """The request for a query and a number of results."""
    parse: Callable[[bytes], list[Found]] = field(repr=False)
    """The results in an answer, best first; raises `ValueError` where it is none."""
    cost: float | None
    """US dollars a search."""
    about: str = "the web"
    """What it searches, as the agent is told."""


def serper(
    key: str, *, url: str = "https://google.serper.dev/search", cost: float | None = 0.001
) -> Provider:
    """Google results by serper.dev.

    Args:
        key: the API key.
        url: where it is asked.
        cost: US dollars a search; the default is the list price of the smallest plan, put in yours.

    Raises:
        ToolSettingsError: the key is empty or no header could carry it.
    """
    headers = {"X-API-KEY": _key(key, "Serper")}

    def request(query: str, k: int) -> Request:
        return Request(method="POST", url=url, headers=headers, json={"q": query, "num": k})

    def parse(body: bytes) -> list[Found]:
        reply = _Serper.model_validate_json(body)
        return [Found(one.title or "", one.link or "", one.snippet or "") for one in reply.organic]

    return Provider(name="Serper", request=request, parse=parse, cost=cost)


def tavily(key: str, *, url: str = "https://api.tavily.com/search", cost: float | None = 0.008) -> Provider:
    """Web search by Tavily (basic depth).

    Args:
        key: the API key.
        url: where it is asked.
        cost: US dollars a search; the default is the price of one credit as you go, put in yours.

    Raises:
        ToolSettingsError: the key is empty or no header could carry it.
    """
    headers = {"Authorization": f"Bearer {_key(key, 'Tavily')}"}

    def request(query: str, k: int) -> Request:
        asked = {"query": query, "max_results": k, "search_depth": "basic"}
        return Request(method="POST", url=url, headers=headers, json=asked)

    def parse(body: bytes) -> list[Found]:
        reply = _Tavily.model_validate_json(body)
        return [Found(one.title or "", one.url or "", one.content or "") for one in reply.results]

    return Provider(name="Tavily", request=request, parse=parse, cost=cost)


def searxng(url: str, *, cost: float | None = 0.0) -> Provider:
    """Web search by an instance of SearxNG, which must have the format `json` switched on.

    Args:
        url: address of the instance, without `/search`.
        cost: US dollars a search.

    Raises:
        ToolSettingsError: the address is none.
    """
    if not url.startswith(("https://", "http://")):
        raise ToolSettingsError(
            f"{url!r} is no address of a SearxNG instance.",
            remedy="Give one that begins with https:// or http://.",
        )

    def request(query: str, _: int) -> Request:
        params = {"q": query, "format": "json"}
        return Request(method="GET", url=f"{url.rstrip('/')}/search", params=params)

    def parse(body: bytes) -> list[Found]:
        reply = _Tavily.model_validate_json(body)
        return [Found(one.title or "", one.url or "", one.content or "") for one in reply.results]

    return Provider(name="SearxNG", request=request, parse=parse, cost=cost)


def semantic_scholar(
    key: str = "",
    *,
    url: str = "https://api.semanticscholar.org/graph/v1/paper/search",
    cost: float | None = 0.0,
) -> Provider:
    """Papers by Semantic Scholar; works without a key, under a rate shared with everybody.

    Args:
        key: the API key; empty: none.
        url: where it is asked.
        cost: US dollars a search.

    Raises:
        ToolSettingsError: no header could carry the key.
    """
    headers = {"x-api-key": _key(key, "Semantic Scholar")} if key else {}

    def request(query: str, k: int) -> Request:
        params = {"query": query, "limit": str(k), "fields": "title,abstract,year,url"}
        return Request(method="GET", url=url, params=params, headers=headers)

    def parse(body: bytes) -> list[Found]:
        reply = _Scholar.model_validate_json(body)
        if reply.total is None and reply.data is None:
            raise ValueError("neither a total nor papers")
        return [_paper(one) for one in reply.data or ()]

    return Provider(
        name="Semantic Scholar", request=request, parse=parse, cost=cost, about="scientific papers"
    )


_BY_NAME: Mapping[str, tuple[str, Callable[[str], Provider]]] = {
    "serper": ("SERPER_API_KEY", serper),
    "tavily": ("TAVILY_API_KEY", tavily),
    "searxng": ("SEARXNG_URL", searxng),
    "semantic_scholar": ("SEMANTIC_SCHOLAR_API_KEY", semantic_scholar),
}


def provider(name: str, environment: Mapping[str, str] | None = None) -> Provider:
    """A provider by its name, with the key or address from the environment.

    Args:
        name: `serper` (`SERPER_API_KEY`), `tavily` (`TAVILY_API_KEY`), `searxng` (`SEARXNG_URL`) or
            `semantic_scholar` (`SEMANTIC_SCHOLAR_API_KEY`, which may be missing).
        environment: where to look; the process's environment if None.

    Raises:
        ToolSettingsError: no provider has this name, or its variable is not set.
    """
    if name not in _BY_NAME:
        raise ToolSettingsError(
            f"No search provider is called {name!r}.", remedy=f"Use one of {', '.join(_BY_NAME)}."
        )
    variable, make = _BY_NAME[name]
    value = (os.environ if environment is None else environment).get(variable, "").strip()
    if not value and make is not semantic_scholar:
        raise ToolSettingsError(
            f"The search provider {name} needs the environment variable {variable}.",
            remedy="Set it, or choose another provider.",
        )
    return make(value)


def usable(found: Iterable[Found]) -> list[Found]:
    """Those that have a web address, each address once, in order."""
    kept: dict[str, Found] = {}
    for one in found:
        url = one.url.strip()
        plain = url.isprintable() and not any(char.isspace() or char in '<>[]"`' for char in url)
        if plain and len(url) <= 2000 and url.startswith(("https://", "http://")):
            kept.setdefault(url, one._replace(url=url))
    return list(kept.values())


def _key(key: str, provider_name: str) -> str:
    if not key.strip() or not key.isascii() or not key.isprintable():
        raise ToolSettingsError(
            f"The key for {provider_name} is empty or has characters that no key has.",
            remedy="Copy it again from the provider's page.",
        )
    return key.strip()


def _paper(one: _Paper) -> Found:
    url = one.url or (f"https://www.semanticscholar.org/paper/{one.paperId}" if one.paperId else "")
    year = f" ({one.year})" if one.year else ""
    return Found(f"{one.title or ''}{year}", url, one.abstract or "")


class _SerperHit(BaseModel):
    title: str | None = None
    link: str | None = None
    snippet: str | None = None


class _Serper(BaseModel):
    organic: list[_SerperHit]


class _Result(BaseModel):
    title: str | None = None
    url: str | None = None
    content: str | None = None


class _Tavily(BaseModel):
    """SearxNG names the same fields."""

    results: list[_Result]


class _Paper(BaseModel):
    paperId: str | None = None  # noqa: N815 - the provider's name
    title: str | None = None
    abstract: str | None = None
    year: int | None = None
    url: str | None = None


class _Scholar(BaseModel):
    total: int | None = None
    data: list[_Paper] | None = None
