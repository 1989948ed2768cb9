r"""Patterns that mean the same to RE2, to JSON schema and to the grammars that decoders are held to.

Only what all of them read alike is let through: plain characters, `\d`, classes without negation, groups,
alternatives, bounded and unbounded repeats, and anchors at both ends of the whole.
"""

from __future__ import annotations

import re

_TOKEN = re.compile(
    r"(?P<class>\[(?:[A-Za-z0-9 _.,:;/@#%&=+!~-])+\])"
    r"|(?P<digit>\\d)"
    r"|(?P<escaped>\\[.^$*+?{}\[\]|()])"
    r"|(?P<open>\((?:\?:)?(?!\?))"
    r"|(?P<repeat>(?:[*+?]|\{\d{1,3}(?:,\d{0,3})?\})(?![*+?]))"
    r"|(?P<mark>[|)])"
    r"|(?P<plain>[^\\.^$*+?{}\[\]|()\"\x00-\x1f])"
)


def portable(pattern: str, *, char: str, around: int) -> str | None:
    """The pattern for a whole text in which the given one matches somewhere, or None where it is not sure.

    Args:
        pattern: an RE2 pattern.
        char: the class of the characters that may stand around the match.
        around: most of them on either side.
    """
    body = pattern
    at_start, at_end = body.startswith("^"), body.endswith("$") and not body.endswith("\\$")
    body = body[at_start:]
    body = body[:-1] if at_end else body
    pieces: list[str] = []
    at = 0
    while at < len(body):
        token = _TOKEN.match(body, at)
        if token is None or (token.lastgroup == "class" and not _is_plain(token[0])):
            return None
        pieces.append({"digit": "[0-9]", "open": "(?:"}.get(str(token.lastgroup), token[0]))
        at = token.end()
    if (at_start or at_end) and _splits(pieces):
        return None  # an anchor belongs to one branch only
    some = f"{char}{{0,{around}}}"
    return f"^{'' if at_start else some}(?:{''.join(pieces)}){'' if at_end else some}$" if pieces else None


def _is_plain(written: str) -> bool:
    """Whether a class lists characters and letter or digit ranges only."""
    body = re.sub(r"[a-z]-[a-z]|[A-Z]-[A-Z]|[0-9]-[0-9]", "", written[1:-1])
    return "-" not in body and not body.startswith(":")


def _splits(pieces: list[str]) -> bool:
    """Whether there is an alternative outside of every group."""
    depth = 0
    for piece in pieces:
        depth += (piece == "(?:") - (piece == ")")
        if piece == "|" and depth == 0:
            return True
    return False
