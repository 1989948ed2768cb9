"""The text of a page: HTML by trafilatura, PDF by pypdf, plain text as it is; anything else is refused.

The content decides what a page is, its label only where the content does not. Parsing is bounded: so many
bytes of HTML, so many pages of PDF, so many characters of text. Scripts are never run, so a page that a
script builds has no text here.
"""

from __future__ import annotations

import io
import re
import zlib
from dataclasses import dataclass

from coreact_tools._visible import one_line, visible
from coreact_tools.errors import ToolExtraError, WebError
from coreact_tools.web.client import Reply
from coreact_tools.web.encoding import decoded

MAX_HTML_BYTES = 2_000_000
"""Of a longer HTML page only this beginning is read."""
MAX_PDF_PAGES = 60
"""Of a longer PDF only these first pages are read."""
MAX_CHARS = 500_000
"""Longest text kept of a page."""

_HTML_START = re.compile(rb"<(?:!doctype\s+html|html|head|body)\b", re.IGNORECASE)
_TEXTUAL = re.compile(r"^(?:text/|application/(?:[\w.+-]+\+)?(?:json|xml|yaml|javascript|x-tex|csv)\b)")
_BLANK_LINES = re.compile(r"\n[ \t]*(?:\n[ \t]*)+")


@dataclass(frozen=True)
class Page:
    """What there is to read of a page."""

    url: str
    title: str
    """One line; may be empty."""
    text: str
    """Without hidden characters."""
    note: str = ""
    """What was left out before the text was cut into portions; empty: nothing."""


def read_page(reply: Reply) -> Page:
    """The text of what a server answered.

    Raises:
        WebError: there is no text in it (`no_text`), or it is broken (`garbled`).
        ToolExtraError: the extra `web` is not installed.
    """
    head = reply.body[:1024].lstrip()
    kind = reply.content_type.partition(";")[0].strip()
    if head.startswith(b"%PDF-"):
        page = _pdf(reply)
    elif not reply.body.strip():
        raise _no_text(reply, "is empty")
    elif _is_binary(head):
        raise _no_text(reply, f"is no text but {one_line(kind, 60) or 'binary data'}")
    elif "html" in kind or _HTML_START.search(head):
        page = _html(reply)
    elif _TEXTUAL.match(kind) or kind in ("", "application/octet-stream", "binary/octet-stream"):
        page = Page(reply.url, "", decoded(reply.body, reply.content_type))
    else:
        raise _no_text(reply, f"is no text but {one_line(kind, 60)}")
    text = _BLANK_LINES.sub("\n\n", visible(page.text)).strip()
    if not text:
        raise _no_text(reply, "has no readable text; it may be built by a script or be pictures only")
    note = page.note
    if len(text) > MAX_CHARS:
        text, note = text[:MAX_CHARS], f"{note} Only the first {MAX_CHARS:,} characters are kept.".strip()
    return Page(reply.url, one_line(page.title, 200), text, note)


def _html(reply: Reply) -> Page:
    try:
        from trafilatura import bare_extraction, html2txt
    except ImportError as missing:
        raise ToolExtraError("Reading web pages", extra="web") from missing
    # The text, not the bytes: what the page says of its encoding must not be believed twice.
    source = decoded(reply.body[:MAX_HTML_BYTES], reply.content_type).replace("\x00", "")
    document = bare_extraction(source, url=reply.url, with_metadata=True, include_comments=False)
    title = text = ""
    if document is not None and not isinstance(document, dict):
        title, text = document.title or "", document.text or ""
    if not text.strip():
        text = html2txt(source) or ""
    note = "" if len(reply.body) <= MAX_HTML_BYTES else f"Only the first {MAX_HTML_BYTES:,} bytes were read."
    return Page(reply.url, title, text, note)


def _pdf(reply: Reply) -> Page:
    try:
        from pypdf import PdfReader
        from pypdf.errors import DependencyError, PyPdfError
    except ImportError as missing:
        raise ToolExtraError("Reading PDF files", extra="web") from missing
    try:
        reader = PdfReader(io.BytesIO(reply.body), strict=False)
        if reader.is_encrypted and not reader.decrypt(""):
            raise _no_text(reply, "is a PDF with a password")
        pages = len(reader.pages)
        texts: list[str] = []
        for page in reader.pages[:MAX_PDF_PAGES]:
            texts.append(page.extract_text())
            if sum(map(len, texts)) > MAX_CHARS:
                break
        title = str((reader.metadata and reader.metadata.title) or "")
    except DependencyError as failure:
        raise _no_text(reply, "is a PDF with an encryption that is not supported") from failure
    except (
        PyPdfError, ArithmeticError, AssertionError, AttributeError, LookupError, NotImplementedError,
        OSError, RecursionError, TypeError, ValueError, zlib.error,
    ) as failure:  # fmt: skip
        # A broken file can lead the reader anywhere: these are what its own code raises on the way.
        raise WebError(
            f"{reply.url} is a PDF that cannot be read ({type(failure).__name__}).",
            url=reply.url,
            reason="garbled",
            remedy="Use another page.",
        ) from failure
    note = "" if pages <= MAX_PDF_PAGES else f"Only the first {MAX_PDF_PAGES} of {pages} pages were read."
    return Page(reply.url, title, "\n\n".join(texts), note)


def _is_binary(head: bytes) -> bool:
    """By its beginning: text has no NUL and few control bytes, but for UTF-16 and UTF-32, which start so."""
    if head.startswith((b"\xff\xfe", b"\xfe\xff", b"\x00\x00\xfe\xff")):
        return False
    if b"\x00" in head:
        # UTF-16 without a mark: about every second byte is NUL, always at the same places.
        pairs = max(1, len(head) // 2)
        return max(head[::2].count(0), head[1::2].count(0)) < 0.7 * pairs
    return sum(byte < 9 or 13 < byte < 27 for byte in head) > len(head) // 20


def _no_text(reply: Reply, why: str) -> WebError:
    return WebError(f"{reply.url} {why}.", url=reply.url, reason="no_text", remedy="Use another page.")
