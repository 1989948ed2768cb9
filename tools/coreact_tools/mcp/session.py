"""One open session with one MCP server, on the loop where it was opened.

A session may only be closed by the task that opened it, so one task holds it, and calls go through it from
others. A session that broke is dropped and opened anew for the next call; the call that found it broken is
not sent again, since it may have done something.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from langchain_core.tools import BaseTool, ToolException

from coreact_tools._visible import visible
from coreact_tools.errors import McpServerError, ToolExtraError

if TYPE_CHECKING:
    from langchain_mcp_adapters.sessions import Connection

_ENDING_SECONDS = 10.0
"""For a session to end by itself: a server on standard input is given two of them before it is stopped."""


class Session:
    """The tools of a server, callable for as long as it is open.

    Args:
        server: its name, for messages and prefixes.
        connection: how to reach it.
        prefix: whether the tools' names begin with the server's.
        seconds: the longest that opening, and each call, may take.
    """

    def __init__(self, server: str, connection: Connection, *, prefix: bool, seconds: float) -> None:
        self.server = server
        self._connection = connection
        self._prefix = prefix
        self._seconds = seconds
        self.is_over = False
        """Whether it was ended for good."""
        self._lock = asyncio.Lock()
        self._held: asyncio.Task[None] | None = None
        self._end = asyncio.Event()
        self._tools: dict[str, BaseTool] = {}

    async def tools(self) -> dict[str, BaseTool]:
        """The server's tools by name, as the adapters give them; opens the session if it is not open.

        Raises:
            McpServerError: it cannot be opened, or does not list its tools.
        """
        async with self._lock:
            if self._held is None or self._held.done():
                await self._open()
            return self._tools

    async def call(self, name: str, arguments: dict[str, Any]) -> tuple[Any, Any]:
        """What a tool gives back, content and artifact.

        Raises:
            ToolException: the tool says that it failed.
            McpServerError: the server or the tool is gone, it took too long, or an argument cannot be sent.
        """
        tool = (await self.tools()).get(name)
        if tool is None:  # it was opened anew since
            raise McpServerError(
                f"The MCP server {self.server!r} has no tool {name!r} any more.",
                server=self.server,
                remedy="Go on without this tool.",
            )
        if "runtime" in arguments:
            raise McpServerError(
                f"The adapters keep the argument 'runtime' of {name!r} to themselves.",
                server=self.server,
                remedy="Go on without this argument.",
            )
        held = self._held
        try:
            async with asyncio.timeout(self._seconds):
                content, artifact = await tool.coroutine(**arguments)  # type: ignore[attr-defined]
        except ToolException:
            raise
        except failures() as failure:
            if _is_broken(failure) and held is self._held:
                await self.close()
            raise McpServerError(
                f"The MCP server {self.server!r} gave no answer ({_cause(failure)}).",
                server=self.server,
                remedy="Try again later, or go on without this tool.",
            ) from failure
        return content, artifact

    async def end(self) -> None:
        """End the session for good."""
        self.is_over = True
        await self.close()

    async def close(self) -> None:
        """End the session; it may be opened again."""
        held, self._held = self._held, None
        self._end.set()
        if held is not None:
            await _ended(held)

    async def _open(self) -> None:
        opened: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._end = asyncio.Event()
        self._held = asyncio.create_task(self._hold(opened, self._end))
        try:
            async with asyncio.timeout(self._seconds):
                await asyncio.wait({opened, self._held}, return_when=asyncio.FIRST_COMPLETED)
                if not opened.done():
                    await self._held  # It failed: this raises why.
        except failures() as failure:
            self._held.cancel()
            await self.close()
            raise McpServerError(
                f"The MCP server {self.server!r} does not list its tools ({_cause(failure)}).",
                server=self.server,
                remedy="Check its command or address, and start it by hand to see what it says.",
            ) from failure

    async def _hold(self, opened: asyncio.Future[None], end: asyncio.Event) -> None:
        try:
            from langchain_mcp_adapters.sessions import create_session
            from langchain_mcp_adapters.tools import load_mcp_tools
        except ImportError as missing:
            raise ToolExtraError("Tools of MCP servers", extra="mcp") from missing
        async with create_session(self._connection) as session:
            await session.initialize()
            loaded = await load_mcp_tools(session, server_name=self.server, tool_name_prefix=self._prefix)
            self._tools = {tool.name: tool for tool in loaded}
            opened.set_result(None)
            await end.wait()


async def _ended(task: asyncio.Task[None]) -> None:
    """Wait for a task to end, however it does; one that does not is cancelled."""
    await asyncio.wait({task}, timeout=_ENDING_SECONDS)
    if not task.done():
        task.cancel()
        await asyncio.wait({task})
    if not task.cancelled():
        task.exception()  # Looked at: what a session says at its end is of no use to anybody.


def failures() -> tuple[type[Exception], ...]:
    """What a session raises where a server or the way to it fails."""
    import anyio
    import httpx
    from mcp import McpError

    return (
        McpError, OSError, TimeoutError, httpx.HTTPError, anyio.ClosedResourceError, anyio.EndOfStream,
        anyio.BrokenResourceError, ExceptionGroup, ValueError, NotImplementedError, RuntimeError,
    )  # fmt: skip


def _is_broken(failure: Exception) -> bool:
    """Whether the session is lost; a call that took too long or was refused leaves it as it was."""
    from mcp import McpError
    from mcp.types import CONNECTION_CLOSED

    if isinstance(failure, McpError):
        return failure.error.code == CONNECTION_CLOSED
    return not isinstance(failure, TimeoutError | ValueError | NotImplementedError)


def _cause(failure: BaseException) -> str:
    """The first failure inside groups of them, on one line."""
    while isinstance(failure, BaseExceptionGroup):
        failure = failure.exceptions[0]
    text = " ".join(visible(str(failure)).split())[:200]
    return f"{type(failure).__name__}: {text}" if text else type(failure).__name__
