"""Scripted policies over a world: what searches well, and what an agent does wrong.

Each names an action for a state, from the state and the world's gold evidence alone. They give branching
points their contrast where no model is at hand, and one of them, the bridge, is the ideal searcher: a
teacher.
"""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import NamedTuple

from coreact_tools.corpus import is_cut

from coreact.generate.entities import entities
from coreact.rubric import Action, State, ToolCall
from coreact.rubric.words import fold
from coreact.train.branch.environment import WorldEnvironment
from coreact.train.branch.sampling import Decision
from coreact.worlds import Question


class Situation(NamedTuple):
    """What policies decide by."""

    question: Question
    state: State
    shown: Sequence[str]
    """Ids of the passages shown so far."""


class _Gold(NamedTuple):
    """One proving passage and how an ideal searcher asks for it."""

    passage_id: str
    entity: str
    query: str


class Policies:
    """The policies of one world."""

    def __init__(self, environment: WorldEnvironment) -> None:
        self._environment = environment

    def bridge(self, at: Situation) -> str | None:
        """The ideal searcher's query: for the first missing proof whose subject is known by now."""
        before = set(at.shown)
        missing = [gold for gold in self._gold(at.question) if gold.passage_id not in before]
        return next((gold.query for gold in missing if at.state.knows(gold.entity)), None)

    def entity(self, at: Situation) -> str | None:
        """Look up the first name that was not looked up: of the question, then of the last result."""
        last = at.state.last_observation
        names = [*entities(at.state.question), *(entities(last.text) if last is not None else ())]
        return next((name for name in names if f" {fold(name)} " not in at.state.searched), None)

    def verbatim(self, at: Situation) -> str | None:
        """Search for the whole question."""
        return at.state.question

    def proposed(self, at: Situation, draw: Random) -> list[tuple[str, Action]]:
        """Actions of every kind, good and bad, each with its kind: what an agent might do next."""
        other = self._elsewhere(at.question, draw)
        queries = {
            "entity": self.entity(at),
            "verbatim": self.verbatim(at),
            "off topic": next(iter(entities(other.question)), other.question),
            "repeat": at.state.queries[-1] if at.state.queries else None,
        }
        ahead = self._ahead(at)
        found = [] if ahead is None else [("bridge", ahead)]
        found += [(source, self.searching(query)) for source, query in queries.items() if query]
        found += [(source, self.reading(key)) for source, key in self._reads(at, other, draw)]
        found.append(("answer", Action(answer=self._answer(at, other))))
        return found

    def of(self, decision: Decision) -> list[tuple[str, Action]]:
        """`proposed` as the function of a sampler (`sampling.Policy`)."""
        at = self._situation(decision)
        return [] if at is None else self.proposed(at, Random(decision.id))

    def ideal(self, decision: Decision) -> list[Action]:
        """The ideal searcher as the function of a teacher; nothing where it knows no way on."""
        at = self._situation(decision)
        if at is None:
            return []
        ahead = self._ahead(at)
        if ahead is not None:
            return [ahead]
        return [Action(answer=at.question.answer)] if self._is_proved(at) else []

    def searching(self, query: str) -> Action:
        """The action that searches for this."""
        return Action(call=ToolCall(name=self._environment.tool.name, arguments={"query": query}))

    def reading(self, passage_id: str) -> Action:
        """The action that reads this passage in full."""
        return Action(call=ToolCall(name=self._environment.reader.name, arguments={"passage_id": passage_id}))

    def _ahead(self, at: Situation) -> Action | None:
        """What the ideal searcher does: read what a search has cut before the proof, else the bridge."""
        unread = self._environment.hidden(at.question, at.state) - self._environment.read(at.state)
        cut = next((key for key in at.shown if key in unread), None)
        if cut is not None:
            return self.reading(cut)
        query = self.bridge(at)
        return None if query is None else self.searching(query)

    def _reads(self, at: Situation, other: Question, draw: Random) -> list[tuple[str, str]]:
        """Passages to read: one that was shown cut, one that was shown in full, one that was not shown.

        The last stands for an id that an agent makes up. None where the agent cannot read.
        """
        if at.state.tool(self._environment.reader.name) is None:
            return []
        passages, read = self._environment.passages, self._environment.read(at.state)
        cut = [key for key in at.shown if key not in read and is_cut(passages[key].text)]
        kinds = {
            "read cut": cut,
            "read again": [key for key in at.shown if key not in cut],
            "read unseen": [key for key in other.supporting_ids if key not in at.shown],
        }
        return [(source, draw.choice(keys)) for source, keys in kinds.items() if keys]

    def _is_proved(self, at: Situation) -> bool:
        return self._environment.proved(at.question, at.state, at.shown) == 1

    def _situation(self, decision: Decision) -> Situation | None:
        question = self._environment.questions.get(decision.question_id)
        if question is None or decision.shown is None:
            return None  # a run that took place elsewhere
        return Situation(question, decision.state, decision.shown)

    def _elsewhere(self, question: Question, draw: Random) -> Question:
        """Another question, drawn."""
        questions = self._environment.world.questions
        while True:
            other = draw.choice(questions)
            if other.id != question.id or len(questions) == 1:
                return other

    def _answer(self, at: Situation, other: Question) -> str:
        """The right answer where all proof is there, else a guess such as an agent makes."""
        if self._is_proved(at):
            return at.question.answer
        last = at.state.last_observation
        seen = entities(last.text) if last is not None else ()
        return seen[-1] if seen else other.answer

    def _gold(self, question: Question) -> list[_Gold]:
        if question.chain:
            return [_Gold(hop.passage_id, hop.entity, hop.query) for hop in question.chain]
        passages = self._environment.passages
        titles = [(key, passages[key].title or passages[key].text) for key in question.supporting_ids]
        # "Mercury (planet)" is Mercury in running text.
        return [_Gold(key, title.partition(" (")[0], title) for key, title in titles]
