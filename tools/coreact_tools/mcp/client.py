"""Tools of MCP servers as LangChain tools with our metadata, by `langchain-mcp-adapters`.

The sessions stay open for a `with` block, on an event loop of their own, so that the tools can be called
synchronously and from any loop, and a server on standard input is started once. A server's annotations are
its own word: say in `told` what you know of one that is not yours.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from langchain_core.tools import BaseTool, StructuredTool, ToolException

from coreact_tools._loop import LoopThread
from coreact_tools._visible import visible
from coreact_tools.contracts import contract
from coreact_tools.errors import McpServerError, ToolSettingsError
from coreact_tools.mcp.session import Session

if TYPE_CHECKING:
    from langchain_mcp_adapters.sessions import Connection

MAX_CHARS = 20_000
"""The most characters of one answer; a longer one is cut, and says so."""
ROLE_KEY = "coreact/role"
COST_KEY = "coreact/cost"
"""Where `serve_mcp` writes role and cost: keys of a tool's `_meta`."""


@contextmanager
def mcp_tools(
    connections: Mapping[str, Connection],
    *,
    told: Mapping[str, Mapping[str, Any]] | None = None,
    prefix: bool = False,
    seconds: float = 60.0,
) -> Iterator[list[BaseTool]]:
    """The tools of some MCP servers, in the order of the servers, usable inside the `with` block.

    `read_only` comes from the annotation `readOnlyHint`, None where the server says nothing. `role` and
    `cost` are None unless the server is one of ours or `told` says them.

    Args:
        connections: how to reach each server, by a name for it: `{"transport": "stdio", "command": …,
            "args": […]}` or `{"transport": "http", "url": …, "headers": …}`; see `langchain-mcp-adapters`.
        told: metadata by tool name that goes before what the server says: `{"find": {"role": "search"}}`.
        prefix: put the server's name before each tool's name.
        seconds: the longest that one call, and the opening of one server, may take.

    Yields:
        Tools that answer with text (other content is named, not shown) and, as artifact, the list of
        documents that a server of ours names, otherwise an empty one. A failure is told in words, as a tool
        message of status `error`.

    Raises:
        McpServerError: a server cannot be started or reached, or does not list its tools.
        ToolSettingsError: two tools have the same name, `told` names a tool that there is not, or
            `seconds` is not positive.
        ToolExtraError: the extra `mcp` is not installed.
    """
    if not seconds > 0:
        raise ToolSettingsError(f"seconds is {seconds}.", remedy="Give a number greater than 0.")
    loop = LoopThread("coreact-tools-mcp")
    sessions: list[Session] = []

    async def opened(server: str, connection: Connection) -> list[BaseTool]:
        session = Session(server, connection, prefix=prefix, seconds=seconds)
        sessions.append(session)
        return [_tool(loop, session, found) for found in (await session.tools()).values()]

    async def closed() -> None:
        for session in sessions:
            await session.end()

    try:
        tools = [
            one for name, connection in connections.items() for one in loop.run(opened(name, connection))
        ]
        _tell(tools, told or {})
        yield tools
    finally:
        if loop.started:
            loop.run(closed())
            loop.close()


def _tell(tools: list[BaseTool], told: Mapping[str, Mapping[str, Any]]) -> None:
    by_name = {tool.name: tool for tool in tools}
    if len(by_name) != len(tools):
        raise ToolSettingsError(
            "Two tools of the MCP servers have the same name.",
            remedy="Give `prefix=True` to tell them apart.",
        )
    for name, metadata in told.items():
        if name not in by_name:
            raise ToolSettingsError(
                f"No MCP tool is called {name!r}.", remedy=f"There are {', '.join(by_name) or 'none'}."
            )
        by_name[name].metadata = {**(by_name[name].metadata or {}), **metadata}


def _tool(loop: LoopThread, session: Session, found: BaseTool) -> BaseTool:
    async def call(arguments: dict[str, Any]) -> tuple[str, list[str]]:
        try:
            content, artifact = await session.call(found.name, arguments)
        except ToolException as refused:
            raise ToolException(_cut(visible(str(refused)))) from refused
        return _cut(visible(_text(content))), _documents(artifact)

    def still_open() -> None:
        if session.is_over:  # or the call would start the server again, and nobody would end it
            raise McpServerError(
                f"The session of the tool {found.name!r} is over.",
                server=session.server,
                remedy="Call it inside of the `with` block of `mcp_tools`.",
            )

    def run(arguments: dict[str, Any]) -> tuple[str, list[str]]:
        still_open()
        return loop.run(call(arguments))

    async def arun(arguments: dict[str, Any]) -> tuple[str, list[str]]:
        still_open()
        return await loop.arun(call(arguments))

    return _McpTool(
        name=found.name,
        description=visible(found.description),
        args_schema=found.args_schema,
        func=run,
        coroutine=arun,
        response_format="content_and_artifact",
        handle_tool_error=str,
        metadata=_metadata(found),
    )


class _McpTool(StructuredTool):
    """Passes arguments on whatever they are called; langchain would keep `config` and `run_manager`."""

    def _run(self, /, **arguments: Any) -> Any:  # type: ignore[override]
        assert self.func is not None  # noqa: S101 - `_tool` gives both
        return self.func(arguments)

    async def _arun(self, /, **arguments: Any) -> Any:  # type: ignore[override]
        assert self.coroutine is not None  # noqa: S101 - `_tool` gives both
        return await self.coroutine(arguments)


def _metadata(found: BaseTool) -> dict[str, Any]:
    said = found.metadata or {}
    meta = said.get("_meta") or {}
    role, cost, read_only = meta.get(ROLE_KEY), meta.get(COST_KEY), said.get("readOnlyHint")
    return contract(
        role if role in ("search", "read", "compute", "answer") else None,
        read_only=read_only if isinstance(read_only, bool) else None,
        cost=float(cost) if isinstance(cost, int | float) and cost >= 0 else None,
    )


def _text(content: Any) -> str:
    if isinstance(content, str):
        return content
    kinds = [(block.get("type"), block) for block in content]
    return "\n".join(block["text"] if kind == "text" else f"[{kind} left out]" for kind, block in kinds)


def _documents(artifact: Any) -> list[str]:
    documents = ((artifact or {}).get("structured_content") or {}).get("documents")
    if isinstance(documents, list) and all(isinstance(one, str) for one in documents):
        return documents
    return []


def _cut(text: str) -> str:
    if len(text) <= MAX_CHARS:
        return text
    return f"{text[:MAX_CHARS]}\n[Cut at character {MAX_CHARS} of {len(text)}.]"
