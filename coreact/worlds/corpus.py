"""Search over the passages of a world, in memory, without a network or a model.

BM25 by `bm25s` over title and text. The corpus answers honestly: a query that shares no word with any passage
finds nothing, where a plain top-k would return arbitrary passages. Equal scores are ordered by passage id, so
the same query gives the same hits on every machine. There is no index on disk and no semantic search.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import TYPE_CHECKING, NamedTuple

from coreact.errors import WorldError
from coreact.worlds._words import query_words, words
from coreact.worlds.lexical import bm25s

if TYPE_CHECKING:
    from coreact.worlds.records import Passage

_K1 = 0.9
_B = 0.4
"""Term saturation and length normalisation for short passages: the defaults of Anserini's baselines."""


class Hit(NamedTuple):
    """A passage that a search found."""

    passage: Passage
    score: float
    """BM25 score, greater than 0, higher is better; comparable only within one search."""


class Corpus:
    """Passages under a search index.

    Args:
        passages: the passages; ids must be unique.

    Raises:
        WorldError: there is no passage, none has a word in it, or an id is taken twice.
        MissingExtraError: the extra `worlds` is not installed.
    """

    def __init__(self, passages: Iterable[Passage]) -> None:
        self._passages = tuple(passages)
        self._by_id = {passage.id: passage for passage in self._passages}
        if not self._passages:
            raise WorldError("The corpus has no passages.", remedy="Pass at least one passage.")
        if len(self._by_id) != len(self._passages):
            repeated, _ = Counter(passage.id for passage in self._passages).most_common(1)[0]
            raise WorldError(
                f"Two passages of the corpus have the same id {repeated!r}.",
                remedy="Give every passage an id of its own.",
            )
        terms = [words(f"{passage.title} {passage.text}") for passage in self._passages]
        if not any(terms):
            raise WorldError(
                "No passage of the corpus has a word in it.",
                remedy="Pass passages that have letters or digits.",
            )
        self._index = bm25s("Searching a world").BM25(k1=_K1, b=_B, backend="numpy")
        self._index.index(terms, show_progress=False)

    def __len__(self) -> int:
        return len(self._passages)

    def search(self, query: str, k: int = 3) -> tuple[Hit, ...]:
        """The passages that fit a query best, best first.

        Args:
            query: words to look for; case, diacritics and English plurals do not matter.
            k: the most hits wanted, at least 1.

        Returns:
            At most `k` hits, every one sharing a word with the query; empty when no passage does.

        Raises:
            WorldError: `k` is less than 1.
        """
        if k < 1:
            raise WorldError(f"A search cannot return {k} hits.", remedy="Ask for k of at least 1.")
        known = [word for word in query_words(query) if word in self._index.vocab_dict]
        if not known:
            return ()
        scores = self._index.get_scores(known)
        matching: list[int] = (scores > 0).nonzero()[0].tolist()
        found = sorted((-float(scores[at]), self._passages[at].id, at) for at in matching)
        return tuple(Hit(self._passages[at], -negated) for negated, _, at in found[:k])

    def passage(self, passage_id: str) -> Passage | None:
        """The passage with this id, or None where there is none."""
        return self._by_id.get(passage_id)
