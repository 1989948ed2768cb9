"""What stands between the viewer and pages from elsewhere: headers on every reply, and whose form it was.

Traces hold text from the web. If some of it became markup after all, the policy lets it load, run and send
nothing. A page of another site can neither frame the viewer, nor read it under a name of its own (the host
is checked), nor post a judgement (the origin is checked, and a token that only our pages know).
"""

from __future__ import annotations

import secrets
from urllib.parse import urlsplit

from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
"""Content-Security-Policy of every page."""

HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    # Not `no-referrer`: with that a browser sends `Origin: null` with our own forms.
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}


class SecurityHeaders:
    """ASGI middleware that puts the headers on every reply."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(HEADERS)
            await send(message)

        await self.app(scope, receive, with_headers if scope["type"] == "http" else send)


def ours(request: Request, *, token: str, given: str) -> bool:
    """Whether a form was sent by a page of this very server.

    Args:
        request: the request.
        token: the token that stands in our forms.
        given: the token that came with this one.
    """
    origin = urlsplit(request.headers.get("origin", ""))
    same = origin.scheme == request.url.scheme and origin.netloc == request.headers.get("host")
    fetched = request.headers.get("sec-fetch-site", "same-origin") == "same-origin"
    return same and fetched and secrets.compare_digest(token.encode(), given.encode())
