"""Nuggets as rubric: atomic facts that a good answer states, for short and long answers alike.

Search-Gen-V (arXiv 2510.14660): a short answer is one nugget, a report many, and one verifier labels
them in batches as supported, partly supported or not. Here a nugget is a criterion, the labels are met,
partial and unmet, and any judge can be the verifier. Code decides first what needs no model: a whole
answer that is an accepted form (exact match alone misses paraphrases, so it only ever confirms), a
nugget that stands in the answer word for word, an empty answer. A judge sees question and answer, not
the trajectory: a nugget that was found and not said is not in the answer.

Deliberately not here: writing nuggets, which is a generator's work.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from pydantic import Field

from coreact.judge.grounding.inquiry import Inquiring, Inquiry, aask, anchored, ask, batches, evidence, worded
from coreact.judge.grounding.verbatim import stated
from coreact.judge.records import Cost, Judgement, Verdict
from coreact.judge.runner import Judge
from coreact.judge.scoring import judgement
from coreact.rubric import Action, Criterion, Provenance, Record, Rubric, State
from coreact.rubric.words import fold, words

_ASKED = "The answer states this, with the same qualifiers and without contradicting it:"
_ARTICLE = re.compile(r"\b(?:a|an|the) ")
_MINUS = re.compile(r"(?<!\w)[-\u2212](?=\d)")


class Nugget(Record):
    """One atomic fact that an answer should state."""

    id: str = Field(min_length=1)
    text: str = Field(min_length=1)
    """The fact as a statement: `The dam was finished in 1936.`"""
    forms: tuple[str, ...] = ()
    """Short answers that say just this: `1936`, `in 1936`."""
    weight: float = Field(default=1.0, gt=0, allow_inf_nan=False)
    """Relative weight, any positive number."""
    source: str = ""
    """Id of the passage it was taken from."""


def short_answer(question: str, *forms: str) -> Nugget:
    """The one nugget of a question with a short answer.

    Args:
        question: the question.
        forms: the accepted answers, the usual one first; at least one.

    Raises:
        ValueError: there is no accepted answer.
    """
    if not forms:
        raise ValueError("a short answer needs at least one accepted form")
    return Nugget(id="answer", text=f"The answer to “{question}” is {' or '.join(forms)}.", forms=forms)


def nugget_rubric(nuggets: Sequence[Nugget], *, threshold: float = 0.6) -> Rubric:
    """Nuggets as the rubric of an answer: one criterion of kind `fact` each.

    Args:
        nuggets: at least one, with unique ids.
        threshold: share of the weight that an answer must state to pass, in [0, 1].
    """
    return Rubric(
        criteria=tuple(
            Criterion(
                id=nugget.id,
                text=worded(_ASKED, nugget.text),
                weight=nugget.weight,
                kind="fact",
                visibility="judge_only",
                provenance=Provenance(source="nugget", evidence=(nugget.source,)) if nugget.source else None,
            )
            for nugget in nuggets
        ),
        scope="answer",
        threshold=threshold,
    )


def recall(
    nuggets: Sequence[Nugget],
    answer: str,
    question: str,
    judge: Judge | None = None,
    *,
    threshold: float = 0.6,
) -> Judgement:
    """How much of the nuggets an answer states.

    Args:
        nuggets: what a good answer states, at least one, with unique ids.
        answer: the answer, of any length.
        question: what was asked.
        judge: labels what code leaves open, about ten nuggets in one call; None: it stays `unknown`.
        threshold: share of the weight that an answer must state to pass, in [0, 1].

    Returns:
        A judgement whose score is the weighted recall of the judged nuggets, partial ones counting half,
        with how many of them were judged.
    """
    return ask(_recall(nuggets, answer, question, threshold), judge)


async def arecall(
    nuggets: Sequence[Nugget],
    answer: str,
    question: str,
    judge: Judge | None = None,
    *,
    threshold: float = 0.6,
) -> Judgement:
    """The same without blocking the event loop; batches run together."""
    return await aask(_recall(nuggets, answer, question, threshold), judge)


def _recall(nuggets: Sequence[Nugget], answer: str, question: str, threshold: float) -> Inquiring[Judgement]:
    rubric = nugget_rubric(nuggets, threshold=threshold)
    verdicts = [verdict for nugget in nuggets if (verdict := _by_code(nugget, answer)) is not None]
    decided = {verdict.criterion for verdict in verdicts}
    # A judge looks for the evidence of a fact in what was observed; a nugget's evidence is the answer.
    asked = [c.model_copy(update={"kind": "principle"}) for c in rubric if c.id not in decided]
    state = State.start(question)
    rulings = yield tuple(Inquiry(tuple(some), Action(answer=answer), state) for some in batches(asked))
    for ruling in rulings:
        verdicts += [anchored(verdict, {_ANSWER: answer}) for verdict in ruling.verdicts]
    return judgement(rubric, verdicts, cost=sum((ruling.cost for ruling in rulings), Cost()))


_ANSWER = "proposal"
"""How evidence names the answer that is judged (see `transcript`)."""


def _by_code(nugget: Nugget, answer: str) -> Verdict | None:
    if not words(answer):
        return Verdict(criterion=nugget.id, reason="the answer is empty", status="unmet")
    if _plain(answer) in {_plain(form) for form in nugget.forms}:
        return Verdict(
            criterion=nugget.id,
            reason="the answer is an accepted one",
            status="met",
            evidence=(evidence(_ANSWER, answer, 0, len(answer)),),
        )
    span = stated(nugget.text, answer)
    if span is not None:
        return Verdict(
            criterion=nugget.id,
            reason="it stands in the answer word for word",
            status="met",
            evidence=(evidence(_ANSWER, answer, span.start, span.end),),
        )
    return None


def _plain(text: str) -> str:
    folded = fold(_MINUS.sub("minus ", text))
    return _ARTICLE.sub("", f"{folded} ").strip() or folded
