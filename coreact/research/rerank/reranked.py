"""A corpus that shows what helps first: a pool by words, graded for the task, reordered by the mean grade.

`Reranked` has `search` and `passage` like any corpus, so the agent's tools work over it unchanged. Each
passage of the pool is graded several times and the grades are averaged, since one grade of a model is noisy
(Retro*, arXiv 2509.24869). A passage that could not be graded, because the scorer failed or the budget of
calls is spent, keeps the place that the search by words gave it: no guess moves it, up or down. So a scorer
that is down costs quality and never the search.
"""

from __future__ import annotations

import asyncio
import threading
from collections import OrderedDict
from collections.abc import Sequence
from random import Random
from typing import NamedTuple

from coreact_tools.corpus import CorpusLike, PassageLike
from langgraph.errors import GraphBubbleUp

from coreact.errors import ConfigError, JudgingError
from coreact.judge.failure import classify
from coreact.judge.records import Cause, Cost
from coreact.research.rerank.relevance import LABELS, Grade, Graded, Scorer
from coreact.rubric import Record
from coreact.rubric.canonical import digest


class Ranked(NamedTuple):
    """A passage and why it stands where it does."""

    passage: PassageLike
    grade: float | None
    """Mean grade, in [0, 4], higher is better; None where nothing graded it."""
    samples: int
    """Grades that the mean is of."""
    reasons: tuple[str, ...]
    """The scorer's, one for each sample; untrusted."""
    place: int
    """Where the search by words had it, from 0."""


class Tally(Record):
    """What reranking did so far."""

    searches: int = 0
    calls: int = 0
    """Calls of the scorer."""
    failed: int = 0
    """Of these, those that gave no grades."""
    causes: tuple[Cause, ...] = ()
    """What broke in them, in order."""
    ungraded: int = 0
    """Times that a passage of a pool had no grade and kept its place."""
    unaffordable: int = 0
    """Calls that were not made because the budget was spent."""
    cost: Cost = Cost()


class _Ask(NamedTuple):
    """One call of the scorer."""

    passages: tuple[PassageLike, ...]
    keys: tuple[str, ...]
    """What to remember each grade under."""
    seed: int


class _Memory:
    """Grades by content, the least recently used forgotten first; shared between threads and tasks."""

    def __init__(self, size: int) -> None:
        self.size = size
        self._grades: OrderedDict[str, Grade] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: str) -> Grade | None:
        with self._lock:
            if key in self._grades:
                self._grades.move_to_end(key)
            return self._grades.get(key)

    def put(self, key: str, grade: Grade) -> None:
        with self._lock:
            self._grades[key] = grade
            while len(self._grades) > self.size:
                self._grades.popitem(last=False)


class Reranked:
    """A corpus whose hits are graded and reordered.

    Safe to share between threads and event loops. Grades are remembered by content (task, query, passage,
    sample, scorer), so nothing is paid for twice, unless equal searches run at the same time.

    Args:
        corpus: where to search by words.
        scorer: grades passages; it may fail, see above.
        task: what is to be done in the end, such as the user's question; empty: the query is the task.
        pool: passages of a search that are graded, at least 1.
        samples: grades of each passage that are averaged, at least 1.
        batch: passages in one call, 1 to 20.
        max_calls: calls of the scorer in all, for this task; None: no limit.
        seed: of all draws.
        remember: grades to remember, at least those of one search (`pool * samples`).

    Raises:
        ConfigError: a setting is out of range.
    """

    def __init__(
        self,
        corpus: CorpusLike,
        scorer: Scorer,
        *,
        task: str = "",
        pool: int = 20,
        samples: int = 3,
        batch: int = 10,
        max_calls: int | None = None,
        seed: int = 0,
        remember: int = 4096,
    ) -> None:
        small = min(pool, samples, batch) < 1 or (max_calls or 0) < 0 or remember < pool * samples
        if small or batch > len(LABELS):
            raise ConfigError(
                f"A reranker cannot work with pool={pool}, samples={samples}, batch={batch},"
                f" max_calls={max_calls}, remember={remember}.",
                remedy=f"Give 1 or more, a batch of at most {len(LABELS)}, 0 or more calls, and memory for"
                " pool * samples grades.",
            )
        self._corpus = corpus
        self._scorer = scorer
        self._version = scorer.version
        self._task = task
        self._pool = pool
        self._samples = samples
        self._batch = batch
        self._max_calls = max_calls
        self._seed = seed
        self._memory = _Memory(remember)
        self._tally = Tally()
        self._lock = threading.Lock()

    def on(self, task: str) -> Reranked:
        """The same for another task: a budget and a tally of its own, the memory shared."""
        other = Reranked(
            self._corpus,
            self._scorer,
            task=task,
            pool=self._pool,
            samples=self._samples,
            batch=self._batch,
            max_calls=self._max_calls,
            seed=self._seed,
            remember=self._memory.size,
        )
        other._memory = self._memory
        return other

    @property
    def tally(self) -> Tally:
        """What reranking did so far for this task."""
        return self._tally

    def passage(self, passage_id: str) -> PassageLike | None:
        """The passage with this id, or None."""
        return self._corpus.passage(passage_id)

    def search(self, query: str, k: int = 3) -> tuple[Ranked, ...]:
        """At most `k` passages, best first; blocking."""
        found = self._found(query, k)
        for ask in self._planned(query, found):
            try:
                graded = self._scorer.grade(self._task, query, ask.passages, seed=ask.seed)
                self._keep(ask, graded)
            except GraphBubbleUp:
                raise
            except Exception as error:  # noqa: BLE001 - a scorer may raise anything, and search must go on
                self._broke(error)
        return self._ordered(query, found)[:k]

    async def asearch(self, query: str, k: int = 3) -> tuple[Ranked, ...]:
        """The same, without blocking the event loop; the calls of one search run side by side."""
        found = await asyncio.to_thread(self._found, query, k)
        await asyncio.gather(*(self._agrade(query, ask) for ask in self._planned(query, found)))
        return self._ordered(query, found)[:k]

    async def _agrade(self, query: str, ask: _Ask) -> None:
        try:
            self._keep(ask, await self._scorer.agrade(self._task, query, ask.passages, seed=ask.seed))
        except GraphBubbleUp:
            raise
        except Exception as error:  # noqa: BLE001 - a scorer may raise anything, and search must go on
            self._broke(error)

    def _found(self, query: str, k: int) -> tuple[PassageLike, ...]:
        return tuple(hit.passage for hit in self._corpus.search(query, max(k, self._pool)))

    def _planned(self, query: str, found: Sequence[PassageLike]) -> list[_Ask]:
        """The calls to make: for each sample what is not remembered, shuffled, in batches, if affordable."""
        asks: list[_Ask] = []
        pool = found[: self._pool]
        if len(pool) > 1:  # one passage alone cannot be reordered
            for sample in range(self._samples):
                keyed = [(self._key(query, passage, sample), passage) for passage in pool]
                missing = [(key, passage) for key, passage in keyed if self._memory.get(key) is None]
                # Of the query too: else each place in the search by words would have its letter for ever.
                seed = int(digest([self._seed, sample, self._task, query]).rpartition(":")[2][:12], 16)
                Random(seed).shuffle(missing)
                for at in range(0, len(missing), self._batch):
                    keys, passages = zip(*missing[at : at + self._batch], strict=True)
                    asks.append(_Ask(passages, keys, seed))
        with self._lock:
            spent = self._tally.calls
            afforded = len(asks) if self._max_calls is None else max(0, self._max_calls - spent)
            made = asks[:afforded]
            self._add(searches=1, calls=len(made), unaffordable=len(asks) - len(made))
        return made

    def _key(self, query: str, passage: PassageLike, sample: int) -> str:
        content = [self._task, query, passage.title, passage.text]
        return digest({"content": content, "sample": [sample, self._seed], "scorer": self._version})

    def _keep(self, ask: _Ask, graded: Graded) -> None:
        if len(graded.grades) != len(ask.passages):
            raise JudgingError(
                f"A scorer was given {len(ask.passages)} passages and graded {len(graded.grades)}.",
                judge="reranker",
                cause="parse",
            )
        for key, grade in zip(ask.keys, graded.grades, strict=True):
            self._memory.put(key, grade)
        with self._lock:
            self._add(cost=graded.cost)

    def _broke(self, error: Exception) -> None:
        spent = getattr(error, "cost", None)  # some errors know what was spent before them
        with self._lock:
            self._add(
                failed=1, causes=(classify(error),), cost=spent if isinstance(spent, Cost) else Cost(calls=1)
            )

    def _add(self, **more: object) -> None:
        old = self._tally
        self._tally = old.model_copy(update={name: getattr(old, name) + one for name, one in more.items()})

    def _ordered(self, query: str, found: Sequence[PassageLike]) -> tuple[Ranked, ...]:
        """Ungraded passages at their places, the graded ones in the places between, best first."""
        ranked = [self._ranked(query, passage, place) for place, passage in enumerate(found)]
        pool = ranked[: self._pool]
        with self._lock:
            self._add(ungraded=sum(one.grade is None for one in pool) if len(pool) > 1 else 0)
        best = iter(
            sorted(
                (one for one in ranked if one.grade is not None),
                key=lambda one: (-(one.grade or 0), one.place),
            )
        )
        return tuple(one if one.grade is None else next(best) for one in ranked)

    def _ranked(self, query: str, passage: PassageLike, place: int) -> Ranked:
        keys = (self._key(query, passage, sample) for sample in range(self._samples))
        grades = [grade for key in keys if (grade := self._memory.get(key)) is not None]
        mean = sum(one.grade for one in grades) / len(grades) if grades else None
        return Ranked(passage, mean, len(grades), tuple(one.reason for one in grades), place)
