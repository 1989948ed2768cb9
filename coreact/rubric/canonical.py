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


def plain(value: Any) -> Any:
    """Widen `value` to what RFC 8785 can write, losing nothing that distinguishes two values.

    Integers beyond 2**53 and non-finite floats become one-key objects (`{"$int": "…"}`,
    `{"$float": "nan"}`); lone surrogates in strings are escaped; mapping keys become strings;
    anything unknown becomes `{"$repr": type name}`. Model output is arbitrary, so this is total.
    """
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode("utf-8")
    if isinstance(value, int):
        return int(value) if abs(value) <= _SAFE_INTEGER else {"$int": str(value)}
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else {"$float": repr(value)}
    if isinstance(value, Mapping):
        return {plain(str(key)): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, set | frozenset):
        return sorted((plain(item) for item in value), key=rfc8785.dumps)
    return {"$repr": type(value).__qualname__}


def canonical_json(value: Any) -> bytes:
    """Write plain data as RFC 8785 canonical JSON (UTF-8, sorted keys, shortest numbers)."""
    return rfc8785.dumps(plain(value))


def digest(value: Any) -> str:
    """Hash plain data: `coreact.json.1:<64 hex digits>`."""
    return f"{SCHEME}:{hashlib.sha256(canonical_json(value)).hexdigest()}"


def text_digest(text: str) -> str:
    """Hash a bulky text by its UTF-8 bytes (`text.1:<64 hex digits>`), without the JSON detour."""
    return f"text.1:{hashlib.sha256(text.encode('utf-8', 'backslashreplace')).hexdigest()}"
