"""MCP in both directions: tools of MCP servers for our agents, and our tools for any MCP client.

It needs the extra `mcp`.
"""

from __future__ import annotations

from coreact_tools.mcp.client import mcp_tools
from coreact_tools.mcp.server import http_app, mcp_server, serve_mcp

__all__ = ["http_app", "mcp_server", "mcp_tools", "serve_mcp"]
