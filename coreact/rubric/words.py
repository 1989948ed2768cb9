"""How texts are compared: folding, words, similarity, URLs.

Checks must not depend on case, accents, punctuation or script, and a run of Chinese or Thai
must not count as one word. No stemming and no language detection: both guess.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from urllib.parse import urlsplit, urlunsplit

_WORD = re.compile(r"\w+", re.UNICODE)
# Scripts written without spaces: each character is a word of its own.
_UNSPACED = re.compile(
    "[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff]"
)
_URL = re.compile(r"https?://[^\s<>\"'`\]\[{}|\\^]+", re.IGNORECASE)


@lru_cache(maxsize=4096)
def fold(text: str) -> str:
    """Fold a text for comparison: NFKD without accents, case folded, words joined by one space."""
    decomposed = unicodedata.normalize("NFKD", text)
    bare = "".join(char for char in decomposed if not unicodedata.combining(char)).casefold()
    return " ".join(_split(bare))


def _split(bare: str) -> list[str]:
    found: list[str] = []
    for word in _WORD.findall(bare):
        if _UNSPACED.search(word):
            found.extend(_UNSPACED.sub(lambda match: f" {match.group()} ", word).split())
        else:
            found.append(word)
    return found


def words(text: str) -> tuple[str, ...]:
    """The folded words of a text, in order, repeats kept."""
    return tuple(fold(text).split())


def similarity(left: frozenset[str], right: frozenset[str]) -> float:
    """Jaccard similarity of two word sets, in [0, 1]; two empty sets are equal (1.0)."""
    if not left and not right:
        return 1.0
    return len(left & right) / len(left | right)


def stands_in(value: str, text: str) -> bool:
    """Whether `value` stands in `text` as whole folded words. An empty value stands nowhere."""
    needle = fold(value)
    return bool(needle) and f" {needle} " in f" {fold(text)} "


def canonical_url(url: str) -> str:
    """One spelling per address: lower-case scheme and host, no fragment, no trailing slash."""
    try:
        parts = urlsplit(url.strip())
    except ValueError:  # e.g. an unclosed IPv6 bracket: keep the text as it stands
        return url.strip()
    return urlunsplit((parts.scheme.lower(), parts.netloc.lower(), parts.path.rstrip("/"), parts.query, ""))


def urls(text: str) -> tuple[str, ...]:
    """The http(s) addresses in a text, canonical, in order, without repeats."""
    found: dict[str, None] = {}
    for match in _URL.findall(text):
        address = match.rstrip(".,;:!?*_")
        while address.endswith(")") and address.count(")") > address.count("("):
            address = address[:-1].rstrip(".,;:!?")
        found[canonical_url(address)] = None
    return tuple(found)
