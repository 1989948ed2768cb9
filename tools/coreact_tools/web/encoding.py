"""Which encoding the bytes of a page are in; what a server says of it is often wrong."""

from __future__ import annotations

import codecs
import re

_STATEFUL = re.compile(r"iso2022|hz")
"""Seven-bit encodings: their bytes are valid UTF-8 and mean something else."""
_NO_CHARSET = re.compile(r"idna|punycode|escape|utf7|undefined|mbcs|oem")
"""Python codecs that are no charset of a page; two of them take quadratic time."""
_META = re.compile(rb"""<meta[^>]{0,200}?charset\s*=\s*["']?\s*([\w.:-]{1,40})""", re.IGNORECASE)
_XML = re.compile(rb"""^<\?xml[^>]{0,200}?encoding\s*=\s*["']([\w.:-]{1,40})""", re.IGNORECASE)
_HEADER = re.compile(r"""charset\s*=\s*["']?\s*([\w.:-]{1,40})""", re.IGNORECASE)
_GUESSED_FROM = 50_000
"""Bytes that a guess looks at."""
_ENOUGH = 16
"""Bytes beyond ASCII without which a guess is no better than chance."""
_BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


def decoded(body: bytes, content_type: str = "") -> str:
    """The text of a body.

    A byte order mark decides. Otherwise valid UTF-8 is UTF-8, whatever is said (other encodings hardly
    ever look like it by accident); then what the header or the page says, if it fits; then a guess by
    `charset-normalizer`, where there is enough to guess from; then Windows-1252 with replacement marks.
    """
    for mark, name in _BOMS:
        if body.startswith(mark):
            return body.decode(name, errors="replace")
    said = [name for name in _declared(body, content_type) if _is_charset(name)]
    for name in [*(one for one in said if _STATEFUL.search(_plain(one))), "utf-8", *said]:
        try:
            text = body.decode(name)
        except (UnicodeError, LookupError):
            continue
        if "\x00" not in text:
            return text
    return _guessed(body)


def _declared(body: bytes, content_type: str) -> list[str]:
    header = _HEADER.search(content_type)
    head = body[:4096]
    found = [header[1]] if header else []
    found += [match[1].decode("ascii") for match in (_XML.search(head), _META.search(head)) if match]
    return found


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())


def _is_charset(name: str) -> bool:
    try:
        return _NO_CHARSET.search(_plain(codecs.lookup(name).name)) is None
    except (LookupError, ValueError):
        return False


def _guessed(body: bytes) -> str:
    from charset_normalizer import from_bytes

    if sum(byte > 127 for byte in body[:_GUESSED_FROM]) >= _ENOUGH:
        best = from_bytes(body[:_GUESSED_FROM]).best()
        if best is not None:
            return body.decode(best.encoding, errors="replace")
    return body.decode("cp1252", errors="replace")
