"""What a `WebClient` sends through: the guarded pool, the pace a host is asked at, and the cache over them.

The order matters. The cache is on top: what it holds is answered without a connection, and what it has to ask
again goes through the pace and the guard like everything else.
"""

from __future__ import annotations

import asyncio
import http.cookiejar
import sqlite3
from collections import OrderedDict
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import httpcore
import httpx

from coreact_tools.errors import ToolExtraError, ToolSettingsError
from coreact_tools.web.guard import Guard, GuardedBackend
from coreact_tools.web.settings import WebSettings

if TYPE_CHECKING:
    from aiolimiter import AsyncLimiter
    from hishel import AsyncSqliteStorage

_HOSTS = 2048
"""Hosts whose pace is remembered; the one not asked for longest is forgotten first."""


@dataclass(frozen=True)
class Transports:
    """Two ways over one pool."""

    direct: httpx.AsyncClient
    """Without a cache: for requests with a key."""
    cached: httpx.AsyncClient
    """With the HTTP cache: for pages."""

    async def aclose(self) -> None:
        """Close the cache and the pool."""
        await self.cached.aclose()
        await self.direct.aclose()


async def opened(settings: WebSettings, guard: Guard) -> Transports:
    """Open both; on the loop they will be used on.

    Raises:
        ToolExtraError: the extra `web` is not installed.
        ToolSettingsError: the folder of the cache cannot be used.
    """
    try:
        from hishel.httpx import AsyncCacheTransport
    except ImportError as missing:
        raise ToolExtraError("The web client", extra="web") from missing
    paced = PacedTransport(_GuardedTransport(settings, guard), settings)
    storage = await _storage(settings)
    cache = AsyncCacheTransport(next_transport=paced, storage=storage, rfc=True)
    return Transports(direct=_client(paced, settings), cached=_client(cache, settings))


def _client(transport: httpx.AsyncBaseTransport, settings: WebSettings) -> httpx.AsyncClient:
    # A policy without domains: no page can leave a cookie that follows the agent to the next one.
    no_cookies = http.cookiejar.CookieJar(policy=http.cookiejar.DefaultCookiePolicy(allowed_domains=[]))
    return httpx.AsyncClient(
        transport=transport,
        trust_env=False,
        follow_redirects=False,
        cookies=no_cookies,
        headers={"User-Agent": settings.user_agent},
        # Waiting for a free connection is no silence of the server: the client's total bounds it.
        timeout=httpx.Timeout(settings.silence_seconds, connect=settings.connect_seconds, pool=None),
    )


async def _storage(settings: WebSettings) -> AsyncSqliteStorage:
    import anysqlite
    from hishel import AsyncSqliteStorage

    where = ":memory:"
    try:
        if settings.cache is not None:
            settings.cache.mkdir(parents=True, exist_ok=True)
            where = str(settings.cache / "http.sqlite3")
        connection = await anysqlite.connect(where, isolation_level=None)
        storage = AsyncSqliteStorage(
            connection=connection, max_size=settings.max_cache_bytes, max_stream_size=settings.max_bytes
        )
        try:
            await storage.get_entries("")  # Opens it: a broken file is found here, not at the first page.
            await (await connection.cursor()).execute("SELECT count(*) FROM entries")
        except BaseException:
            await connection.close()
            raise
    except (OSError, sqlite3.Error, RuntimeError) as failure:
        raise ToolSettingsError(
            f"The HTTP cache in {settings.cache} cannot be used: {failure}.",
            remedy="Choose another folder, or remove the file http.sqlite3 in it.",
        ) from failure
    return storage


class _GuardedTransport(httpx.AsyncHTTPTransport):
    """httpx's own transport over a pool that connects through the guard."""

    def __init__(self, settings: WebSettings, guard: Guard) -> None:
        verified = httpx.create_ssl_context(trust_env=False)
        super().__init__(verify=verified, trust_env=False)
        # httpx has no argument for the network backend; the attribute is the only way to it. A test proves
        # that connections go through the guard, so a renamed attribute is found before it does harm.
        self._pool = httpcore.AsyncConnectionPool(
            ssl_context=verified,
            max_connections=settings.max_connections,
            max_keepalive_connections=settings.max_connections // 2,
            keepalive_expiry=30.0,
            network_backend=GuardedBackend(guard),
        )
        # The pool looks through all that wait in it at each event: a thousand would keep it from working.
        self._free = asyncio.Semaphore(settings.max_connections)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send, as soon as there is a connection for it."""
        await self._free.acquire()
        try:
            response = await super().handle_async_request(request)
        except BaseException:
            self._free.release()
            raise
        assert isinstance(response.stream, httpx.AsyncByteStream)  # noqa: S101 - httpx's own
        response.stream = _Held(response.stream, self._free)
        return response


class _Held(httpx.AsyncByteStream):
    """A body that keeps its place in the pool until it is read or closed."""

    def __init__(self, body: httpx.AsyncByteStream, free: asyncio.Semaphore) -> None:
        self._body = body
        self._free: asyncio.Semaphore | None = free

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for chunk in self._body:
            yield chunk

    async def aclose(self) -> None:
        free, self._free = self._free, None
        try:
            await self._body.aclose()
        finally:
            if free is not None:
                free.release()


class PacedTransport(httpx.AsyncBaseTransport):
    """Lets no host be asked more often than it may be; the others do not wait for it.

    Args:
        inner: where requests go on to.
        settings: the rates.
    """

    def __init__(self, inner: httpx.AsyncBaseTransport, settings: WebSettings) -> None:
        self._inner = inner
        self._settings = settings
        self._hosts: OrderedDict[str, AsyncLimiter] = OrderedDict()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Wait for the host's turn, then send."""
        async with self._limiter(request.url.host):
            pass
        return await self._inner.handle_async_request(request)

    async def aclose(self) -> None:
        """Close the pool."""
        await self._inner.aclose()

    def _limiter(self, host: str) -> AsyncLimiter:
        try:
            from aiolimiter import AsyncLimiter
        except ImportError as missing:
            raise ToolExtraError("The web client", extra="web") from missing
        if host not in self._hosts:
            rate = self._settings.rates.get(host, self._settings.per_second)
            self._hosts[host] = AsyncLimiter(max(rate, 1.0), max(1.0, 1.0 / rate))
        self._hosts.move_to_end(host)
        if len(self._hosts) > _HOSTS:
            self._hosts.popitem(last=False)
        return self._hosts[host]
