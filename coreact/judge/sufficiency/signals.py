"""Four typed judgements of a moment, in the vocabulary of Self-RAG, and weights that steer by them.

Self-RAG (arXiv 2310.11511) trains one model to emit tokens that say whether to retrieve, whether a passage
is relevant, whether it supports the answer, and how useful the answer is; their probabilities are weighted.
What differs: no model is trained; three are read off the trace by comparing words, the fourth is the score
of a judgement, and whoever has better ones (a judge's) fills in the record. Unknown is None and is left out
of the weighing, never counted as 0.
"""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import Field

from coreact.judge.records import Judgement
from coreact.judge.sufficiency.evidence import Evidence, content_words, observed
from coreact.rubric import Record, State
from coreact.rubric.words import words


class Signals(Record):
    """Judgements in [0, 1]; None where nobody could tell."""

    need_retrieval: float | None = Field(default=None, ge=0, le=1)
    """How much of what is asked about is neither given nor observed; lower is better."""
    relevant: float | None = Field(default=None, ge=0, le=1)
    """How near the newest observation comes to the question, higher is better."""
    supported: float | None = Field(default=None, ge=0, le=1)
    """How much of what the draft adds was observed, higher is better."""
    useful: float | None = Field(default=None, ge=0, le=1)
    """How well the draft serves as an answer, higher is better."""


class Weights(Record):
    """How much each judgement says; the defaults are those of Self-RAG's long-form setting."""

    relevant: float = Field(default=1.0, ge=0)
    supported: float = Field(default=1.0, ge=0)
    useful: float = Field(default=0.5, ge=0)
    retrieve_above: float = Field(default=0.2, ge=0, le=1)
    """Retrieve where the need is greater than this."""


def signals(state: State, draft: str = "", *, judgement: Judgement | None = None) -> Signals:
    """The judgements as far as the trace shows them.

    Args:
        state: the trajectory so far.
        draft: the answer that would be given; empty where there is none.
        judgement: of this draft, if it was judged; its score says how useful the draft is.
    """
    evidence = Evidence(state)
    asked = content_words(state.question)
    known = {word for text in state.given for word in words(text)}.union(
        *(one.words for one in evidence.lines)
    )
    newest = next((step for step in reversed(state.steps) if step.observation is not None), None)
    added = set(content_words(draft)) - set(words(state.question)) if draft.strip() else set()
    return Signals(
        need_retrieval=sum(word not in known for word in asked) / len(asked) if asked else None,
        relevant=None if newest is None else evidence.best_line(state.question, observed(newest)),
        supported=len(added & known) / len(added) if added else None,
        useful=judgement.score if judgement is not None else None,
    )


def retrieves(read: Signals, weights: Weights | None = None) -> bool | None:
    """Whether another retrieval is called for; None where the need is not known."""
    limit = (weights or Weights()).retrieve_above
    return None if read.need_retrieval is None else read.need_retrieval > limit


def utility(read: Signals, weights: Weights | None = None) -> float | None:
    """Weighted mean of what is known of relevance, support and usefulness, in [0, 1], higher is better.

    None where nothing that weighs anything is known.
    """
    weighed = weights or Weights()
    known = [
        (weight, value)
        for weight, value in (
            (weighed.relevant, read.relevant),
            (weighed.supported, read.supported),
            (weighed.useful, read.useful),
        )
        if value is not None and weight > 0
    ]
    return (
        sum(weight * value for weight, value in known) / sum(weight for weight, _ in known) if known else None
    )


def preferred(candidates: Sequence[Signals], weights: Weights | None = None) -> int | None:
    """Place of the candidate with the highest utility, the first of equals; None where none has any."""
    values = [utility(read, weights) for read in candidates]
    known = [value for value in values if value is not None]
    return values.index(max(known)) if known else None
