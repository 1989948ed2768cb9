"""The one HTTP client of a process for tools: guarded, pooled, cached, paced, and bounded in time and size.

`fetch` reads a page by GET, follows redirects by hand (each target is checked like the first), and goes
through an HTTP cache that obeys RFC 9111. `call` speaks to a search provider: no cache and no redirects, so
that a key is neither stored nor sent elsewhere. Both keep no cookies, take no proxy from the environment,
and send nothing twice unless the failure may pass.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import os
import re
import sqlite3
from collections.abc import AsyncIterator, Coroutine, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, TypeVar
from weakref import WeakValueDictionary

import httpx
import tenacity

from coreact_tools._loop import LoopThread
from coreact_tools.errors import WebError
from coreact_tools.web.body import ACCEPTED, read_body
from coreact_tools.web.guard import Guard, Resolver, resolve
from coreact_tools.web.settings import WebSettings
from coreact_tools.web.status import failure, refused
from coreact_tools.web.transport import Transports, opened

T = TypeVar("T")

_MAX_URL = 2_000
"""Longest address, in characters."""
_AT_ONCE = 8
"""Calls to one host whose time runs at once, where its rate asks for no more."""
_REDIRECTS = {301, 302, 303, 307, 308}
_ACCEPT = "text/html,application/xhtml+xml,text/plain,application/pdf;q=0.9,*/*;q=0.5"


@dataclass(frozen=True, kw_only=True)
class Reply:
    """What a server answered, whole."""

    url: str
    """Where it came from in the end."""
    content_type: str
    """As the server wrote it, in lower case; may be empty or wrong."""
    body: bytes
    """Decompressed."""
    from_cache: bool = False


class WebClient:
    """A client for pages and providers; one for a process is enough (`shared_client`).

    Its work runs on an event loop of its own: `run(work)` waits for it in any thread, `await arun(work)` in
    any event loop, where `work` is `client.fetch(url)`, say.

    Args:
        settings: the bounds.
        resolver: how names become addresses; the system's resolver unless a test says otherwise.

    Raises:
        ToolSettingsError: `settings.allow` has something in it that is no host or network.
    """

    def __init__(self, settings: WebSettings | None = None, *, resolver: Resolver = resolve) -> None:
        self.settings = settings or WebSettings()
        self._guard = Guard(allow=self.settings.allow, ports=self.settings.ports, resolver=resolver)
        self._process = os.getpid()
        self._loop = LoopThread("coreact-tools-web")
        self._opening: asyncio.Task[Transports] | None = None
        self._turns: WeakValueDictionary[bytes, asyncio.Semaphore] = WeakValueDictionary()

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Do the work and wait for it in this thread.

        Raises:
            WebError: the client was closed meanwhile, beside what the work raises.
        """
        try:
            return self._own_loop().run(work)
        except concurrent.futures.CancelledError as closed:
            raise _closed_meanwhile() from closed

    async def arun(self, work: Coroutine[Any, Any, T]) -> T:
        """Do the work, awaited from any event loop; raises as `run` does."""
        try:
            return await self._own_loop().arun(work)
        except asyncio.CancelledError as closed:
            awaiting = asyncio.current_task()
            if awaiting is None or awaiting.cancelling():
                raise
            raise _closed_meanwhile() from closed

    async def fetch(self, url: str) -> Reply:
        """Read a page; to be run by `run` or `arun`.

        Raises:
            WebError: it cannot be had, with the reason.
            ToolExtraError: the extra `web` is not installed.
        """
        address = _address(url)
        async with self._turn(address), self._bounded(address):
            for _ in range(self.settings.max_redirects + 1):
                self._guard.check(address)
                found = await self._attempts(
                    "GET", address, headers={"Accept": _ACCEPT, "Accept-Language": "en,*;q=0.5"}, cached=True
                )
                if isinstance(found, Reply):
                    return found
                address = found
        raise WebError(
            f"{url} leads from page to page more than {self.settings.max_redirects} times.",
            url=str(address),
            reason="redirects",
            remedy="Use another page.",
        )

    async def call(
        self,
        method: str,
        url: str,
        *,
        params: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        json: object = None,
    ) -> Reply:
        """Send a request to a provider; to be run by `run` or `arun`.

        Raises:
            WebError: it gave no good answer, with the reason; a redirect is none.
            ToolExtraError: the extra `web` is not installed.
        """
        address = _address(url)
        async with self._turn(address), self._bounded(address):
            self._guard.check(address)
            found = await self._attempts(
                method,
                address,
                cached=False,
                params=params,
                headers={"Accept": "application/json", **(headers or {})},
                json=json,
            )
        if isinstance(found, Reply):
            return found
        raise WebError(
            f"{url} leads elsewhere, which a search provider should not.",
            url=url,
            reason="redirects",
            remedy="Give the tool the final address of the provider.",
        )

    def close(self) -> None:
        """Close the connections and end the loop; a later use opens them anew."""
        loop = self._own_loop()
        if loop.started:
            loop.run(self._closed())
            loop.close()

    def _own_loop(self) -> LoopThread:
        """The loop; a forked child has neither the thread nor a right to the connections of its parent."""
        if self._process != os.getpid():
            self._process, self._loop, self._opening = os.getpid(), LoopThread("coreact-tools-web"), None
            self._turns = WeakValueDictionary()
        return self._loop

    async def _closed(self) -> None:
        opening, self._opening = self._opening, None
        if opening is not None:
            await asyncio.wait({opening})
            if opening.exception() is None:
                await opening.result().aclose()

    async def _attempts(
        self, method: str, url: httpx.URL, *, cached: bool, **request: Any
    ) -> Reply | httpx.URL:
        # One task opens them for all: it outlives a caller that gives up meanwhile.
        if self._opening is None or (self._opening.done() and self._opening.exception() is not None):
            self._opening = asyncio.create_task(opened(self.settings, self._guard))
        transports = await asyncio.shield(self._opening)
        client = transports.cached if cached else transports.direct
        retrying = tenacity.AsyncRetrying(
            stop=tenacity.stop_after_attempt(self.settings.attempts),
            retry=tenacity.retry_if_exception(self._may_pass),
            wait=self._wait,
            reraise=True,
        )
        return await retrying(self._once, client, method, url, **request)

    async def _once(
        self,
        client: httpx.AsyncClient,
        method: str,
        url: httpx.URL,
        headers: Mapping[str, str],
        **request: Any,
    ) -> Reply | httpx.URL:
        shown = str(url)
        try:
            async with client.stream(
                method, url, headers={"Accept-Encoding": ACCEPTED, **headers}, **request
            ) as response:
                if response.status_code in _REDIRECTS:
                    return _target(response)
                if response.status_code != httpx.codes.OK:
                    raise refused(response)
                return Reply(
                    url=str(response.url),
                    content_type=response.headers.get("content-type", "").lower(),
                    body=await read_body(response, self.settings.max_bytes),
                    from_cache=bool(response.extensions.get("caching", {}).get("from_cache")),
                )
        except (httpx.HTTPError, httpx.StreamError, httpx.InvalidURL, UnicodeError, sqlite3.Error) as error:
            raise failure(error, shown) from error

    def _may_pass(self, error: BaseException) -> bool:
        return (
            isinstance(error, WebError)
            and error.temporary
            and (error.retry_after or 0.0) <= self.settings.max_wait_seconds
        )

    def _wait(self, state: tenacity.RetryCallState) -> float:
        error = state.outcome.exception() if state.outcome is not None else None
        if isinstance(error, WebError) and error.retry_after is not None:
            return error.retry_after
        waits: float = self.settings.backoff_seconds * 2.0 ** (state.attempt_number - 1)
        return min(waits, self.settings.max_wait_seconds)

    @asynccontextmanager
    async def _turn(self, url: httpx.URL) -> AsyncIterator[None]:
        """Few at once to one host: of a thousand that start their clocks together, all would be late."""
        settings, host = self.settings, url.raw_host
        rate = settings.rates.get(host.decode("ascii"), settings.per_second)
        at_once = int(min(settings.max_connections, max(_AT_ONCE, rate)))
        turn = self._turns.setdefault(host, asyncio.Semaphore(at_once))
        try:
            async with asyncio.timeout(settings.queue_seconds):
                await turn.acquire()
        except TimeoutError as late:
            raise WebError(
                f"{url} was not asked for: too many other calls wait for the same host.",
                url=str(url),
                reason="timeout",
                temporary=True,
                remedy="Try again later, or use another page.",
            ) from late
        try:
            yield
        finally:
            turn.release()

    @asynccontextmanager
    async def _bounded(self, url: httpx.URL) -> AsyncIterator[None]:
        try:
            async with asyncio.timeout(self.settings.total_seconds):
                yield
        except TimeoutError as late:
            raise WebError(
                f"{url} was not read within {self.settings.total_seconds:g} seconds.",
                url=str(url),
                reason="timeout",
                remedy="Use another page, or try again later.",
            ) from late


_SHARED = WebClient()


def shared_client() -> WebClient:
    """The client of this process with default settings; nothing is opened before it is used."""
    return _SHARED


def _address(url: str) -> httpx.URL:
    try:
        if len(url) > _MAX_URL:
            raise ValueError("too long")
        return httpx.URL(url.strip()).copy_with(fragment=None)
    except (httpx.InvalidURL, ValueError, TypeError) as error:
        # It cannot be parsed, so what may be a password is cut off by its looks.
        shown = re.sub(r"//.*@", "//", str(url), flags=re.DOTALL)[:200]
        raise WebError(
            f"{shown!r} is no web address.",
            url=shown,
            reason="refused",
            remedy="Give a whole address that begins with https:// or http://.",
        ) from error


def _closed_meanwhile() -> WebError:
    return WebError(
        "The web client was closed while a page was read.",
        url="",
        reason="unreachable",
        temporary=True,
        remedy="Try again.",
    )


def _target(response: httpx.Response) -> httpx.URL:
    """Where a redirect leads; whether one may go there is checked before anything is sent."""
    location = response.headers.get("location", "")
    try:
        if location:
            return response.url.join(location).copy_with(fragment=None)
    except (httpx.InvalidURL, ValueError):
        pass
    raise WebError(
        f"{response.url} leads nowhere (HTTP {response.status_code} without a target).",
        url=str(response.url),
        reason="redirects",
        remedy="Use another page.",
    )
