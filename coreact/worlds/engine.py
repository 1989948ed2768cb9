"""A model in the place of a search engine: it writes the passages that a search would find.

Something to search where there is no corpus and no network, with the same tools: `corpus_tools` takes it as
it takes a `Corpus`. What it writes is made up by a model and may be wrong, so a passage says so in its id
(`model-…`), no answer is right because it stands there, and no gold passage is among them. Nothing that it
writes is followed: it is an observation like any other.

Source: SSRL, search with the model itself as the engine. Ours keeps what it wrote, so that one query is
answered once and can be read again.
"""

from __future__ import annotations

import hashlib
import re
import threading
from typing import NamedTuple

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import HumanMessage, SystemMessage

from coreact.control_tokens import without_control_tokens
from coreact.errors import WorldError
from coreact.worlds.records import Passage

_INSTRUCTIONS = """\
You are a search engine. For the user's query write at most {k} short passages of an encyclopedia, the most
fitting first, each on a line of its own, as `Title: text`. Write nothing else. Where you know nothing, write
nothing."""


_BULLET = re.compile(r"^\s*(?:(?:[-*•]|\d{1,2}[.)])\s+)?")
"""How a line of a list begins; a number of more digits is a title's: `1984`."""


class Written(NamedTuple):
    """A passage that a search gave."""

    passage: Passage


class ModelEngine:
    """Searches by asking a chat model for passages.

    Args:
        model: writes them; its failures pass through.
    """

    def __init__(self, model: BaseChatModel) -> None:
        self._model = model
        self._found: dict[tuple[str, int], tuple[Written, ...]] = {}
        self._by_id: dict[str, Passage] = {}
        self._lock = threading.Lock()

    def search(self, query: str, k: int = 3) -> tuple[Written, ...]:
        """At most `k` passages, as the model wrote them; the same ones where the query was asked before.

        Raises:
            WorldError: `k` is less than 1.
        """
        if k < 1:
            raise WorldError(f"A search cannot return {k} hits.", remedy="Ask for k of at least 1.")
        with self._lock:
            known = self._found.get((query, k))
        if known is None:
            sought = HumanMessage(without_control_tokens(query))
            asked = [SystemMessage(_INSTRUCTIONS.format(k=k)), sought]
            written = tuple(Written(one) for one in _passages(str(self._model.invoke(asked).text))[:k])
            with self._lock:
                known = self._found.setdefault((query, k), written)
                self._by_id |= {one.passage.id: one.passage for one in known}
        return known

    def passage(self, passage_id: str) -> Passage | None:
        """A passage that a search gave, or None."""
        with self._lock:
            return self._by_id.get(passage_id)


def _passages(text: str) -> list[Passage]:
    found: dict[str, Passage] = {}
    for line in text.splitlines():
        title, colon, body = _BULLET.sub("", line).partition(":")
        if not (colon and body.strip()):
            title, body = "", line
        if body.strip():
            key = f"model-{hashlib.sha256(line.encode('utf-8', 'replace')).hexdigest()[:10]}"
            found.setdefault(key, Passage(id=key, title=title.strip(" *`"), text=body.strip()))
    return list(found.values())
