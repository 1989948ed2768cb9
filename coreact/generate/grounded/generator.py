"""Criteria that cite what they rest on: facts of the question, of the observations, of a retriever.

The model gets a numbered list of the facts known at this turn and cites them by number. Code refuses a
criterion that cites nothing, cites what is not in the list, or names something that stands neither there nor
in what the agent was told, so that no name or number comes from the model's memory or from a later step. The
ids of the facts stand in the criterion's provenance, and each leads to a span of a stored text.

Sources: Automated Rubrics for Medical Dialogue (retrieve, atomic facts, user constraints, criteria with fact
ids), InfiMed-ORBIT (rubrics from the conversation so far), Search-Gen-V (arXiv 2510.14660; nuggets as
criteria). Different: citations are checked by code, and a criterion guides the next action, not an answer.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from langchain_core.language_models import BaseChatModel
from pydantic import BaseModel, ConfigDict

from coreact.generate.admission import Proposed, admitted
from coreact.generate.compiling import compiled
from coreact.generate.generator import NoRubricError, Written
from coreact.generate.grounded.facts import (
    QUESTION,
    Extracted,
    Fact,
    FactExtractor,
    Passage,
    Readable,
    facts_of,
    known_by,
    nearest,
    passages_of,
)
from coreact.generate.grounded.leak import strangers, told_texts
from coreact.generate.prompt import template, trajectory
from coreact.judge.asking import Asking, aserve, record_of, serve, work
from coreact.judge.failure import Throttle
from coreact.judge.grounding.nuggets import Nugget, nugget_rubric
from coreact.judge.panel.family import model_names
from coreact.judge.records import Cost
from coreact.judge.structured import Asked, Output, ReplyError, StructuredModel
from coreact.judge.transcript import UNTRUSTED, Section, fenced
from coreact.rubric.canonical import digest
from coreact.rubric.remarks import Remark
from coreact.rubric.rubric import Criterion, Rubric
from coreact.rubric.state import State

Retriever = Callable[[str], Sequence[Readable]]
"""Finds passages for a text, best first. It may block: the async twin runs it in a thread."""


class GroundedCriterion(BaseModel):
    """A criterion and the labels of the facts it rests on."""

    model_config = ConfigDict(extra="forbid")
    facts: list[str]
    text: str
    weight: float


class GroundedCriteria(BaseModel):
    """The criteria of one action, most important first."""

    model_config = ConfigDict(extra="forbid")
    criteria: list[GroundedCriterion]


class GroundedGenerator:
    """Writes criteria for the next action that cite facts known at this turn.

    Safe to share between runs, threads and event loops.

    Args:
        model: the chat model that writes. It should not be the judge's.
        retrieve: finds passages for the question, such as a search in a guideline or a corpus; None: only
            question and observations. One that fails costs its passages; a remark says so.
        extractor: takes passages apart by a model; None: every sentence is a fact.
        most_facts: facts in the prompt, those nearest to the question.
        secrets: texts for a state that no criterion may hold, such as the gold answer in training.
        output, attempts, timeout, throttle: see `StructuredModel`.
    """

    def __init__(
        self,
        model: BaseChatModel,
        retrieve: Retriever | None = None,
        *,
        extractor: FactExtractor | None = None,
        most_facts: int = 24,
        secrets: Callable[[State], Sequence[str]] | None = None,
        output: Output = "auto",
        attempts: int = 3,
        timeout: float | None = 120.0,
        throttle: Throttle | None = None,
    ) -> None:
        self._asker = StructuredModel(
            model, output=output, attempts=attempts, timeout=timeout, throttle=throttle
        )
        self._retrieve = retrieve
        self._extractor = extractor
        self._most = most_facts
        self._secrets = secrets
        version = digest(
            {
                "prompt": [template("grounded_write").version, UNTRUSTED],
                "model": self._asker.identity,
                "extractor": extractor.id if extractor is not None else "sentences",
                "settings": [most_facts, retrieve is not None],
            }
        )
        self.id = f"grounded:{self._asker.name}@{version.rsplit(':', 1)[-1][:8]}"

    @property
    def model_names(self) -> tuple[str, ...]:
        """Names of the models that write and extract facts: a judge should be of none of their families."""
        return tuple(dict.fromkeys((self._asker.name, *model_names(self._extractor))))

    def facts(self, state: State) -> Extracted:
        """The facts known in this state: of the question, of the observations so far, of the retriever.

        Raises:
            ReplyError: the extractor's model gave no usable reply.
            MissingExtraError: `sentencex` is not installed.
        """
        passages, remarks = serve(_passages(state, self._retrieve))
        if self._extractor is None:
            return Extracted(facts_of(passages), remarks=remarks)
        found = self._extractor.extract(passages, state.question)
        return found._replace(remarks=(*remarks, *found.remarks))

    async def afacts(self, state: State) -> Extracted:
        """The same, without blocking the event loop."""
        passages, remarks = await aserve(_passages(state, self._retrieve))
        if self._extractor is None:
            return Extracted(facts_of(passages), remarks=remarks)
        found = await self._extractor.aextract(passages, state.question)
        return found._replace(remarks=(*remarks, *found.remarks))

    def write(self, state: State) -> Written:
        """Write the rubric, blocking.

        Raises:
            NoRubricError: a model failed, or wrote no criterion that rests on what is known.
            MissingExtraError: `sentencex` is not installed.
        """
        try:
            found = self.facts(state)
        except ReplyError as error:
            raise self._failure(error, error.cost, ()) from error
        return serve(self._writing(state, found))

    async def awrite(self, state: State) -> Written:
        """The same, without blocking the event loop."""
        try:
            found = await self.afacts(state)
        except ReplyError as error:
            raise self._failure(error, error.cost, ()) from error
        return await aserve(self._writing(state, found))

    def _writing(self, state: State, found: Extracted) -> Asking[Written]:
        facts = nearest(known_by(found.facts, len(state.steps)), state.question, self._most)
        reading = _Reading(self.id, state, facts, self._secrets(state) if self._secrets else ())
        try:
            asked: Asked[Any] = yield record_of(
                self._asker,
                instructions=f"{template('grounded_write').text}\n\n{UNTRUSTED}",
                material=_material(state, facts),
                reply=GroundedCriteria,
                check=reading.read,
            )
        except ReplyError as error:
            raise self._failure(error, found.cost + error.cost, (*found.remarks, *reading.remarks)) from error
        remarks = (*found.remarks, *reading.remarks)
        return Written(Rubric(criteria=reading.criteria), found.cost + asked.cost, remarks)

    def _failure(self, error: ReplyError, cost: Cost, remarks: Sequence[Remark]) -> NoRubricError:
        return NoRubricError(
            f"No rubric from {self.id}: {error.what}",
            generator=self.id,
            cause=error.cause,
            cost=cost,
            remarks=remarks,
        )


class FactCriteria:
    """Facts as criteria of the final answer, without a model: for graders, never shown to the agent.

    Each criterion is a `judge_only` nugget of scope `answer`; `nuggets` feeds
    `coreact.judge.grounding.recall`.

    Args:
        retrieve: finds passages for the question; None: only what was observed.
        most: criteria at most, those nearest to the question.
        threshold: share of the weight that an answer must state to pass, in [0, 1].
    """

    id = "facts.1"

    def __init__(self, retrieve: Retriever | None = None, *, most: int = 10, threshold: float = 0.6) -> None:
        self._retrieve = retrieve
        self._most = most
        self._threshold = threshold

    def nuggets(self, facts: Sequence[Fact], question: str) -> tuple[Nugget, ...]:
        """The facts nearest to the question as nuggets; what the user demands is none of them."""
        stated = [fact for fact in facts if fact.passage != QUESTION]
        return tuple(
            Nugget(id=f"n{number}", text=fact.text, source=fact.id)
            for number, fact in enumerate(nearest(stated, question, self._most), start=1)
        )

    def write(self, state: State) -> Written:
        """Write the rubric of the answer.

        Raises:
            NoRubricError: no fact is known.
            MissingExtraError: `sentencex` is not installed.
        """
        return self._written(state, *serve(_passages(state, self._retrieve)))

    async def awrite(self, state: State) -> Written:
        """The same, without blocking the event loop."""
        return self._written(state, *(await aserve(_passages(state, self._retrieve))))

    def _written(self, state: State, passages: tuple[Passage, ...], remarks: tuple[Remark, ...]) -> Written:
        nuggets = self.nuggets(facts_of(passages), state.question)
        if not nuggets:
            raise NoRubricError(
                "Nothing was observed or found that states a fact.",
                generator=self.id,
                cause="unsupported",
                remarks=remarks,
                remedy="Give a retriever, or ask after the first observation.",
            )
        return Written(nugget_rubric(nuggets, threshold=self._threshold), Cost(), remarks)


def _passages(
    state: State, retrieve: Retriever | None
) -> Asking[tuple[tuple[Passage, ...], tuple[Remark, ...]]]:
    known = passages_of(state)
    if retrieve is None:
        return known, ()
    try:
        hits: Sequence[Readable] = yield work(retrieve, state.question)
    except Exception as error:  # noqa: BLE001 - a retriever may raise anything, and the question is still there
        return known, (Remark(deed="found", reason=f"nothing was looked up: {type(error).__name__}"),)
    ids = {passage.id for passage in known}
    # Looked up now, so known now and not before.
    looked_up = [Passage(hit.id, hit.text, len(state.steps)) for hit in hits if hit.id not in ids]
    return (*known, *{passage.id: passage for passage in looked_up}.values()), ()


def _material(state: State, facts: Sequence[Fact]) -> str:
    # The facts stand for the observations: what is in none of them cannot be cited.
    sections = [section for section in trajectory(state) if section.label[0] != "o"]
    listed = "\n".join(f"{label}: {fact.text}" for label, fact in _labelled(facts).items())
    shown = [*sections, Section("f", "the facts, each behind its label", listed, "facts")]
    left = "" if state.budget.left is None else f"Calls left: {state.budget.left}.\n"
    return f"{fenced(shown)}\n\n{left}Write the criteria for the next action now."


def _labelled(facts: Sequence[Fact]) -> dict[str, Fact]:
    # Labels are ours: the id of a fact holds the id of a passage, which comes from outside.
    return {f"f{number}": fact for number, fact in enumerate(facts, start=1)}


class _Reading:
    """A reply being read: what was let in of the last one, and all that was remarked."""

    def __init__(self, source: str, state: State, facts: Sequence[Fact], secrets: Sequence[str]) -> None:
        self.criteria: tuple[Criterion, ...] = ()
        self.remarks: list[Remark] = []
        self._source = source
        self._state = state
        self._labelled = _labelled(facts)
        self._told = told_texts(state)
        self._secrets = secrets

    def read(self, reply: GroundedCriteria) -> str | None:
        """Take in a reply; says what is wrong with it, or None."""
        proposals = []
        for one in reply.criteria:
            labels = dict.fromkeys(label.strip("[] ") for label in one.facts)
            problem = self._ungrounded(one.text, labels)
            if problem is not None:
                self.remarks.append(Remark.about(one.text, "dropped", problem, "ungrounded"))
                continue
            cited = tuple(self._labelled[label].id for label in labels)
            proposals.append(Proposed(one.text, one.weight, evidence=cited))
        found = admitted(proposals, source=self._source, state=self._state, secrets=self._secrets)
        self.remarks += found.remarks
        self.criteria = tuple(compiled(criterion, self._state) for criterion in found.criteria)
        if self.criteria:
            return None
        return "each criterion must cite labels of the list, and name only what stands in the facts it cites"

    def _ungrounded(self, text: str, labels: Iterable[str]) -> str | None:
        cited = [self._labelled.get(label) for label in labels]
        if not cited:
            return "it cites no fact"
        facts = [fact.text for fact in cited if fact is not None]
        if len(facts) < len(cited):
            return "it cites a fact that is not in the list"
        strange = strangers(text, (*self._told, *facts))
        return f"{strange[0][:40]!r} stands in none of the facts it cites" if strange else None
