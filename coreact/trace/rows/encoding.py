"""How values lie in the file: texts that UTF-8 cannot hold, anything as JSON, bodies compressed."""

from __future__ import annotations

import json
import re
import zlib
from typing import Any, NamedTuple

from pydantic import BaseModel
from pydantic_core import PydanticSerializationError, to_json

from coreact.rubric.canonical import plain

COMPRESS_FROM = 4096
"""Bytes from which on a body is compressed. zlib, because zstandard is in no standard library yet."""

_DIGITS = 4300  # Python reads no integer that is longer
_HUGE = re.compile(rb"(?<![0-9])[0-9]{%d}" % _DIGITS)
_REPLACED = "\ufffd".encode()  # may stand for a lone surrogate in a key, which pydantic does not refuse
_FASTEST = 1  # zlib level: on JSON about 4/5 of what the default level saves, in a third of the time
_ODD = "\x00hex:"  # in front of a TEXT value that UTF-8 cannot hold: the hex digits of its bytes


def json_bytes(value: Any) -> bytes:
    """Any value as JSON in UTF-8, keys in the order they have; records as their fields."""
    try:
        body = to_json(value, inf_nan_mode="constants")
    except (PydanticSerializationError, ValueError, RecursionError):
        pass  # what it cannot write (lone surrogates, strange objects), the slower ways below can
    else:
        if _REPLACED not in body and (len(body) < _DIGITS or not _HUGE.search(body)):
            return body
    value = _fields(value)
    try:
        text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=plain)
    except (TypeError, ValueError, RecursionError):  # strange keys, huge integers, a circle
        try:
            text = json.dumps(plain(value), ensure_ascii=False)
        except (ValueError, RecursionError):
            text = json.dumps({"$repr": type(value).__qualname__})
    return text.encode("utf-8", "surrogatepass")


def _fields(value: Any) -> Any:
    if isinstance(value, BaseModel):
        return value.model_dump()
    return [_fields(item) for item in value] if isinstance(value, list | tuple) else value


def json_text(value: Any) -> str:
    """The same as the text of a column."""
    return stored(json_bytes(value).decode("utf-8", "surrogatepass"))


def stored(text: str) -> str:
    """A text as it stands in a column."""
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError:
            return _ODD + text.encode("utf-8", "surrogatepass").hex()
    return _ODD + text.encode().hex() if text.startswith(_ODD) else text


def stored_or_none(text: str | None) -> str | None:
    """The same; None stays NULL."""
    return None if text is None else stored(text)


def restored(text: str) -> str:
    """The text that a column holds."""
    if not text.startswith(_ODD):
        return text
    return bytes.fromhex(text.removeprefix(_ODD)).decode("utf-8", "surrogatepass")


def restored_or_none(text: str | None) -> str | None:
    """The same; NULL stays None."""
    return None if text is None else restored(text)


class Packed(NamedTuple):
    """A body as it is stored."""

    codec: str
    """`plain` or `zlib`."""
    body: bytes


def packed(body: bytes) -> Packed:
    """Compress a body where that makes it smaller."""
    if len(body) >= COMPRESS_FROM:
        small = zlib.compress(body, _FASTEST)
        if len(small) < len(body):
            return Packed("zlib", small)
    return Packed("plain", body)


def text_of(codec: str, body: bytes) -> str:
    """The text that a stored body holds."""
    return (zlib.decompress(body) if codec == "zlib" else body).decode("utf-8", "surrogatepass")
