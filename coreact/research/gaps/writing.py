"""A model that words queries for open gaps, where one is wanted; without it the gaps' own queries stand.

What it writes is a proposal like any other: short, on one line, never one that was made before. Where it
fails, nothing is lost.
"""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import BaseModel, ConfigDict

from coreact.judge.asking import Asking, aserve, record_of, serve
from coreact.judge.structured import Asked, ReplyError, StructuredModel
from coreact.judge.transcript import UNTRUSTED, Section, fenced, told
from coreact.research.gaps.proposing import SAME, Gap
from coreact.rubric import State
from coreact.rubric.words import similarity, words

INSTRUCTIONS = f"""\
You write search queries for an agent. You get its question, what it searched for and found, and what is \
still open, each under a label. Write for each label one query of a few words that would find it: names as \
the material spells them, no sentence, no operators, nothing that was searched for already.

{UNTRUSTED}

Give for each label the reason, in one sentence, then the query."""

_MOST = 5
_CHARS = 200
_MATERIAL = 12_000


class Worded(BaseModel):
    """A query for one open gap; the reason first."""

    model_config = ConfigDict(extra="forbid")
    label: str
    reason: str
    query: str


class Wordings(BaseModel):
    """One entry for each label."""

    model_config = ConfigDict(extra="forbid")
    queries: list[Worded]


class QueryWriter:
    """Words the queries of the best gaps with a chat model.

    Args:
        model: the model, held to records.
    """

    def __init__(self, model: StructuredModel) -> None:
        self._model = model

    def write(self, state: State, gaps: Sequence[Gap]) -> tuple[Gap, ...]:
        """The same gaps in the same order, the first five in the model's words where those are usable."""
        return serve(self._asking(state, gaps))

    async def awrite(self, state: State, gaps: Sequence[Gap]) -> tuple[Gap, ...]:
        """The same, without blocking the event loop."""
        return await aserve(self._asking(state, gaps))

    def _asking(self, state: State, gaps: Sequence[Gap]) -> Asking[tuple[Gap, ...]]:
        if not gaps:
            return ()
        labelled = {f"n{at}": gap for at, gap in enumerate(gaps[:_MOST], 1)}
        nodes = [Section(label, "still open", gap.node, "") for label, gap in labelled.items()]
        try:
            asked: Asked[Wordings] = yield record_of(
                self._model, INSTRUCTIONS, fenced([*_newest(state), *nodes]), Wordings
            )
        except ReplyError:
            return tuple(gaps)
        made = [frozenset(words(query)) for query in state.queries]
        worded: dict[str, str] = {}
        for entry in asked.value.queries:
            query = " ".join(entry.query.split())
            asks = frozenset(words(query))
            usable = 0 < len(query) <= _CHARS and asks and entry.label in labelled
            if usable and not any(similarity(asks, before) >= SAME for before in made):
                made.append(asks)
                worded.setdefault(entry.label, query)
        rest = gaps[_MOST:]
        return (
            *(
                gap.model_copy(update={"query": worded.get(label, gap.query)})
                for label, gap in labelled.items()
            ),
            *rest,
        )


def _newest(state: State) -> list[Section]:
    """The question and as many of the newest sections as fit."""
    question, *others = told(state)
    kept: list[Section] = []
    left = _MATERIAL
    for section in reversed(others):
        if len(section.text) > left:
            break
        kept.append(section)
        left -= len(section.text)
    return [question, *reversed(kept)]
