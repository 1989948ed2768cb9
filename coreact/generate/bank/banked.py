"""Rubrics of similar questions, handed to the writer of a new one as examples.

From RubricRAG (arXiv 2603.20882): retrieve the rubrics of the most similar queries and show them to the
model that writes. What differs: a bank's entries have outcomes, and one that spoiled more steps than it
fixed is not shown; entries are of one part of the run, since advice for its end misleads at its beginning;
what a bank holds is untrusted, so an entry with one serious fault (`coreact.rubric.lint`) is not shown at
all, `judge_only` criteria never; and a written criterion that took over a name of another question is
dropped. What was shown is remarked on the new rubric and counted in the bank. A bank that is empty or
cannot be asked leaves the writer without examples, and the remark says so.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import NamedTuple

from langgraph.errors import GraphBubbleUp

from coreact.errors import ConfigError, StoreError
from coreact.generate.bank.names import foreign_name
from coreact.generate.bank.records import BankEntry
from coreact.generate.bank.retrieval import Found, LexicalNeighbours, Neighbours
from coreact.generate.bank.store import RubricBank
from coreact.generate.bank.subset import subset
from coreact.generate.generator import NoRubricError, RubricGenerator, Written
from coreact.generate.prompt import Exemplar
from coreact.judge.panel.family import model_names
from coreact.rubric import Criterion, Rubric, State
from coreact.rubric.checks.base import shown
from coreact.rubric.injection import LOOKED_AT, injection
from coreact.rubric.lint import SERIOUS, lint
from coreact.rubric.remarks import Remark

NEIGHBOURS = 3
"""Entries that are shown. The paper's number is not in what we could read of it; others say 3 to 5."""

MOST_CRITERIA = 12
"""Most criteria of an entry that may be shown; one with more is refused without being looked at."""

_SHOWN = 80  # characters of a source, escaped, since a file may hold what a terminal would obey
_OVERLAP = 200  # characters that two looks at a long question share


def phase_of(state: State) -> str:
    """The stage of a decision where nobody says another one: the phase of its budget."""
    return state.phase


class Retrieved(NamedTuple):
    """What a bank gave for a state, and what is to be said about it."""

    found: tuple[Found, ...]
    remarks: tuple[Remark, ...]


class BankExemplars:
    """Examples for a state, out of a bank. Safe to share between threads and event loops.

    Calling it gives what `PromptedGenerator(exemplars=…)` asks for and counts a use of each entry.

    Args:
        bank: where to look.
        k: most entries, at least 1.
        neighbours: how nearness is told; None: by words in common.
        exclude_question: leave out entries of the very question that is asked, as an evaluation must.
        stage: the stage of a state; entries of other stages are left out, those without one fit any.

    Raises:
        ConfigError: `k` is less than 1.
    """

    def __init__(
        self,
        bank: RubricBank,
        *,
        k: int = NEIGHBOURS,
        neighbours: Neighbours | None = None,
        exclude_question: bool = False,
        stage: Callable[[State], str | None] = phase_of,
    ) -> None:
        if k < 1:
            raise ConfigError(f"k must be at least 1 (got {k}).", remedy="Leave the bank out instead.")
        self._bank = bank
        self._neighbours = neighbours or LexicalNeighbours(bank)
        self._k = k
        self._exclude = exclude_question
        self._stage = stage
        self._sound: dict[str, bool] = {}

    def __call__(self, state: State) -> tuple[Exemplar, ...]:
        """The examples for a state, nearest first. Never raises for the bank's sake."""
        handing = _HANDING.get()
        if handing is not None and handing.by is self:
            handing.taken = True
            return examples(handing.retrieved.found)
        found = self.retrieve(state).found
        self.count(found)
        return examples(found)

    def retrieve(self, state: State) -> Retrieved:
        """Look for entries, without counting a use. A bank that fails gives none, with a remark."""
        try:
            if not len(self._bank):
                return _nothing("the bank is empty")
            found = self._neighbours.nearest(
                state.question, self._k, exclude_question=self._exclude, usable=self._usable(state)
            )
        except GraphBubbleUp:
            raise
        except Exception as error:  # noqa: BLE001 - an embedding model may raise anything; guidance goes on
            return _failed(error)
        return _told(found)

    async def aretrieve(self, state: State) -> Retrieved:
        """The same, without blocking the event loop."""
        try:
            if not await asyncio.to_thread(len, self._bank):
                return _nothing("the bank is empty")
            found = await self._neighbours.anearest(
                state.question, self._k, exclude_question=self._exclude, usable=self._usable(state)
            )
        except GraphBubbleUp:
            raise
        except Exception as error:  # noqa: BLE001 - as above
            return _failed(error)
        return _told(found)

    def count(self, found: Sequence[Found]) -> None:
        """Count a use of each entry; a bank that cannot be written now misses it."""
        for one in found:
            try:
                self._bank.record_outcome(one.entry.key, uses=1)
            except StoreError:
                return

    @contextmanager
    def handing(self, retrieved: Retrieved) -> Iterator[_Handing]:
        """Within it, calling this object gives what was retrieved already, and counts nothing."""
        handing = _Handing(self, retrieved)
        token = _HANDING.set(handing)
        try:
            yield handing
        finally:
            _HANDING.reset(token)

    def _usable(self, state: State) -> Callable[[BankEntry], bool]:
        stage = self._stage(state)

        def usable(entry: BankEntry) -> bool:
            if entry.outcomes.net < 0 or entry.stage not in (None, stage):
                return False
            known = self._sound.get(entry.key)
            if known is None:
                known = self._sound[entry.key] = is_sound(entry)
            return known

        return usable


class _Handing:
    """What one write hands to its writer, and whether the writer asked for it."""

    def __init__(self, by: BankExemplars, retrieved: Retrieved) -> None:
        self.by = by
        self.retrieved = retrieved
        self.taken = False


_HANDING: ContextVar[_Handing | None] = ContextVar("coreact_bank_handing", default=None)


class BankedGenerator:
    """A generator that writes with the rubrics of similar questions before it.

    Args:
        writer: makes the generator that writes, from its source of examples: for instance
            `lambda exemplars: PromptedGenerator(model, exemplars=exemplars)`.
        bank: where to look.
        k, neighbours, exclude_question, stage: see `BankExemplars`.

    Raises:
        ConfigError: `k` is less than 1.
    """

    def __init__(
        self,
        writer: Callable[[BankExemplars], RubricGenerator],
        bank: RubricBank,
        *,
        k: int = NEIGHBOURS,
        neighbours: Neighbours | None = None,
        exclude_question: bool = False,
        stage: Callable[[State], str | None] = phase_of,
    ) -> None:
        self.exemplars = BankExemplars(
            bank, k=k, neighbours=neighbours, exclude_question=exclude_question, stage=stage
        )
        """Where the examples come from."""
        self._writer = writer(self.exemplars)
        self.id = f"banked({self._writer.id},k={k})"
        """Names the writer and `k`, not what the bank holds, which changes from step to step: what was
        measured under an id holds for the bank as it was, and the remarks say which entries were shown."""

    @property
    def model_names(self) -> tuple[str, ...]:
        """Names of the models that write: a judge should be of none of their families."""
        return model_names(self._writer)

    def write(self, state: State) -> Written:
        """Write a rubric with examples, blocking.

        Raises:
            NoRubricError: each criterion that was written holds a name of another question.
            GenerationError: the writer failed.
        """
        retrieved = self.exemplars.retrieve(state)
        with self.exemplars.handing(retrieved) as handing:
            written = self._writer.write(state)
        if handing.taken:
            self.exemplars.count(retrieved.found)
        return self._own(written, retrieved, state)

    async def awrite(self, state: State) -> Written:
        """The same, without blocking the event loop."""
        retrieved = await self.exemplars.aretrieve(state)
        with self.exemplars.handing(retrieved) as handing:
            written = await self._writer.awrite(state)
        if handing.taken:
            await asyncio.to_thread(self.exemplars.count, retrieved.found)
        return self._own(written, retrieved, state)

    def _own(self, written: Written, retrieved: Retrieved, state: State) -> Written:
        """The rubric without criteria that talk about the neighbours' questions."""
        remarks = [*written.remarks, *retrieved.remarks]

        def about_this(criterion: Criterion) -> bool:
            for one in retrieved.found:
                name = foreign_name(criterion, one.entry.question, state)
                if name is not None:
                    reason = f"{shown(name)} belongs to the question of bank entry {one.entry.name}"
                    remarks.append(Remark.about(criterion.text, "dropped", reason, "unseen_value"))
                    return False
            return True

        own = subset(written.rubric, about_this)
        remarks += [
            Remark.about(c.text, "dropped", "it depends on one that was dropped") for c in own.orphans
        ]
        if not own.criteria:
            raise NoRubricError(
                "Every criterion that was written holds a name of another question.",
                generator=self.id,
                cause="unsupported",
                cost=written.cost,
                remarks=remarks,
            )
        if len(own.criteria) == len(written.rubric):
            return written._replace(remarks=tuple(remarks))
        rubric = written.rubric.model_copy(update={"criteria": own.criteria})
        return Written(Rubric.model_validate(rubric.model_dump()), written.cost, tuple(remarks))


def examples(found: Sequence[Found]) -> tuple[Exemplar, ...]:
    """Entries as examples: their questions, and the criteria that an agent may read."""
    return tuple(
        Exemplar(one.entry.question, readable)
        for one in found
        if (readable := _readable(one.entry.rubric)) is not None
    )


def is_sound(entry: BankEntry) -> bool:
    """Whether an entry may be shown at all: nothing serious is wrong with it, and an agent may read of it."""
    if len(entry.rubric) > MOST_CRITERIA:
        return False
    question = entry.question
    looks = (question[at : at + LOOKED_AT] for at in range(0, len(question), LOOKED_AT - _OVERLAP))
    if any(map(injection, looks)) or _readable(entry.rubric) is None:
        return False
    return not any(finding.problem in SERIOUS for finding in lint(entry.rubric))


def _readable(rubric: Rubric) -> Rubric | None:
    criteria = subset(rubric, lambda criterion: criterion.visibility == "policy").criteria
    if len(criteria) == len(rubric):
        return rubric
    return Rubric(criteria=criteria, scope=rubric.scope, threshold=rubric.threshold) if criteria else None


def _nothing(reason: str) -> Retrieved:
    return Retrieved((), (Remark(deed="found", reason=reason),))


def _failed(error: Exception) -> Retrieved:
    return _nothing(
        f"the bank could not be asked: {type(error).__name__}: {' '.join(str(error).split())[:200]}"
    )


def _told(found: tuple[Found, ...]) -> Retrieved:
    if not found:
        return _nothing("no usable entry of the bank is near this question")
    return Retrieved(found, tuple(map(_remark, found)))


def _remark(one: Found) -> Remark:
    entry, outcomes = one.entry, one.entry.outcomes
    return Remark(
        deed="found",
        reason=(
            f"the bank gave {entry.name}, written by {entry.source[:_SHOWN]!r} (score {one.score:.3g}, "
            f"used {outcomes.uses}, fixed {outcomes.fixed}, spoiled {outcomes.spoiled})"
        ),
    )
