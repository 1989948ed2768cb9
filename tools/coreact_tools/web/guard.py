"""Where the web tools may go: the guard against being led into the own network.

An agent visits addresses that strangers wrote. Whether one is allowed is decided at the last moment, when
the connection is made: the name is resolved here, every address is checked, and the connection goes to the
very address that was checked. A name that answers differently the next time (DNS rebinding), a redirect, or
`http://2130706433/` for 127.0.0.1 gain nothing. A proxy would resolve names where nobody checks them, so
proxies from the environment are not used.

Not guarded: a public address that a router leads inside, and NAT64 prefixes of a network's own.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections.abc import Awaitable, Callable, Iterable, Sequence

import httpcore
import httpx

from coreact_tools.errors import ToolSettingsError, WebError

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Resolver = Callable[[str, int], Awaitable[Sequence[str]]]
"""Addresses of a host, as text, in the order in which they are to be tried."""

_GLOBAL_UNICAST = ipaddress.IPv6Network("2000::/3")
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
_TUNNELS = (
    ipaddress.IPv6Network("2002::/16"),  # 6to4
    ipaddress.IPv6Network("2001::/32"),  # Teredo
    ipaddress.IPv4Network("192.88.99.0/24"),  # 6to4 relays
    ipaddress.IPv4Network("192.0.0.0/24"),  # protocol assignments
)
_INSIDE = (
    ipaddress.IPv4Network("168.63.129.16/32"),  # public in form; in Azure it is the host's own service
    ipaddress.IPv6Network("3fff::/20"),  # documentation; Python 3.11 does not know it yet
)
_REFUSED = "Only public http and https pages can be opened. Use another page."


def is_public(address: Address) -> bool:
    """Whether an address is one of the public internet.

    Private, loopback, link-local (cloud metadata), carrier-grade NAT, multicast, reserved and unspecified
    addresses are not, nor tunnels, nor Azure's platform address. An IPv4 address in IPv6 clothes (mapped,
    NAT64) counts as what it is.
    """
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is not None:
            return is_public(address.ipv4_mapped)
        if address in _NAT64:
            return is_public(ipaddress.IPv4Address(int(address) & 0xFFFFFFFF))
        if address not in _GLOBAL_UNICAST:
            return False
    if any(address in net for net in (*_TUNNELS, *_INSIDE)):
        return False
    return address.is_global and not address.is_multicast


async def resolve(host: str, port: int) -> list[str]:
    """Addresses of a host as the system resolves them; raises `socket.gaierror` or `UnicodeError`."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


class Guard:
    """Decides which URLs and addresses may be visited.

    Args:
        allow: names, addresses and networks that are allowed though they are not public, at any port.
        ports: ports of public hosts.
        resolver: how names become addresses.

    Raises:
        ToolSettingsError: something with a `/` in `allow` is no network.
    """

    def __init__(
        self, *, allow: Iterable[str] = (), ports: Iterable[int] = (80, 443), resolver: Resolver = resolve
    ) -> None:
        self._names: set[str] = set()
        self._networks: list[ipaddress.IPv4Network | ipaddress.IPv6Network] = []
        for one in allow:
            try:
                self._networks.append(ipaddress.ip_network(one, strict=False))
            except ValueError as error:
                if "/" in one or ":" in one or not one.strip():
                    raise ToolSettingsError(
                        f"{one!r} in `allow` is no name, address or network.",
                        remedy="Write `search.intra`, `10.1.2.3` or `10.1.0.0/16`, without scheme and port.",
                    ) from error
                self._names.add(one.lower().rstrip("."))
        self._ports = frozenset(ports)
        self._resolver = resolver

    def check(self, url: httpx.URL) -> None:
        """Refuse what can be refused without a look-up.

        Raises:
            WebError: not http or https, no host, a user name or password in it, or a port that is closed.
        """
        shown = str(url.copy_with(userinfo=b""))
        host = url.raw_host.decode("ascii")
        if url.scheme not in ("http", "https") or not host or not _is_readable(url):
            raise WebError(f"{shown!r} is no web address.", url=shown, reason="refused", remedy=_REFUSED)
        if url.userinfo:
            raise WebError(
                f"{shown!r} was given with a user name or password in it.",
                url=shown,
                reason="refused",
                remedy="Write it without.",
            )
        if url.port is not None and url.port not in self._ports and not self._may_be_allowed(host):
            raise WebError(
                f"Port {url.port} of {host} may not be visited.", url=shown, reason="refused", remedy=_REFUSED
            )

    async def addresses(self, host: str, port: int) -> list[str]:
        """The addresses of a host that may be connected to, at least one.

        Raises:
            WebError: there is no such host, or none of its addresses is allowed at this port.
            httpcore.ConnectError: the look-up failed in a way that may pass.
        """
        shown = f"{host}:{port}"
        try:
            found = [ipaddress.ip_address(one) for one in await self._resolver(host, port)]
        except socket.gaierror as failure:
            if failure.errno == socket.EAI_AGAIN:
                raise httpcore.ConnectError(f"the look-up of {host} failed for now") from failure
            raise _no_host(host, shown) from failure
        except (UnicodeError, ValueError) as failure:
            raise _no_host(host, shown) from failure
        name_allowed = host.lower().rstrip(".") in self._names
        allowed = [
            str(one)
            for one in found
            if name_allowed
            or any(one.version == net.version and one in net for net in self._networks)
            or (port in self._ports and is_public(one))
        ]
        if not allowed:
            raise WebError(
                f"{host} is not on the public internet, or not at port {port}.",
                url=shown,
                reason="refused",
                remedy=_REFUSED,
            )
        return allowed

    def _may_be_allowed(self, host: str) -> bool:
        """Whether a host may be on the list: for networks, the look-up at connecting tells."""
        return bool(self._networks) or host.lower().rstrip(".") in self._names


def _is_readable(url: httpx.URL) -> bool:
    """Whether the name can be written out and the port exists; httpx raises only when it needs them."""
    try:
        return bool(url.host) and (url.port is None or 0 < url.port < 65_536)
    except UnicodeError:  # `xn--` and what is no Punycode
        return False


def _no_host(host: str, shown: str) -> WebError:
    return WebError(
        f"There is no host {host!r}.",
        url=shown,
        reason="unreachable",
        remedy="Check the address, or use another.",
    )


class GuardedBackend(httpcore.AsyncNetworkBackend):
    """Makes the connections of the pool: to checked addresses only, tried in order."""

    def __init__(self, guard: Guard, inner: httpcore.AsyncNetworkBackend | None = None) -> None:
        self._guard = guard
        self._inner = inner or httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - the interface of httpcore
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Resolve, check, connect; the name stays what TLS verifies, the pool asks it for itself."""
        addresses = await self._guard.addresses(host, port)
        for address in addresses[:-1]:
            try:
                return await self._inner.connect_tcp(address, port, timeout, local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout):
                continue
        return await self._inner.connect_tcp(addresses[-1], port, timeout, local_address, socket_options)

    async def connect_unix_socket(
        self,
        path: str,
        timeout: float | None = None,  # noqa: ASYNC109 - the interface of httpcore
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Never: a socket on this machine is not the web."""
        raise WebError("A local socket is no web address.", url=path, reason="refused", remedy=_REFUSED)

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        await self._inner.sleep(seconds)
