"""The viewer on a port: bound before anything is said, on loopback unless told otherwise."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Callable
from contextlib import closing

import uvicorn

from coreact.errors import ConfigError
from coreact.trace import SQLiteTraceStore
from coreact.view.app import LOOPBACK, create_app


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach the address."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


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
    with closing(_bound(host, port)) as listening:
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


def _bound(host: str, port: int) -> socket.socket:
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listening = socket.socket(family, kind, protocol)
    except OSError as error:
        raise _unbound(host, port, error) from error
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(address)
        if _everywhere(listening.getsockname()[0]):
            raise ConfigError(
                f"The viewer does not bind {host!r}, which stands for every address of this machine.",
                remedy="Name the one that others reach it by: only requests for that name are answered.",
            )
        listening.listen(128)
    except OSError as error:
        listening.close()
        raise _unbound(host, port, error) from error
    except ConfigError:
        listening.close()
        raise
    return listening


def _everywhere(bound: str) -> bool:
    """Whether a bound address is every one: asked of the socket, since `0` and `0x0` name it as well."""
    address = ipaddress.ip_address(bound)
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return (mapped or address).is_unspecified


def _unbound(host: str, port: int, error: OSError) -> ConfigError:
    return ConfigError(
        f"The viewer cannot listen on {host} port {port}: {error}.",
        remedy="Leave --port out for a free one, and --host for this machine alone.",
    )
