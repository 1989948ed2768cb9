"""The local viewer: pages over a trace store, served on loopback or written as files.

It reads through the store's own read-only connections; the one thing it writes is a judgement by a
person. It changes no run, exports nothing itself, and needs no network. `create_app` makes the pages,
`serve` puts them on a port, `write_bundle` writes runs as files that need no server.
"""

from coreact.view.app import create_app
from coreact.view.bundle import Bundled, write_bundle
from coreact.view.server import serve

__all__ = ["Bundled", "create_app", "serve", "write_bundle"]
