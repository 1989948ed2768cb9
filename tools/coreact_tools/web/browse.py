"""The tool `browse`: the text of one page by its address, in portions.

What a page says is returned as it stands: it is an observation, and whoever puts it before a model fences it.
What cannot be read is told in words, as a tool message of status `error`, never as an exception.
"""

from __future__ import annotations

import asyncio
import threading
from collections import OrderedDict

from langchain_core.tools import BaseTool, StructuredTool
from pydantic import BaseModel, Field

from coreact_tools._loop import Turns, in_daemon_thread
from coreact_tools.contracts import contract
from coreact_tools.errors import ToolSettingsError, WebError
from coreact_tools.web.client import WebClient, shared_client
from coreact_tools.web.pages import Page, read_page

_KEPT = 8
"""Pages remembered, so that reading on goes on in the same text even where the page changes meanwhile."""

_PARSING = Turns(2)
"""Pages turned into text at once. Parsing holds the interpreter: sixty at once are all too late."""
_QUEUE_SECONDS = 120.0
"""The longest a page that has arrived waits for its turn."""


class _Arguments(BaseModel):
    url: str = Field(description="The whole address of the page, as a search shows it.")
    offset: int = Field(
        default=0, ge=0, description="Where to read on: the number that a page that was cut ends with."
    )


def browse(
    client: WebClient | None = None, *, max_chars: int = 6_000, read_seconds: float = 20.0
) -> BaseTool:
    """The tool that opens a page: HTML, PDF or plain text.

    Args:
        client: how the web is reached; the process's `shared_client` if None.
        max_chars: the most characters of a page's text in one answer, at least 1.
        read_seconds: the longest it may take to turn a page that has arrived into text.

    Returns:
        A tool that answers with title, address and text; its artifact is a list with the address that was
        read in the end.

    Raises:
        ToolSettingsError: `max_chars` or `read_seconds` is not positive.
    """
    if max_chars < 1 or not read_seconds > 0:
        raise ToolSettingsError(
            f"max_chars ({max_chars}) and read_seconds ({read_seconds}) must be greater than 0."
        )
    kept = _Kept()

    async def page(web: WebClient, url: str, offset: int) -> Page:
        found = kept.get(url) if offset else None
        if found is None:
            found = await _read(web, url, read_seconds)
            kept.put(url, found)
        return found

    def run(url: str, offset: int = 0) -> tuple[str, list[str]]:
        web = client or shared_client()
        return _shown(web.run(page(web, url, offset)), offset, max_chars)

    async def arun(url: str, offset: int = 0) -> tuple[str, list[str]]:
        web = client or shared_client()
        return _shown(await web.arun(page(web, url, offset)), offset, max_chars)

    return StructuredTool.from_function(
        run,
        coroutine=arun,
        name="browse",
        description="Open a web page (HTML, PDF or plain text) by its address and read its text.",
        args_schema=_Arguments,
        response_format="content_and_artifact",
        handle_tool_error=str,
        metadata=contract("read"),
    )


async def _read(web: WebClient, url: str, seconds: float) -> Page:
    reply = await web.fetch(url)
    turn = _PARSING.here()
    try:
        async with asyncio.timeout(_QUEUE_SECONDS):
            await turn.acquire()
    except TimeoutError as late:
        raise WebError(
            f"{reply.url} arrived, but too many other pages are being read.",
            url=reply.url,
            reason="timeout",
            temporary=True,
            remedy="Try again later.",
        ) from late
    try:
        async with asyncio.timeout(seconds):
            return await in_daemon_thread(lambda: read_page(reply))
    except TimeoutError as late:
        raise WebError(
            f"{reply.url} was not turned into text within {seconds:g} seconds.",
            url=reply.url,
            reason="timeout",
            remedy="Use another page.",
        ) from late
    finally:
        turn.release()


def _shown(page: Page, offset: int, max_chars: int) -> tuple[str, list[str]]:
    total = len(page.text)
    heading = f"{page.title}\n{page.url}" if page.title else page.url
    if offset >= total:
        return f"{heading}\n[The page ends at character {total}; there is nothing at {offset}.]", [page.url]
    end = _portion_end(page.text, offset, max_chars)
    parts = [heading, page.text[offset:end]]
    if offset:
        parts.insert(1, f"[from character {offset} of {total}]")
    if end < total:
        parts.append(f"[Cut at character {end} of {total}. To read on, call browse with offset={end}.]")
    elif page.note:
        parts.append(f"[{page.note}]")
    return "\n".join(parts), [page.url]


def _portion_end(text: str, start: int, limit: int) -> int:
    """Where a portion ends: at the limit, or at white space shortly before it."""
    end = start + limit
    if end >= len(text):
        return len(text)
    for at in range(end, max(start, end - limit // 10), -1):
        if text[at].isspace():
            return at
    return end


class _Kept:
    """The last pages read, by the address they were asked for."""

    def __init__(self) -> None:
        self._pages: OrderedDict[str, Page] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, url: str) -> Page | None:
        with self._lock:
            return self._pages.get(url)

    def put(self, url: str, page: Page) -> None:
        with self._lock:
            self._pages[url] = page
            self._pages.move_to_end(url)
            if len(self._pages) > _KEPT:
                self._pages.popitem(last=False)
