"""Criteria of a similar question, taken over as they stand, without a model.

There is nobody here who could rewrite a criterion for another question, so only what needs no rewriting is
taken: executable, sound for the tools at hand, and without any name that this state does not know. That is
little, and it is safe; a criterion that an earlier run found out ("open the second table") may be among it.
A reused criterion never has a veto and is never `hard`: what nobody vouches for constrains no decoder. Ours;
RubricRAG (arXiv 2603.20882) has a model rewrite.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from coreact.errors import ConfigError
from coreact.generate.bank.banked import NEIGHBOURS, BankExemplars, Retrieved, phase_of
from coreact.generate.bank.names import foreign_name, unknown_name
from coreact.generate.bank.records import BankEntry
from coreact.generate.bank.retrieval import Found, Neighbours
from coreact.generate.bank.store import RubricBank
from coreact.generate.bank.subset import subset
from coreact.generate.generator import NoRubricError, RubricGenerator, Written
from coreact.judge import Cost
from coreact.judge.panel.family import model_names
from coreact.rubric import Action, Criterion, Provenance, Rubric, State
from coreact.rubric.checks import AnswerFitsSchema, ArgumentContains, ArgumentEquals, QuoteInObservation
from coreact.rubric.checks.base import shown, text_of
from coreact.rubric.lint import SERIOUS, lint
from coreact.rubric.remarks import Problem, Remark

_TWINS: frozenset[Problem] = frozenset({"duplicate", "mirror", "conflict", "multi_tool"})
_UNFIT = SERIOUS | _TWINS
_ANY = Action(answer="-")
_LEAST = 1e-9  # share of a criterion that weighs next to nothing


class ReusingGenerator:
    """Adds criteria of the nearest entry to what another generator writes, or guides by them alone.

    Args:
        bank: where to look.
        inner: writes the rubric that criteria are added to; None: there is nothing but the bank.
        most: criteria that are taken over, at least 1.
        k: entries that are looked at, nearest first, until one has a criterion to take over.
        neighbours, exclude_question, stage: see `BankExemplars`.

    Raises:
        ConfigError: `k` or `most` is less than 1.
    """

    def __init__(
        self,
        bank: RubricBank,
        inner: RubricGenerator | None = None,
        *,
        most: int = 2,
        k: int = NEIGHBOURS,
        neighbours: Neighbours | None = None,
        exclude_question: bool = False,
        stage: Callable[[State], str | None] = phase_of,
    ) -> None:
        if most < 1:
            raise ConfigError(f"most must be at least 1 (got {most}).", remedy="Leave the bank out instead.")
        self._exemplars = BankExemplars(
            bank, k=k, neighbours=neighbours, exclude_question=exclude_question, stage=stage
        )
        self._inner = inner
        self._most = most
        self.id = f"reusing({inner.id if inner is not None else ''},k={k},most={most})"
        """Names the inner generator and the settings, not what the bank holds, which changes from step to
        step: what was measured under an id holds for the bank as it was, and the remarks name the entries."""

    @property
    def model_names(self) -> tuple[str, ...]:
        """Names of the models that write: a judge should be of none of their families."""
        return model_names(self._inner)

    def write(self, state: State) -> Written:
        """Write a rubric with criteria taken over, blocking.

        Raises:
            NoRubricError: there is no inner generator, and no criterion could be taken over.
            GenerationError: the inner generator failed.
        """
        base = self._inner.write(state) if self._inner is not None else None
        retrieved = self._exemplars.retrieve(state)
        written, used = self._joined(base, retrieved, state)
        self._exemplars.count(used)
        return written

    async def awrite(self, state: State) -> Written:
        """The same, without blocking the event loop."""
        base = await self._inner.awrite(state) if self._inner is not None else None
        retrieved = await self._exemplars.aretrieve(state)
        written, used = self._joined(base, retrieved, state)
        await asyncio.to_thread(self._exemplars.count, used)
        return written

    def _joined(
        self, base: Written | None, retrieved: Retrieved, state: State
    ) -> tuple[Written, tuple[Found, ...]]:
        own = tuple(base.rubric) if base is not None else ()
        remarks = [*(base.remarks if base is not None else ()), *retrieved.remarks]
        taken: tuple[Criterion, ...] = ()
        used: tuple[Found, ...] = ()
        for one in retrieved.found:
            taken = self._taken_over(one.entry, own, state, remarks)
            if taken:
                used = (one,)
                break
        if not own and not taken:
            raise NoRubricError(
                "Nothing in the rubric bank can be taken over for this step.",
                generator=self.id,
                cause="unsupported",
                remarks=remarks,
            )
        if base is None:
            return Written(Rubric(criteria=taken), Cost(), tuple(remarks)), used
        rubric = base.rubric
        if taken:
            evened = (c.model_copy(update={"weight": _weight(rubric, c)}) for c in own)
            rubric = Rubric(criteria=(*evened, *taken), scope=rubric.scope, threshold=rubric.threshold)
        return Written(rubric, base.cost, tuple(remarks)), used

    def _taken_over(
        self, entry: BankEntry, own: tuple[Criterion, ...], state: State, remarks: list[Remark]
    ) -> tuple[Criterion, ...]:
        ids = {criterion.id for criterion in own}
        names = {c.id: _free(f"bank_{c.id}", ids) for c in entry.rubric}
        taken: list[Criterion] = []

        def fits(criterion: Criterion) -> bool:
            if len(taken) == self._most:
                return False
            new = _adapted(criterion, entry, names)
            problem = _unfit(criterion, new, (*own, *taken), entry, state)
            if problem is None:
                taken.append(new)
                remarks.append(Remark.about(new.text, "kept", f"taken over from bank entry {entry.name}"))
            else:
                remarks.append(Remark.about(new.text, "dropped", f"bank entry {entry.name}: {problem}"))
            return problem is None

        subset(entry.rubric, fits)
        return tuple(taken)


def _adapted(criterion: Criterion, entry: BankEntry, names: dict[str, str]) -> Criterion:
    """The criterion under an id of its own, as heavy against the others as it was in its rubric."""
    source = criterion.provenance.source if criterion.provenance is not None else entry.source
    return criterion.model_copy(
        update={
            "id": names[criterion.id],
            "weight": _weight(entry.rubric, criterion),
            "kind": "process" if criterion.kind == "hard" else criterion.kind,
            "veto": False,
            "depends_on": tuple(names[name] for name in criterion.depends_on),
            "provenance": Provenance(source=source, parent=criterion.id, evidence=(entry.key,)),
        }
    )


def _weight(rubric: Rubric, criterion: Criterion) -> float:
    """The criterion's share of its rubric, so that weights of any size meet as equals; never 0."""
    return max(rubric.share(criterion), _LEAST)


def _free(name: str, ids: set[str]) -> str:
    while name in ids:
        name += "_"
    ids.add(name)
    return name


def _unfit(
    old: Criterion, new: Criterion, others: tuple[Criterion, ...], entry: BankEntry, state: State
) -> str | None:
    """Why a criterion cannot be taken over as it stands, or None."""
    check = old.check
    if check is None:
        return "it has no check, and nobody here could put it into other words"
    if old.visibility != "policy":
        return "its text is not for the agent"
    if isinstance(check, AnswerFitsSchema):
        return "the form of an answer belongs to its question"
    if check.evaluate(_ANY, state).fault == "instrument":
        return "its check cannot be evaluated here"
    findings = lint((*others, new), state=state)
    serious = next((one for one in findings if one.criterion == new.id and one.problem in _UNFIT), None)
    if serious is not None:
        return serious.reason
    name = (
        foreign_name(old, entry.question, state) or unknown_name(old, state) or _unknown_value(check, state)
    )
    return f"{shown(name)} is not known here" if name is not None else None


def _unknown_value(check: object, state: State) -> str | None:
    values: tuple[str, ...] = ()
    if isinstance(check, ArgumentContains):
        values = check.terms
    elif isinstance(check, ArgumentEquals):
        values = (text_of(check.value),)
    elif isinstance(check, QuoteInObservation):
        values = (check.quote,)
    return next((value for value in values if not state.knows(value)), None)
