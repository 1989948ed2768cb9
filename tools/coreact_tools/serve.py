"""`python -m coreact_tools.serve FOLDER`: an index of passages as an MCP server with `search` and `read`.

Over standard input and output, as desktop clients start servers, or over HTTP with `--port`. With
`--build FILE` the index is made first from JSON lines (`{"id": …, "title": …, "text": …}`), if the folder is
not there yet.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from coreact_tools.calculator import calculator
from coreact_tools.corpus import corpus_tools
from coreact_tools.errors import PassageIndexError, ToolError
from coreact_tools.index import PassageIndex


def main(arguments: Sequence[str] | None = None) -> int:
    """Read the command line and serve; returns the exit code, 2 where the user has something to mend."""
    parser = argparse.ArgumentParser(prog="coreact_tools.serve", description="Serve a corpus over MCP.")
    parser.add_argument("folder", type=Path, help="folder of the index")
    parser.add_argument("--build", type=Path, metavar="FILE", help="JSON lines to build the index from")
    parser.add_argument("--port", type=int, help="listen for HTTP on this port of this machine")
    parser.add_argument("-k", type=int, default=3, help="passages that a search shows (3)")
    given = parser.parse_args(arguments)
    try:
        if given.k < 1:
            raise PassageIndexError("A search must show at least one passage.", remedy="Give -k 1 or more.")
        if given.build is not None and not given.folder.exists():
            _built(given.folder, given.build).close()
        with PassageIndex.open(given.folder) as index:
            from coreact_tools.mcp import serve_mcp

            serve_mcp([*corpus_tools(index, k=given.k), calculator], name="coreact-corpus", port=given.port)
    except ToolError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    return 0


def _built(folder: Path, file: Path) -> PassageIndex:
    try:
        with file.open(encoding="utf-8") as lines:
            return PassageIndex.build(folder, lines)
    except OSError as failure:
        raise PassageIndexError(f"cannot be read: {failure.strerror}.", path=file) from failure


if __name__ == "__main__":
    sys.exit(main())
