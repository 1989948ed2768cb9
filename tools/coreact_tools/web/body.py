"""Reading the body of a response so far as it may go, and no byte further.

The client libraries decompress what arrives in one go, and a few kilobytes can be gigabytes. Here the size
is counted while decompressing, so a compressed bomb costs no more than the limit. Only gzip and deflate are
asked for; what comes in another coding was not asked for and is refused.
"""

from __future__ import annotations

import zlib

import httpx

from coreact_tools.errors import WebError

ACCEPTED = "gzip, deflate"
"""The `Accept-Encoding` that `read_body` understands."""


async def read_body(response: httpx.Response, limit: int) -> bytes:
    """The decompressed body.

    Raises:
        WebError: it is longer than `limit` bytes (`too_large`), or not compressed as it says (`garbled`).
    """
    url = str(response.url)
    coding = response.headers.get("content-encoding", "identity").strip().lower()
    if coding not in ("identity", "gzip", "x-gzip", "deflate", ""):
        raise WebError(
            f"{url} is compressed with {coding[:40]!r}, which was not asked for.",
            url=url,
            reason="garbled",
            remedy="Use another page.",
        )
    declared = response.headers.get("content-length", "")
    if declared.isdecimal() and int(declared) > limit:
        raise _too_large(url, limit)
    plain = coding in ("identity", "")
    inflate = None if plain else _Inflate()
    body, raw = bytearray(), 0
    async for chunk in response.aiter_raw():
        raw += len(chunk)
        try:
            body += chunk if inflate is None else inflate.feed(chunk, limit - len(body) + 1)
        except zlib.error as failure:
            raise _garbled(url) from failure
        if len(body) > limit or raw > limit:
            raise _too_large(url, limit)
    if inflate is not None and raw and not inflate.whole:
        raise _garbled(url)
    return bytes(body)


class _Inflate:
    """gzip, zlib or bare deflate, told apart by the first bytes; gzip may have several members."""

    def __init__(self) -> None:
        self._head = b""
        self._stream = None

    _stream: zlib._Decompress | None

    @property
    def whole(self) -> bool:
        """Whether the compressed data came to its end."""
        return self._stream is not None and self._stream.eof

    def feed(self, chunk: bytes, room: int) -> bytes:
        """At most `room` bytes of what the chunk holds."""
        if self._stream is None:
            self._head += chunk
            if len(self._head) < 2:
                return b""
            chunk, self._head = self._head, b""
            self._stream = zlib.decompressobj(_window(chunk))
        out = self._stream.decompress(chunk, room)
        while self._stream.eof and self._stream.unused_data.startswith(b"\x1f\x8b") and len(out) < room:
            rest = self._stream.unused_data
            self._stream = zlib.decompressobj(zlib.MAX_WBITS | 16)
            out += self._stream.decompress(rest, room - len(out))
        return out


def _window(head: bytes) -> int:
    if head[:2] == b"\x1f\x8b":
        return zlib.MAX_WBITS | 16
    # A zlib header names method 8 and is a multiple of 31; anything else is deflate without a header.
    is_zlib = head[0] & 0x0F == 8 and int.from_bytes(head[:2], "big") % 31 == 0
    return zlib.MAX_WBITS if is_zlib else -zlib.MAX_WBITS


def _too_large(url: str, limit: int) -> WebError:
    return WebError(
        f"{url} has more than {limit:,} bytes.", url=url, reason="too_large", remedy="Use a smaller page."
    )


def _garbled(url: str) -> WebError:
    return WebError(
        f"{url} is not compressed as it says.", url=url, reason="garbled", remedy="Use another page."
    )
