"""An address that a server of this library may listen on: bound before anything is said, never every address.

Shared by the viewer and the generators' server, which stand side by side. What is served there is theirs.
"""

from __future__ import annotations

import ipaddress
import socket

from coreact.errors import ConfigError


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach the address."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def bound(host: str, port: int, *, who: str) -> socket.socket:
    """A socket bound to the address; it does not listen yet.

    Args:
        host: the address; a name is looked up.
        port: the port; 0: a free one.
        who: who wants to listen there, as an error names it: `The viewer`.

    Raises:
        ConfigError: it cannot be bound, or stands for every address of this machine.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        found = socket.socket(family, kind, protocol)
    except OSError as error:
        raise _unbound(host, port, who, error) from error
    try:
        found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        found.bind(address)
        name = str(found.getsockname()[0])
    except OSError as error:
        found.close()
        raise _unbound(host, port, who, error) from error
    if _is_every(name):
        found.close()
        raise ConfigError(
            f"{who} does not bind {host!r}, which stands for every address of this machine.",
            remedy="Name the one that others reach it by: only requests for that name are answered.",
        )
    return found


def _is_every(name: str) -> bool:
    """Whether a bound address is every one: asked of the socket, since `0` and `0x0` name it as well."""
    address = ipaddress.ip_address(name.partition("%")[0])
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return (mapped or address).is_unspecified


def _unbound(host: str, port: int, who: str, error: OSError) -> ConfigError:
    return ConfigError(
        f"{who} cannot listen on {host} port {port}: {error}.",
        remedy="Leave --port out for a free one, and --host for this machine alone.",
    )
