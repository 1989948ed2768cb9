"""A real web site on loopback, for the tools that use the web."""

from __future__ import annotations

import gzip
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from coreact_tools.web import WebClient, WebSettings


@dataclass
class Asked:
    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes
    peer: tuple[str, int]


@dataclass
class Site:
    """Answers what a test told it to, and remembers what it was asked."""

    port: int
    routes: dict[str, Callable[[BaseHTTPRequestHandler], None]] = field(default_factory=dict)
    asked: list[Asked] = field(default_factory=list)

    def url(self, path: str = "/", host: str = "127.0.0.1") -> str:
        return f"http://{host}:{self.port}{path}"

    def page(
        self,
        path: str,
        body: bytes | str = b"",
        content_type: str = "text/html; charset=utf-8",
        status: int = 200,
        packed: bool = False,
        **headers: str,
    ) -> str:
        """Answer a path so; underscores in header names are hyphens. Returns its address."""
        data = body.encode() if isinstance(body, str) else body
        if packed:
            data, headers = gzip.compress(data), {**headers, "Content_Encoding": "gzip"}

        def answer(handler: BaseHTTPRequestHandler) -> None:
            handler.send_response(status)
            if content_type:
                handler.send_header("Content-Type", content_type)
            for name, value in headers.items():
                handler.send_header(name.replace("_", "-"), value)
            handler.send_header("Content-Length", str(len(data)))
            handler.end_headers()
            handler.wfile.write(data)

        self.routes[path] = answer
        return self.url(path)

    def moved(self, path: str, target: str, status: int = 302) -> str:
        """Redirect a path. Returns its address."""
        return self.page(path, status=status, Location=target)

    def paths(self) -> list[str]:
        return [one.path for one in self.asked]


@pytest.fixture
def site() -> Iterator[Site]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _answer(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            made.asked.append(
                Asked(
                    self.command, self.path, dict(self.headers), self.rfile.read(length), self.client_address
                )
            )
            route = made.routes.get(self.path.partition("?")[0])
            try:
                if route is None:
                    self.send_error(404)
                else:
                    route(self)
            except (BrokenPipeError, ConnectionResetError):
                self.close_connection = True

        do_GET = do_POST = _answer  # noqa: N815

        def log_message(self, *_: Any) -> None:
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = True
        block_on_close = False

        def handle_error(self, *_: Any) -> None:
            pass  # A client that hangs up is what some tests are about.

    server = Server(("127.0.0.1", 0), Handler)
    made = Site(server.server_port)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    yield made
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def web() -> Iterator[Callable[..., WebClient]]:
    """Makes clients that may visit loopback, and closes them."""
    made: list[WebClient] = []

    def make(resolver: Any = None, **settings: Any) -> WebClient:
        bounds = {"allow": ("127.0.0.1",), "per_second": 1000.0, "backoff_seconds": 0.0, **settings}
        client = WebClient(WebSettings(**bounds), **({"resolver": resolver} if resolver else {}))
        made.append(client)
        return client

    yield make
    for client in made:
        client.close()
