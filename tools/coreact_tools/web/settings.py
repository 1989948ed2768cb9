"""The bounds under which the web is used, in one place."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from coreact_tools.errors import ToolSettingsError


@dataclass(frozen=True, kw_only=True)
class WebSettings:
    """What a `WebClient` may do. Every wait and every size has a bound.

    Raises:
        ToolSettingsError: a bound is not positive, or a port is none.
    """

    allow: tuple[str, ...] = ()
    """Hosts that may be visited though they are not public, at any port: names (`search.intra`), addresses
    (`127.0.0.1`) or networks (`10.1.0.0/16`). A name is allowed wherever it resolves to."""
    ports: frozenset[int] = frozenset({80, 443, 8080, 8443})
    """Ports of public hosts that may be visited."""
    total_seconds: float = 30.0
    """For one page, from the first look-up to its text: redirects, retries, waits and reading included."""
    queue_seconds: float = 300.0
    """The longest a call waits, before its time begins, while many others ask the same host."""
    connect_seconds: float = 10.0
    """For one connection."""
    silence_seconds: float = 15.0
    """The longest a server may send nothing."""
    max_bytes: int = 10_000_000
    """The longest body read, counted after decompression."""
    max_redirects: int = 5
    attempts: int = 3
    """How often a request is sent in all where the failure may pass."""
    backoff_seconds: float = 0.5
    """Wait before the second attempt; doubled before each further one."""
    max_wait_seconds: float = 10.0
    """The longest wait between attempts. A server that asks for a longer one is not asked again."""
    per_second: float = 4.0
    """Requests a second to one host, from all threads and event loops of the process together."""
    rates: Mapping[str, float] = field(default_factory=lambda: {"api.semanticscholar.org": 1.0})
    """Requests a second for hosts that ask for another rate."""
    max_connections: int = 50
    cache: Path | None = None
    """Folder of the HTTP cache; None: in memory, for as long as the client lives. What was read from an
    allowed private host stays in the folder after it is no longer allowed: give each trust its own."""
    max_cache_bytes: int = 64 * 1024 * 1024
    user_agent: str = "coreact-tools (+https://pypi.org/project/coreact/)"

    def __post_init__(self) -> None:
        bounds = {
            name: getattr(self, name)
            for name in (
                "total_seconds", "queue_seconds", "connect_seconds", "silence_seconds", "max_bytes",
                "attempts", "per_second", "max_connections", "max_cache_bytes",
            )
        }  # fmt: skip
        bounds |= {f"rates[{host!r}]": rate for host, rate in self.rates.items()}
        for name, value in bounds.items():
            if not value > 0:
                raise ToolSettingsError(f"{name} is {value}.", remedy="Give a number greater than 0.")
        if not all(0 < port < 65_536 for port in self.ports):
            raise ToolSettingsError(
                f"ports has {sorted(self.ports)} in it.", remedy="Give ports from 1 to 65535."
            )
        for name in ("max_redirects", "backoff_seconds", "max_wait_seconds"):
            if not getattr(self, name) >= 0:
                raise ToolSettingsError(f"{name} is {getattr(self, name)}.", remedy="Give 0 or more.")
