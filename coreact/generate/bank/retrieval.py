"""Which entries of a bank belong to questions like this one.

RubricRAG (arXiv 2603.20882) gives the rubrics of the most similar queries to the writer of a new one. Two
ways to say how similar: words in common (BM25), which needs no model, and embeddings. Both give the `k`
nearest questions, each with its best entry, and order equal scores by outcome and then by content, so that
one bank gives one answer on any machine. A bank that holds the very question which is asked would make
every evaluation look good; `exclude_question` leaves it out. What may be done with an entry is `banked`'s
business.
"""

from __future__ import annotations

import asyncio
import math
import threading
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, runtime_checkable

from coreact.errors import MissingExtraError
from coreact.generate.bank.records import BankEntry
from coreact.generate.bank.store import RubricBank
from coreact.generate.entities import OPENERS
from coreact.rubric.words import fold, words
from coreact.worlds.lexical import bm25s

if TYPE_CHECKING:
    from langchain_core.embeddings import Embeddings

_K1 = 0.9
_B = 0.4
"""Term saturation and length normalisation for short texts, as in `coreact.worlds.corpus`."""

_QUERIES = 256  # query vectors that are kept


class Found(NamedTuple):
    """An entry that was retrieved."""

    entry: BankEntry
    score: float
    """Above 0, higher is nearer; comparable only within one search."""


@runtime_checkable
class Neighbours(Protocol):
    """Finds the entries of a bank whose questions are nearest to a question."""

    def nearest(
        self,
        question: str,
        k: int,
        *,
        exclude_question: bool = False,
        usable: Callable[[BankEntry], bool] | None = None,
    ) -> tuple[Found, ...]:
        """The nearest entries, nearest first, at most one for each question.

        Args:
            question: the question.
            k: the most entries wanted, at least 1.
            exclude_question: leave out entries of this very question (compared folded).
            usable: says which entries count; None: all.

        Returns:
            At most `k`; fewer, or none, where no more resemble the question at all.

        Raises:
            ValueError: `k` is less than 1.
            StoreError: the bank cannot be read.
        """

    async def anearest(
        self,
        question: str,
        k: int,
        *,
        exclude_question: bool = False,
        usable: Callable[[BankEntry], bool] | None = None,
    ) -> tuple[Found, ...]:
        """The same, without blocking the event loop on a model."""


class LexicalNeighbours:
    """Neighbours by words in common: BM25 over the questions. Safe to share between threads.

    The index is built anew when it is asked after questions came or went.

    Args:
        bank: where to look.
    """

    def __init__(self, bank: RubricBank) -> None:
        self._bank = bank
        self._lock = threading.Lock()
        self._index: _Index | None = None

    def nearest(
        self,
        question: str,
        k: int,
        *,
        exclude_question: bool = False,
        usable: Callable[[BankEntry], bool] | None = None,
    ) -> tuple[Found, ...]:
        """See `Neighbours`.

        Raises:
            MissingExtraError: the extra `worlds` (bm25s) is not installed.
        """
        scores = self._scores(question)
        entries = self._bank.entries() if scores else ()
        scored = ((scores[entry.question], entry) for entry in entries if entry.question in scores)
        return _best(scored, question, k, exclude_question=exclude_question, usable=usable)

    async def anearest(
        self,
        question: str,
        k: int,
        *,
        exclude_question: bool = False,
        usable: Callable[[BankEntry], bool] | None = None,
    ) -> tuple[Found, ...]:
        """The same, in a thread: a bank that grew is indexed first."""
        return await asyncio.to_thread(
            self.nearest, question, k, exclude_question=exclude_question, usable=usable
        )

    def _scores(self, question: str) -> dict[str, float]:
        """The score of each question of the bank; empty where none can have a word in common."""
        index = self._current()
        known = [term for term in dict.fromkeys(_terms(question)) if term in index.terms]
        if not known:
            return {}
        return dict(zip(index.questions, index.bm25.get_scores(known).tolist(), strict=True))

    def _current(self) -> _Index:
        with self._lock:
            revision = self._bank.revision()
            if self._index is None or self._index.revision != revision:
                questions = tuple(sorted({entry.question for entry in self._bank.entries()}))
                if self._index is not None and self._index.questions == questions:
                    self._index = self._index._replace(revision=revision)
                else:
                    self._index = _indexed(revision, questions)
            return self._index


class _Index(NamedTuple):
    revision: int
    """Of the bank, when it was indexed."""
    questions: tuple[str, ...]
    bm25: Any
    terms: frozenset[str]


def _indexed(revision: int, questions: tuple[str, ...]) -> _Index:
    documents = [_terms(question) for question in questions]
    if not any(documents):  # bm25s cannot index a corpus without a word
        return _Index(revision, questions, None, frozenset())
    bm25 = bm25s("Retrieval from a rubric bank").BM25(k1=_K1, b=_B, backend="numpy")
    bm25.index(documents, show_progress=False)
    return _Index(revision, questions, bm25, frozenset(bm25.vocab_dict))


class EmbeddingNeighbours:
    """Neighbours by cosine similarity of embeddings. Safe to share between threads and event loops.

    Vectors are kept by content: those of the bank's questions as long as they stand in it, those of the
    last queries. So asking again, or from synchronous code after `anearest`, calls no model.

    Args:
        bank: where to look.
        embeddings: any LangChain embedding model.
    """

    def __init__(self, bank: RubricBank, embeddings: Embeddings) -> None:
        self._bank = bank
        self._embeddings = embeddings
        self._lock = threading.Lock()
        self._documents: dict[str, Sequence[float]] = {}
        self._queries: dict[str, Sequence[float]] = {}

    def nearest(
        self,
        question: str,
        k: int,
        *,
        exclude_question: bool = False,
        usable: Callable[[BankEntry], bool] | None = None,
    ) -> tuple[Found, ...]:
        """See `Neighbours`.

        Raises:
            MissingExtraError: numpy (extra `judge`) is not installed.
            ValueError: the model gave vectors that cannot be compared.
            Exception: whatever the embedding model raises.
        """
        entries = self._bank.entries()
        missing = self._missing(entries)
        if missing:
            self._keep(self._documents, missing, self._embeddings.embed_documents(missing))
        if entries and question not in self._queries:
            self._keep(self._queries, [question], [self._embeddings.embed_query(question)])
        return self._ranked(entries, question, k, exclude_question=exclude_question, usable=usable)

    async def anearest(
        self,
        question: str,
        k: int,
        *,
        exclude_question: bool = False,
        usable: Callable[[BankEntry], bool] | None = None,
    ) -> tuple[Found, ...]:
        """The same, without blocking the event loop."""
        entries = self._bank.entries()
        missing = self._missing(entries)
        if missing:
            self._keep(self._documents, missing, await self._embeddings.aembed_documents(missing))
        if entries and question not in self._queries:
            self._keep(self._queries, [question], [await self._embeddings.aembed_query(question)])
        return self._ranked(entries, question, k, exclude_question=exclude_question, usable=usable)

    def _missing(self, entries: Iterable[BankEntry]) -> list[str]:
        wanted = dict.fromkeys(entry.question for entry in entries)
        with self._lock:
            for text in self._documents.keys() - wanted.keys():
                del self._documents[text]
            return [text for text in wanted if text not in self._documents]

    def _keep(
        self, into: dict[str, Sequence[float]], texts: Sequence[str], vectors: Sequence[Sequence[float]]
    ) -> None:
        if len(vectors) != len(texts) or not all(v and all(map(math.isfinite, v)) for v in vectors):
            raise ValueError(f"the embedding model gave no {len(texts)} usable vectors")
        with self._lock:
            into.update(zip(texts, vectors, strict=True))
            while into is self._queries and len(into) > _QUERIES:
                del into[next(iter(into))]

    def _ranked(
        self,
        entries: Sequence[BankEntry],
        question: str,
        k: int,
        *,
        exclude_question: bool,
        usable: Callable[[BankEntry], bool] | None,
    ) -> tuple[Found, ...]:
        with self._lock:
            query, documents = self._queries.get(question), dict(self._documents)
        known = [entry for entry in entries if entry.question in documents]
        scores = _cosines(query, [documents[entry.question] for entry in known]) if query and known else []
        return _best(
            zip(scores, known, strict=False), question, k, exclude_question=exclude_question, usable=usable
        )


def _best(
    scored: Iterable[tuple[float, BankEntry]],
    question: str,
    k: int,
    *,
    exclude_question: bool,
    usable: Callable[[BankEntry], bool] | None,
) -> tuple[Found, ...]:
    if k < 1:
        raise ValueError(f"k must be at least 1 (got {k})")
    itself = fold(question)
    candidates = [(-score, -entry.outcomes.net, entry.key, entry) for score, entry in scored if score > 0]
    candidates.sort(key=lambda one: one[:3])
    found: dict[str, Found] = {}
    for negated, _, _, entry in candidates:
        asked = fold(entry.question)
        if asked in found or (exclude_question and asked == itself):
            continue
        if usable is None or usable(entry):
            found[asked] = Found(entry, -negated)
            if len(found) == k:
                break
    return tuple(found.values())


def _terms(text: str) -> list[str]:
    """Folded words; those that every question has only where there are no others."""
    found = words(text)
    return [word for word in found if word not in OPENERS] or list(found)


def _cosines(query: Sequence[float], documents: Sequence[Sequence[float]]) -> list[float]:
    """Cosine similarity of each document to the query, in [-1, 1]; 0 where a vector has no direction."""
    try:
        import numpy as np
    except ImportError as missing:
        raise MissingExtraError("Retrieval by embeddings", extra="judge") from missing
    left, right = np.asarray(query, float), np.asarray(documents, float)  # of unequal lengths: ValueError
    lengths = np.linalg.norm(right, axis=1) * np.linalg.norm(left)
    # Rounded, so that entries that are equally near stay so whatever the order of summation was.
    similar = np.divide(right @ left, lengths, out=np.zeros(len(right)), where=lengths > 0).round(9)
    return [float(value) for value in similar]
