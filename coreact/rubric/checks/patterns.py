"""Patterns from models and files: compiled by RE2, which cannot backtrack."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import re2


@lru_cache(maxsize=512)
def compiled(pattern: str) -> Any:
    """The compiled pattern.

    Raises:
        re2.error: it is no RE2 pattern.
    """
    options = re2.Options()
    options.log_errors = False
    return re2.compile(pattern, options)


def stands_somewhere(pattern: str, text: str) -> bool:
    """Whether the text contains a match; half characters count as their escapes."""
    return compiled(pattern).search(text.encode("utf-8", "backslashreplace").decode("utf-8")) is not None
