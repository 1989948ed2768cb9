"""Every error the tools raise on purpose, in one tree; `coreact_tools` does not import `coreact`.

An agent never meets one of them as an exception: a tool answers a `WebError` or a `McpServerError` with its
text, as a tool message of status `error`. The others are for whoever sets a tool up.

    ToolError
    ├── ToolSettingsError    a setting, a key or an environment variable is missing or wrong
    ├── ToolExtraError       an optional dependency is not installed (`extra`)
    ├── PassageIndexError    an index folder or the passages for it cannot be used (`path`, `line`)
    ├── WebError             a page or a search provider could not be used (`url`, `reason`)
    └── McpServerError       an MCP server could not be reached or failed a call (`server`)
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from langchain_core.tools import ToolException

Reason = Literal[
    "refused", "unreachable", "timeout", "too_large", "redirects", "status", "no_text", "garbled"
]
"""Why the web gave nothing. `refused`: our own rules forbid the address; `unreachable`: no such host, or the
connection broke; `timeout`: it took longer than it may; `too_large`: more bytes than may be read;
`redirects`: too many, or one that leads nowhere; `status`: the server said no; `no_text`: it is no page of
text; `garbled`: what came is not what it claims to be."""


class ToolError(Exception):
    """Base of the tree: what happened, and the remedy."""

    def __init__(self, what: str, *, remedy: str = "") -> None:
        super().__init__(f"{what} {remedy}".rstrip())
        self.what = what
        self.remedy = remedy


class ToolSettingsError(ToolError, ValueError):
    """A tool cannot be made from what it was given."""


class ToolExtraError(ToolError, ImportError):
    """An optional dependency is not installed."""

    def __init__(self, feature: str, *, extra: str) -> None:
        super().__init__(
            f"{feature} needs the extra {extra!r}, which is not installed.",
            remedy=f"Run `pip install 'coreact[{extra}]'`.",
        )
        self.extra = extra


class PassageIndexError(ToolError):
    """An index of passages cannot be built or opened."""

    def __init__(
        self, what: str, *, path: Path | None = None, line: int | None = None, remedy: str = ""
    ) -> None:
        place = f"{path}: " if path is not None else ""
        super().__init__(f"{place}{f'line {line}: ' if line is not None else ''}{what}", remedy=remedy)
        self.path = path
        self.line = line
        """1-based line (or number of the passage) that is to blame, where one is."""


class WebError(ToolError, ToolException):
    """A page could not be read or a search provider did not answer as it should."""

    def __init__(
        self,
        what: str,
        *,
        url: str,
        reason: Reason,
        remedy: str = "",
        status: int | None = None,
        retry_after: float | None = None,
        temporary: bool = False,
    ) -> None:
        super().__init__(what, remedy=remedy)
        self.url = url
        """The address asked for last; never with a key in it."""
        self.reason: Reason = reason
        self.status = status
        """The HTTP status, where a server answered."""
        self.retry_after = retry_after
        """Seconds after which the server wants to be asked again, where it said so."""
        self.temporary = temporary
        """Whether the same request may well succeed a little later."""


class McpServerError(ToolError, ToolException):
    """An MCP server could not be started or reached, or broke off."""

    def __init__(self, what: str, *, server: str, remedy: str = "") -> None:
        super().__init__(what, remedy=remedy)
        self.server = server
        """The name under which it was given."""
