"""The tool `web_search`: what a search provider finds, as lines with addresses to open.

Whatever goes wrong at the provider is told in words, as a tool message of status `error`: an agent can search
otherwise, or go on without. A wrong key is told too, since nobody but the user can mend it.
"""

from __future__ import annotations

from langchain_core.tools import BaseTool, StructuredTool
from pydantic import BaseModel, Field

from coreact_tools._visible import one_line, visible
from coreact_tools.contracts import contract
from coreact_tools.errors import ToolSettingsError, WebError
from coreact_tools.web.client import Reply, WebClient, shared_client
from coreact_tools.web.providers import Found, Provider, Request, usable

MAX_QUERY_CHARS = 400
"""Longest query that is sent; the rest is cut."""


class _Arguments(BaseModel):
    query: str = Field(description="What to look for, in a few words.")


def web_search(
    provider: Provider, client: WebClient | None = None, *, k: int = 5, snippet_chars: int = 300
) -> BaseTool:
    """The tool that searches with one provider.

    Args:
        provider: made by `serper`, `tavily`, `searxng`, `semantic_scholar`, or by name with `provider`.
        client: how the web is reached; the process's `shared_client` if None. An instance of SearxNG in
            the own network must be on the client's list of allowed hosts.
        k: the most results shown, 1 to 20.
        snippet_chars: the most characters shown of a result's text, at least 1.

    Returns:
        A tool that answers with one line a result, `[address] title: text`, and, as artifact, the addresses.
        Its metadata has the provider's cost.

    Raises:
        ToolSettingsError: `k` or `snippet_chars` is out of its range.
    """
    if not 1 <= k <= 20 or snippet_chars < 1:
        raise ToolSettingsError(f"k ({k}) must be 1 to 20, and snippet_chars ({snippet_chars}) at least 1.")

    async def search(web: WebClient, query: str) -> list[Found]:
        request = provider.request(query, k)
        try:
            reply = await web.call(
                request.method, request.url, params=request.params, headers=request.headers, json=request.json
            )
        except WebError as failure:
            raise _told(provider.name, failure) from failure
        return _parsed(provider, request, reply)[:k]

    def run(query: str) -> tuple[str, list[str]]:
        web = client or shared_client()
        asked = _asked(query)
        return _shown(web.run(search(web, asked)), asked, snippet_chars) if asked else _EMPTY

    async def arun(query: str) -> tuple[str, list[str]]:
        web = client or shared_client()
        asked = _asked(query)
        return _shown(await web.arun(search(web, asked)), asked, snippet_chars) if asked else _EMPTY

    return StructuredTool.from_function(
        run,
        coroutine=arun,
        name="web_search",
        description=f"Search {provider.about}. Shows up to {k} results, each as `[address] title: text`.",
        args_schema=_Arguments,
        response_format="content_and_artifact",
        handle_tool_error=str,
        metadata=contract("search", cost=provider.cost),
    )


_EMPTY: tuple[str, list[str]] = ("The query is empty. Write a few words to look for.", [])


def _asked(query: str) -> str:
    return " ".join(visible(query).split())[:MAX_QUERY_CHARS]


def _shown(found: list[Found], query: str, snippet_chars: int) -> tuple[str, list[str]]:
    if not found:
        return f"Nothing was found for {query!r}. Try other words, or fewer.", []
    lines = []
    for one in found:
        title, snippet = one_line(one.title, 200), one_line(one.snippet, snippet_chars)
        lines.append(f"[{one.url}] {title}{': ' if title and snippet else ''}{snippet}".rstrip())
    return "\n".join(lines), [one.url for one in found]


def _parsed(provider: Provider, request: Request, reply: Reply) -> list[Found]:
    try:
        return usable(provider.parse(reply.body))
    except ValueError as failure:
        kind = one_line(reply.content_type.partition(";")[0], 40) or "something"
        raise WebError(
            f"The search provider {provider.name} did not answer with search results but with {kind}.",
            url=request.url,
            reason="garbled",
            remedy="Try again later, or go on without this tool.",
        ) from failure


def _told(name: str, failure: WebError) -> WebError:
    """The failure of a provider, for the agent: who failed, and whether trying again helps."""
    if failure.status in (401, 402, 403):
        what = f"The search provider {name} does not accept the key or the request (HTTP {failure.status})."
        remedy = "Trying again will not help: go on without this tool, and tell the user."
    elif failure.status == 429:
        what = f"The search provider {name} allows no more searches for now (HTTP 429)."
        remedy = "Go on with what you have, or search again later."
    else:
        what = f"The search provider {name} gave no answer: {failure.what}"
        remedy = "Search again later, or go on without this tool."
    return WebError(
        what,
        url=failure.url,
        reason=failure.reason,
        status=failure.status,
        retry_after=failure.retry_after,
        temporary=failure.temporary,
        remedy=remedy,
    )
