"""Tools for agents, as plain LangChain tools, each with a JSON schema and metadata (`contracts`).

Here: `corpus_tools` and `searching_tools` over a closed corpus or a `PassageIndex` on disk, and `calculator`.
The web (`web_search` and `browse`) is in `coreact_tools.web`, MCP (`mcp_tools`, `serve_mcp`) in
`coreact_tools.mcp`; they need the extras `web` and `mcp`.
"""

from __future__ import annotations

from coreact_tools.calculator import NotComputableError, calculator, evaluate
from coreact_tools.contracts import Role, contract
from coreact_tools.corpus import CorpusLike, HitLike, PassageLike, corpus_tools, searching_tools
from coreact_tools.errors import (
    McpServerError,
    PassageIndexError,
    ToolError,
    ToolExtraError,
    ToolSettingsError,
    WebError,
)
from coreact_tools.index import PassageIndex

__all__ = [
    "CorpusLike",
    "HitLike",
    "McpServerError",
    "NotComputableError",
    "PassageIndex",
    "PassageIndexError",
    "PassageLike",
    "Role",
    "ToolError",
    "ToolExtraError",
    "ToolSettingsError",
    "WebError",
    "calculator",
    "contract",
    "corpus_tools",
    "evaluate",
    "searching_tools",
]
