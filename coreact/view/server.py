"""The viewer on a port: bound before anything is said, on loopback unless told otherwise."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing

import uvicorn

from coreact.listening import bound
from coreact.trace import SQLiteTraceStore
from coreact.view.app import LOOPBACK, create_app


def serve(
    store: SQLiteTraceStore,
    *,
    reviewer: str,
    host: str = "127.0.0.1",
    port: int = 0,
    ready: Callable[[str], object] | None = None,
) -> None:
    """Serve the viewer until it is interrupted (Ctrl-C ends it quietly).

    Args:
        store: the store.
        reviewer: name under which judgements by the person at the keyboard are stored.
        host: the address to bind, which is also the only name beside loopback that is served.
        port: the port; 0: a free one.
        ready: called with the viewer's address once the port is bound.

    Raises:
        ConfigError: the address stands for every address, or cannot be bound.
    """
    with closing(bound(host, port, who="The viewer")) as listening:
        listening.listen(128)
        shown = f"[{host}]" if ":" in host else host
        if ready is not None:
            ready(f"http://{shown}:{listening.getsockname()[1]}/")
        hosts = (*LOOPBACK, shown)
        config = uvicorn.Config(
            create_app(store, reviewer=reviewer, hosts=hosts),
            log_level="warning",
            access_log=False,
            server_header=False,
            lifespan="off",
            ws="none",
            timeout_graceful_shutdown=2,
        )
        try:
            uvicorn.Server(config).run(sockets=[listening])
        except KeyboardInterrupt:
            return
