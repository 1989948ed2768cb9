"""Untrusted text as a browser may show it: what would act unseen becomes visible.

Escaping for HTML is the templates' affair. It does not help against characters that no reader sees:
an escape sequence, an override of the writing direction, half a character. They are not taken out, as a
terminal needs it, but shown, because that they stood there is part of what happened.
"""

from __future__ import annotations

import re

_HIDDEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u00ad\u061c\u115f\u1160\u17b4\u17b5\u180e\u200b-\u200f\u2028-\u202e"
    "\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff9-\ufffb\ud800-\udfff\U000e0000-\U000e01ef]"
)
_JOINED = "\u200c\u200d\ufe0e\ufe0f"  # they shape letters and emoji, and stand in honest text


def visible(text: str) -> str:
    """The text with every control and hidden character shown, tabs and line feeds kept.

    Each becomes its code point (`⟦U+202E⟧`). Joiners between letters and variation selectors stay. The
    result can always be encoded.
    """
    return _HIDDEN.sub(_shown, text.replace("\r\n", "\n"))


def _shown(found: re.Match[str]) -> str:
    char = found.group()
    return char if char in _JOINED else f"⟦U+{ord(char):04X}⟧"


def shortened(text: str, limit: int) -> str:
    """The text on one line, at most `limit` characters long."""
    line = " ".join(text[: 4 * limit].split())
    return line if len(line) <= limit and len(text) <= 4 * limit else line[: limit - 1] + "…"
