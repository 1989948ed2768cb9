"""JSON that strict readers accept, of whatever stands in a record.

Models write numbers that JSON does not have and half characters that UTF-8 does not have. A file with one
such row cannot be loaded at all, so NaN and infinity become null, half characters U+FFFD, and integers beyond
64 bits their digits as text. The line separators of Unicode are escaped: some readers of JSON lines take them
for ends of lines.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel

_SEPARATORS = re.compile("[\x85\u2028\u2029]")

_LONG = re.compile(r"\d{19}")  # digits of the smallest integer that may not fit
_LARGEST = 2**63 - 1
_WRITTEN = 10_000  # bits: Python refuses to write much longer ones in digits


def json_text(value: Any) -> str:
    """Plain data, or a record, as one line of JSON that can be encoded as UTF-8."""
    if isinstance(value, BaseModel):
        value = value.model_dump(mode="json", exclude_defaults=True)
    try:
        text = json.dumps(value, ensure_ascii=False, allow_nan=False)
        text.encode()
        if _LONG.search(text):
            text = json.dumps(clean(value), ensure_ascii=False, allow_nan=False)
    except ValueError:  # a UnicodeEncodeError is one
        text = json.dumps(clean(value), ensure_ascii=False, allow_nan=False)
    return text if text.isascii() else _SEPARATORS.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def clean(value: Any) -> Any:
    """The value with what strict readers refuse replaced."""
    if isinstance(value, str):
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) > _LARGEST:
        return f"0x{value:x}" if value.bit_length() > _WRITTEN else str(value)
    if isinstance(value, Mapping):
        return {clean(str(key)): clean(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [clean(item) for item in value]
    return value
