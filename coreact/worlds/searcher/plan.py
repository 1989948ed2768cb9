"""What the scripted searcher knows: the plan of each question, and what it has been shown so far.

The plan is the proof of the answer, hop by hop. Knowing it is no way to cheat: the name in between may be
used only once it stands in an observation, and the answer only once its proof was shown. What was shown is
read off texts, as a model reads them, not off artifacts.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import NamedTuple

from coreact.worlds._words import query_words, words
from coreact.worlds.records import Passage, Question, World
from coreact.worlds.scoring import exact_answer

_BEGINNING = 80
"""Characters of a passage's text by which it is recognised; a search shows at least as many."""
_IN_BRACKETS = re.compile(r"\s*\([^)]*\)$")


class PlannedHop(NamedTuple):
    """A search to make."""

    entity: str
    """The name to search for; empty where only the question's words lead to it."""
    relation: str
    """What is asked about it; may be empty."""
    passage: Passage
    """What is to be found."""
    given: bool
    """Whether the entity stands in the question; otherwise it has to stand in an observation first."""


class Situation(NamedTuple):
    """Where a run stands, as its messages tell."""

    shown: frozenset[str]
    """Ids of the passages shown, among those that a plan needs."""
    seen: str
    """Words of all observations, between spaces."""
    queries: tuple[str, ...]
    """Searches made so far, in order."""

    def names(self, text: str) -> bool:
        """Whether an observation has this name in it."""
        return bool(bare := spaced(text).strip()) and f" {bare} " in self.seen


@lru_cache(maxsize=16_384)
def spaced(text: str) -> str:
    """The folded words of a text with a space before and after each: made to look names up in."""
    return f" {' '.join(words(text))} "


def plan_of(question: Question, passages: dict[str, Passage]) -> tuple[PlannedHop, ...]:
    """The searches that lead to an answer, in order.

    From the question's chain; where it has none (HotpotQA), the titles of its supporting passages are the
    names to search for. A hop's name that neither stands in the question nor is an earlier hop's answer
    cannot be known: the hop is then searched for by its relation, or by the question's own words.
    """
    asked = spaced(question.question)
    hops: list[PlannedHop] = []
    answers: list[str] = []
    if question.chain:
        for hop in question.chain:
            given = spaced(hop.entity) in asked
            reachable = given or any(spaced(hop.entity).strip() in spaced(answer) for answer in answers)
            entity = hop.entity if reachable else ""
            relation = _unanswered(hop.relation, [other.answer for other in question.chain], asked)
            hops.append(PlannedHop(entity, relation, passages[hop.passage_id], given or not entity))
            answers.append(hop.answer)
        return tuple(hops)
    for passage_id in question.supporting_ids:
        passage = passages[passage_id]
        title = _IN_BRACKETS.sub("", passage.title)
        given = bool(title) and spaced(title) in asked
        hops.append(PlannedHop(title, "", passage, given))
    if not any(hop.given for hop in hops):  # nothing to begin with: the question's words are
        hops[0] = hops[0]._replace(entity="", given=True)
    return tuple(hops)


def _unanswered(relation: str, answers: Iterable[str], asked: str) -> str:
    """What is asked about a name, without answers of hops that the question does not have in it.

    A step of MuSiQue that refers to two earlier ones has the answer of the second among its words.
    """
    for answer in answers:
        if spaced(answer).strip() and spaced(answer) in spaced(relation) and spaced(answer) not in asked:
            named = set(words(answer))
            relation = " ".join(word for word in relation.split() if not named.issuperset(words(word)))
    return relation


class Plans:
    """The questions of a world by their wording, with their plans. Read-only once made; safe to share."""

    def __init__(self, world: World) -> None:
        self.version = world.version
        self._passages = {passage.id: passage for passage in world.passages}
        self._questions = {" ".join(question.question.split()): question for question in world.questions}
        self._answers = sorted({question.answer for question in world.questions})
        self.question_in = lru_cache(maxsize=8192)(self._question_in)
        self.plan = lru_cache(maxsize=8192)(self._plan)

    def _plan(self, question: Question) -> tuple[PlannedHop, ...]:
        return plan_of(question, self._passages)

    def _question_in(self, text: str) -> Question | None:
        """The question that a text asks: the text itself, or the longest question that stands in it."""
        text = " ".join(text.split())
        if exact := self._questions.get(text):
            return exact
        found = max((wording for wording in self._questions if wording in text), key=len, default=None)
        return self._questions[found] if found else None

    def situation(
        self, question: Question, observations: Sequence[str], other: Iterable[str], queries: Sequence[str]
    ) -> Situation:
        """What was shown: in observations, or as a passage in another text (plain RAG's prompt has them)."""
        told = [" ".join(text.split()) for text in (*observations, *other)]
        shown = [
            hop.passage
            for hop in self.plan(question)
            if any(" ".join(hop.passage.text.split())[:_BEGINNING] in text for text in told)
        ]
        seen = [*observations, *(f"{passage.title}: {passage.text}" for passage in shown if not observations)]
        return Situation(
            shown=frozenset(passage.id for passage in shown),
            seen="".join(map(spaced, seen)),
            queries=tuple(queries),
        )

    def wrong_answer(self, question: Question, situation: Situation, draw: float) -> str:
        """An answer of another question that is wrong here and stands in no observation.

        Args:
            question: what is asked.
            situation: what was shown.
            draw: in [0, 1), chooses it.
        """
        start = int(draw * len(self._answers))
        for at in range(min(len(self._answers), 50)):
            answer = self._answers[(start + at) % len(self._answers)]
            if not exact_answer(answer, question) and not situation.names(answer):
                return answer
        return "unknown"


def left_over(question: Question, entity: str) -> str:
    """The question's telling words without those of a name."""
    named = set(words(entity))
    return " ".join(word for word in query_words(question.question) if word not in named)
