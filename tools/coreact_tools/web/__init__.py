"""Tools for the open web: `web_search` by a provider, and `browse` for one page.

Both go through one guarded, cached, paced client (`WebClient`). They need the extra `web`.
"""

from __future__ import annotations

from coreact_tools.web.browse import browse
from coreact_tools.web.client import Reply, WebClient, shared_client
from coreact_tools.web.guard import Resolver, is_public
from coreact_tools.web.providers import (
    Found,
    Provider,
    Request,
    provider,
    searxng,
    semantic_scholar,
    serper,
    tavily,
)
from coreact_tools.web.search import web_search
from coreact_tools.web.settings import WebSettings

__all__ = [
    "Found",
    "Provider",
    "Reply",
    "Request",
    "Resolver",
    "WebClient",
    "WebSettings",
    "browse",
    "is_public",
    "provider",
    "searxng",
    "semantic_scholar",
    "serper",
    "shared_client",
    "tavily",
    "web_search",
]
