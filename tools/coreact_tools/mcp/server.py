"""LangChain tools as an MCP server, over stdio or streamable HTTP, by the package `mcp`.

What a tool says of itself goes along: `read_only` as the annotation `readOnlyHint`, role and cost as `_meta`.
A list of documents (the tool's artifact) goes as structured content. There is no log-in: over HTTP it listens
on this machine, and answers only requests that name a host it knows, which keeps web pages out.
"""

from __future__ import annotations

import ipaddress
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from langchain_core.messages import ToolMessage
from langchain_core.tools import BaseTool
from langchain_core.utils.function_calling import convert_to_openai_tool

from coreact_tools.errors import ToolExtraError, ToolSettingsError
from coreact_tools.mcp.client import COST_KEY, ROLE_KEY

if TYPE_CHECKING:
    from mcp import types
    from mcp.server.lowlevel import Server
    from mcp.server.streamable_http_manager import StreamableHTTPSessionManager
    from starlette.applications import Starlette
    from starlette.types import Receive, Scope, Send

PATH = "/mcp"
"""Where the HTTP server answers."""


def mcp_server(tools: Sequence[BaseTool], *, name: str = "coreact-tools") -> Server[Any, Any]:
    """A server of the package `mcp` with these tools, to be run by its own means.

    Raises:
        ToolSettingsError: two tools have the same name, or one has no JSON schema.
        ToolExtraError: the extra `mcp` is not installed.
    """
    try:
        from mcp.server.lowlevel import Server
    except ImportError as missing:
        raise ToolExtraError("Serving tools over MCP", extra="mcp") from missing
    by_name = {tool.name: tool for tool in tools}
    if len(by_name) != len(tools):
        raise ToolSettingsError("Two of the tools have the same name.", remedy="Give each a name of its own.")
    described = [_described(tool) for tool in tools]
    server: Server[Any, Any] = Server(name)

    @server.list_tools()  # type: ignore[no-untyped-call,untyped-decorator,unused-ignore]
    async def listed() -> list[types.Tool]:
        return described

    @server.call_tool()  # type: ignore[untyped-decorator,unused-ignore]
    async def called(tool_name: str, arguments: dict[str, Any]) -> types.CallToolResult:
        if tool_name not in by_name:
            return _result(f"There is no tool {tool_name!r} here.", error=True)
        call = {"name": tool_name, "args": arguments, "id": "mcp", "type": "tool_call"}
        message = await by_name[tool_name].ainvoke(call)
        if not isinstance(message, ToolMessage):
            return _result(str(message))
        return _result(str(message.text), documents=message.artifact, error=message.status == "error")

    return server


def http_app(
    tools: Sequence[BaseTool], *, name: str = "coreact-tools", hosts: Sequence[str] = ()
) -> Starlette:
    """The server as an ASGI application that answers at `/mcp`.

    Args:
        tools: what it offers.
        name: how it introduces itself.
        hosts: names under which it may be called, beside those of this machine itself.

    Raises:
        ToolSettingsError: two tools have the same name, or one has no JSON schema.
        ToolExtraError: the extra `mcp` is not installed.
    """
    server = mcp_server(tools, name=name)
    from mcp.server.streamable_http_manager import StreamableHTTPSessionManager
    from mcp.server.transport_security import TransportSecuritySettings
    from starlette.applications import Starlette
    from starlette.routing import Route

    known = ["127.0.0.1", "localhost", "[::1]", *hosts]
    manager = StreamableHTTPSessionManager(
        app=server,
        stateless=True,
        security_settings=TransportSecuritySettings(
            enable_dns_rebinding_protection=True,
            allowed_hosts=[form for host in known for form in (host, f"{host}:*")],
            allowed_origins=[f"http://{host}:*" for host in known],
        ),
    )

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        async with manager.run():
            yield

    return Starlette(routes=[Route(PATH, endpoint=_Endpoint(manager))], lifespan=lifespan)


def serve_mcp(
    tools: Sequence[BaseTool],
    *,
    name: str = "coreact-tools",
    port: int | None = None,
    host: str = "127.0.0.1",
    hosts: Sequence[str] = (),
) -> None:
    """Serve tools until the client goes away (stdio) or the process is interrupted (HTTP).

    Args:
        tools: what is offered.
        name: how the server introduces itself.
        port: where to listen for HTTP; None: speak over standard input and output.
        host: address to listen on.
        hosts: names under which it may be called; must be given to listen on more than this machine.

    Raises:
        ToolSettingsError: two tools have the same name, one has no JSON schema, there is no such port, or
            `host` is not this machine and `hosts` is empty.
        ToolExtraError: the extra `mcp` is not installed.
    """
    if port is None:
        server = mcp_server(tools, name=name)
        import anyio

        anyio.run(_over_stdio, server)
        return
    if not 0 <= port < 65_536:
        raise ToolSettingsError(f"There is no port {port}.", remedy="Give one from 1 to 65535.")
    if not hosts and not _is_loopback(host):
        raise ToolSettingsError(
            f"Everybody who reaches {host} could call these tools: there is no log-in.",
            remedy="Listen on 127.0.0.1, or name in `hosts` under which names it may be called.",
        )
    app = http_app(tools, name=name, hosts=hosts)
    import uvicorn

    uvicorn.run(app, host=host, port=port, log_level="warning")


async def _over_stdio(server: Server[Any, Any]) -> None:
    from mcp.server.stdio import stdio_server

    async with stdio_server() as (read, write):
        await server.run(read, write, server.create_initialization_options())


class _Endpoint:
    """The session manager as an ASGI application; a function would be taken for a request handler."""

    def __init__(self, manager: StreamableHTTPSessionManager) -> None:
        self._manager = manager

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._manager.handle_request(scope, receive, send)


def _described(tool: BaseTool) -> types.Tool:
    from mcp import types

    try:
        parameters = convert_to_openai_tool(tool)["function"]["parameters"]
    except (KeyError, TypeError, ValueError, AttributeError, RuntimeError) as broken:
        raise ToolSettingsError(
            f"The tool {tool.name!r} has no JSON schema.", remedy="Give it an args_schema."
        ) from broken
    said = tool.metadata or {}
    own = {ROLE_KEY: said.get("role"), COST_KEY: said.get("cost")}
    meta = {key: value for key, value in own.items() if value is not None}
    return types.Tool(
        name=tool.name,
        description=tool.description,
        inputSchema=parameters,
        annotations=types.ToolAnnotations(readOnlyHint=said.get("read_only")),
        _meta=meta or None,
    )


def _result(text: str, *, documents: object = None, error: bool = False) -> types.CallToolResult:
    from mcp import types

    is_list = isinstance(documents, list) and all(isinstance(one, str) for one in documents)
    return types.CallToolResult(
        content=[types.TextContent(type="text", text=text)],
        structuredContent={"documents": documents} if is_list else None,
        isError=error,
    )


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
