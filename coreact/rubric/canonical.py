"""One way to write a value as bytes, and one way to hash it.

Identity in this project is content: a rubric is its hash, a state is its hash. Equal content
must give equal bytes on every machine and in every language, so values are written by RFC 8785
(JSON canonicalisation) and hashed with SHA-256. The hash names its scheme, so that a later
scheme can stand beside this one. Nothing here knows about time: a clock inside a hash would
make it different on every run.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from typing import Any

import rfc8785

SCHEME = "coreact.json.1"
"""Tag in front of every digest: RFC 8785 bytes, SHA-256, values widened by `plain`."""

_SAFE_INTEGER = 2**53 - 1
_MAX_DEPTH = 64  # deeper nesting is written flat: a recursion limit depends on who calls
_MAX_FLAT = 100_000
_RESERVED = ("deep", "float", "int", "repr", "text")


def plain(value: Any) -> Any:
    """Widen `value` to what RFC 8785 can write; JSON values that differ stay different.

    Integers beyond 2**53, non-finite floats, strings with lone surrogates and nesting deeper than
    64 levels become one-key objects: `{"$int": "0x…"}`, `{"$float": "nan"}`, `{"$text": hex of the
    bytes}`, `{"$deep": […]}`; a key of the data that looks like one of these gets another `$`.
    Keys that are no strings become their JSON text. What JSON does not know keeps its type only
    (`{"$repr": type name}`). Model output is arbitrary, so this is total for every tree.

    Raises:
        ValueError: the value contains itself.
    """
    return _plain(value, 0)


def _plain(value: Any, depth: int) -> Any:
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        text = _encodable(value)
        return {"$text": _bytes(value).hex()} if text is None else text
    if isinstance(value, int):
        return int(value) if abs(value) <= _SAFE_INTEGER else {"$int": hex(value)}
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else {"$float": repr(float(value))}
    if depth >= _MAX_DEPTH and isinstance(value, Mapping | list | tuple | set | frozenset):
        return {"$deep": _flat(value)}
    if isinstance(value, Mapping):
        return {_key(key): _plain(item, depth + 1) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item, depth + 1) for item in value]
    if isinstance(value, set | frozenset):
        return sorted((_plain(item, depth + 1) for item in value), key=rfc8785.dumps)
    return {"$repr": type(value).__qualname__}


def _flat(value: Any) -> list[Any]:
    """Write nested containers without recursion: each as its keys or its length, then its items."""
    written: list[Any] = []
    waiting = [value]
    while waiting:
        item = waiting.pop()
        if isinstance(item, Mapping):
            pairs = sorted(((_key(key), inner) for key, inner in item.items()), key=lambda pair: pair[0])
            written.append({"$deep": [key for key, _ in pairs]})
            waiting.extend(inner for _, inner in reversed(pairs))
        elif isinstance(item, list | tuple):
            written.append({"$deep": len(item)})
            waiting.extend(reversed(item))
        elif isinstance(item, set | frozenset):
            written.append({"$repr": type(item).__qualname__})
        else:
            written.append(_plain(item, 0))
        if len(written) > _MAX_FLAT:
            raise ValueError("the value contains itself")
    return written


def _key(key: Any) -> str:
    if not isinstance(key, str):
        return canonical_json(key).decode()
    text = _encodable(key)
    if text is None:
        return f"$text:{_bytes(key).hex()}"
    return f"${text}" if text.startswith("$") and text.lstrip("$").startswith(_RESERVED) else text


def _encodable(text: str) -> str | None:
    try:
        return text.encode().decode()  # also turns a subclass of str into a plain one
    except UnicodeEncodeError:
        return None


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def canonical_json(value: Any) -> bytes:
    """Write plain data as RFC 8785 canonical JSON (UTF-8, sorted keys, shortest numbers)."""
    return rfc8785.dumps(plain(value))


def digest(value: Any) -> str:
    """Hash plain data: `coreact.json.1:<64 hex digits>`."""
    return f"{SCHEME}:{hashlib.sha256(canonical_json(value)).hexdigest()}"


def text_digest(text: str) -> str:
    """Hash a bulky text by its UTF-8 bytes (`text.1:<64 hex digits>`), without the JSON detour."""
    return f"text.1:{hashlib.sha256(_bytes(text)).hexdigest()}"
