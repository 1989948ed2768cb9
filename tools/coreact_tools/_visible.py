"""Foreign text, freed of what nobody sees in it.

Text can hold characters that a person does not see and a model reads: those that turn the direction, have no
width, or spell out ASCII as invisible tags. They are dropped. What a text says in plain sight is not judged
here: that is data, and whoever puts it before a model fences it.
"""

from __future__ import annotations

import re

_HIDDEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b\u200e\u200f"
    "\u2028-\u202e\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb\ud800-\udfff\U000e0000-\U000e0fff]"
)
"""Joiners (U+200C, U+200D) stay: Persian, Hindi and family emoji are written with them."""
_LINE_ENDS = re.compile("\r\n?|[\x0b\x0c\x85\u2028\u2029]")


def visible(text: str) -> str:
    """The text without characters that nobody sees; every line end is a newline, tabs stay."""
    return _HIDDEN.sub("", _LINE_ENDS.sub("\n", text))


def one_line(text: str, limit: int) -> str:
    """The visible text on one line, cut with `…` where it is longer than `limit` characters."""
    line = " ".join(visible(text).split())
    return line if len(line) <= limit else f"{line[: limit - 1].rstrip()}…"
