"""Two ways to gather passages without a model, at an equal number of passages shown.

`GapDriven` searches once with the question and then where something is missing, and stops early where
nothing is. `Fixed` is the control: plain retrieval, the same number of searches whatever comes back. Both
show each passage once. They are for measuring and for tools; an agent decides for itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from coreact_tools.corpus import CorpusLike, PassageLike

from coreact.errors import ConfigError
from coreact.research.gaps.proposing import gaps
from coreact.rubric import Observation, State, Step, ToolCall, ToolContract

SEARCH = ToolContract(
    name="search",
    parameters={"type": "object", "properties": {"query": {"type": "string"}}, "required": ["query"]},
    role="search",
    read_only=True,
)
"""The search as it stands in the states that gaps are read from."""


class Gathered(NamedTuple):
    """What was found."""

    passages: tuple[PassageLike, ...]
    """In the order they were shown, each once."""
    queries: tuple[str, ...]
    """The searches that were made, in order."""
    state: State
    """The trajectory of the searches."""


class GapDriven:
    """Searches for the question, then for its gaps.

    Args:
        corpus: where to search.
        searches: most searches, at least 1.
        k: new passages shown by one search, at least 1.

    Raises:
        ConfigError: a setting is out of range.
    """

    def __init__(self, corpus: CorpusLike, *, searches: int = 2, k: int = 5) -> None:
        _refuse(searches, k)
        self._corpus, self._searches, self._k = corpus, searches, k

    def gather(self, question: str, *, plan: Sequence[str] = ()) -> Gathered:
        """Gather passages for a question; fewer searches than allowed where nothing is open."""
        state = State.start(question, tools=(SEARCH,), limit=self._searches)
        shown: dict[str, PassageLike] = {}
        for _ in range(self._searches):
            wanted = gaps(state, plan=plan)
            if not wanted:
                break
            query = wanted[0].query
            found = [hit.passage for hit in self._corpus.search(query, self._k + len(shown))]
            new = [passage for passage in found if passage.id not in shown][: self._k]
            shown |= {passage.id: passage for passage in new}
            state = state.after(_step(query, new))
        return Gathered(tuple(shown.values()), state.queries, state)


class Fixed:
    """The control: always the same number of searches with the bare question, each for the next `k` hits.

    Args:
        corpus: where to search.
        searches: searches, always so many, at least 1.
        k: passages shown by one search, at least 1.

    Raises:
        ConfigError: a setting is out of range.
    """

    def __init__(self, corpus: CorpusLike, *, searches: int = 2, k: int = 5) -> None:
        _refuse(searches, k)
        self._corpus, self._searches, self._k = corpus, searches, k

    def gather(self, question: str, *, plan: Sequence[str] = ()) -> Gathered:
        """Gather passages for a question. A plan is not read: that is what makes it the control."""
        state = State.start(question, tools=(SEARCH,), limit=self._searches)
        shown: list[PassageLike] = []
        for page in range(self._searches):
            hits = self._corpus.search(question, self._k * (page + 1))[self._k * page :]
            new = [hit.passage for hit in hits]
            shown += new
            state = state.after(_step(question, new))
        return Gathered(tuple(shown), state.queries, state)


def _step(query: str, passages: Sequence[PassageLike]) -> Step:
    """A search as the agent's tool shows it: one passage a line."""
    lines = [
        " ".join(f"[{one.id}] {f'{one.title}: ' if one.title else ''}{one.text}".split()) for one in passages
    ]
    return Step(
        call=ToolCall(name=SEARCH.name, arguments={"query": query}),
        observation=Observation(text="\n".join(lines)),
    )


def _refuse(searches: int, k: int) -> None:
    if searches < 1 or k < 1:
        raise ConfigError(
            f"{searches} searches for {k} passages each gather nothing.", remedy="Give 1 or more of both."
        )
