"""Split a criterion that is too easily met, and say whether two criteria are the same.

The decomposer's part of RRD (arXiv 2602.05125): a criterion that most samples meet is cut into at most two
finer ones, by someone who sees what the samples that meet it look like. Whether the parts are of any use is
decided by votes in `decompose`, not here.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple, Protocol, runtime_checkable

from langchain_core.language_models import BaseChatModel

from coreact.generate.admission import Proposed, admitted
from coreact.generate.compiling import compiled
from coreact.generate.contrastive.contrast import LABELS, SIDE_CHARS, Side, action_key
from coreact.generate.contrastive.nuisance import nuisance
from coreact.generate.contrastive.writer import Reply, identified, question
from coreact.generate.prompt import trajectory
from coreact.judge.asking import Asking, aserve, serve
from coreact.judge.records import Cost
from coreact.judge.structured import Asked, Output, StructuredModel
from coreact.judge.transcript import Section, excerpt
from coreact.rubric import Action, Criterion, State
from coreact.rubric.remarks import Remark
from coreact.rubric.words import words

CHILDREN = 2
"""Most parts of one criterion; the paper's."""

_SHOWN_SAMPLES = 4
_SHOWN_ACCEPTED = 12


class Split(NamedTuple):
    """What a criterion was split into."""

    children: tuple[Criterion, ...]
    """At most `CHILDREN`; their ids do not matter. Empty: it cannot be split."""
    cost: Cost = Cost()
    remarks: tuple[Remark, ...] = ()


@runtime_checkable
class Decomposer(Protocol):
    """Whoever splits criteria. A `ReplyError` ends the split; any other error ends the refinement."""

    id: str
    """Name and version."""

    def decompose(
        self, criterion: Criterion, satisfied: Sequence[Action], accepted: Sequence[Criterion], state: State
    ) -> Split:
        """Split a criterion that these actions satisfy, into parts that `accepted` does not hold yet."""

    async def adecompose(
        self, criterion: Criterion, satisfied: Sequence[Action], accepted: Sequence[Criterion], state: State
    ) -> Split:
        """The same, without blocking the event loop."""


class Compared(NamedTuple):
    """Whether a criterion is the same as one of several, or the opposite of one."""

    relation: Literal["same", "opposite", "different"]
    cost: Cost = Cost()


@runtime_checkable
class Comparer(Protocol):
    """Whoever says whether a criterion repeats or contradicts others, where code cannot see it."""

    def compare(self, criterion: Criterion, others: Sequence[Criterion]) -> Compared:
        """Compare a criterion with those accepted so far."""

    async def acompare(self, criterion: Criterion, others: Sequence[Criterion]) -> Compared:
        """The same, without blocking the event loop."""


class Part(Reply):
    """One finer criterion."""

    asks_more: str
    """What it asks for that the whole does not."""
    text: str


class PartsReply(Reply):
    """The parts, none where the criterion cannot be split."""

    parts: list[Part]


class RelationReply(Reply):
    """How the new criterion stands to the accepted ones."""

    reason: str
    relation: Literal["same", "opposite", "different"]


class ModelDecomposer:
    """A chat model that splits and compares. Safe to share between threads and event loops.

    Args:
        model: the chat model. It should not be the judge's.
        output: see `StructuredModel`.
        attempts: see `StructuredModel`.
    """

    def __init__(self, model: BaseChatModel, *, output: Output = "auto", attempts: int = 3) -> None:
        self._model = StructuredModel(model, output=output, attempts=attempts)
        self.id = identified("decomposer", self._model, ["decompose", "overlap"])

    def decompose(
        self, criterion: Criterion, satisfied: Sequence[Action], accepted: Sequence[Criterion], state: State
    ) -> Split:
        """Split a criterion, blocking.

        Raises:
            ReplyError: the model gave no usable reply.
        """
        return serve(self._splitting(criterion, satisfied, accepted, state))

    async def adecompose(
        self, criterion: Criterion, satisfied: Sequence[Action], accepted: Sequence[Criterion], state: State
    ) -> Split:
        """The same, without blocking the event loop."""
        return await aserve(self._splitting(criterion, satisfied, accepted, state))

    def compare(self, criterion: Criterion, others: Sequence[Criterion]) -> Compared:
        """Say whether a criterion repeats or contradicts others, blocking.

        Raises:
            ReplyError: the model gave no usable reply.
        """
        return serve(self._comparing(criterion, others))

    async def acompare(self, criterion: Criterion, others: Sequence[Criterion]) -> Compared:
        """The same, without blocking the event loop."""
        return await aserve(self._comparing(criterion, others))

    def _splitting(
        self, criterion: Criterion, satisfied: Sequence[Action], accepted: Sequence[Criterion], state: State
    ) -> Asking[Split]:
        compared = [
            Side(label, action)
            for label, action in zip(LABELS[:_SHOWN_SAMPLES], sorted(satisfied, key=action_key), strict=False)
        ]
        sections = (
            *trajectory(state),
            *_samples(compared, criterion),
            _listed(accepted),
            Section("k", "the criterion", criterion.text, "criterion"),
        )
        asked: Asked[PartsReply] = yield question(
            self._model, "decompose", sections, "Split the criterion now.", PartsReply
        )
        fit, remarks = list[Proposed](), list[Remark]()
        for part in asked.value.parts:
            bad = nuisance(part.text, compared=compared, state=state)
            if bad is None:
                fit.append(Proposed(part.text, kind=criterion.kind, stage=criterion.stage))
            else:
                remarks.append(Remark.about(part.text, "dropped", bad.reason, bad.problem))
        found = admitted(fit, source=self.id, state=state, most=CHILDREN)
        children = tuple(compiled(child, state) for child in found.criteria)
        return Split(children, asked.cost, (*remarks, *found.remarks))

    def _comparing(self, criterion: Criterion, others: Sequence[Criterion]) -> Asking[Compared]:
        sections = (_listed(others), Section("k", "the new criterion", criterion.text, "criterion"))
        asked: Asked[RelationReply] = yield question(
            self._model,
            "overlap",
            sections,
            "Say how the new criterion stands to the others now.",
            RelationReply,
        )
        return Compared(asked.value.relation, asked.cost)


def _samples(compared: Sequence[Side], criterion: Criterion) -> list[Section]:
    wanted = frozenset(words(criterion.text))
    return [
        Section(
            side.label,
            f"candidate {side.label}, which meets the criterion",
            excerpt(side.text, SIDE_CHARS, wanted),
            f"candidate-{side.label}",
        )
        for side in compared
    ]


def _listed(accepted: Sequence[Criterion]) -> Section:
    lines = "\n".join(f"- {criterion.text}" for criterion in accepted[-_SHOWN_ACCEPTED:])
    return Section("a", "criteria that are accepted already", lines or "none", "accepted")
