"""Criteria for choosing between the candidates at hand, written before any of them is scored.

After OpenRS (arXiv 2602.14069): first what is wanted, from the question alone, by a model that cannot see a
candidate; then, seeing the candidates without any label, the criteria on which they differ. The rubric is
fixed by then (it has a lock), and scoring is another's business: `coreact.judge.ordering` judges each
candidate by itself.

What differs from the paper: three to eight criteria instead of five to fifteen; no fatal class, since a model
may not set a veto; and a criterion that says which candidate it prefers is dropped.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from langchain_core.language_models import BaseChatModel

from coreact.generate.admission import Proposed
from coreact.generate.contrastive.contrast import shown, sides
from coreact.generate.contrastive.writer import Draft, Reading, Reply, identified, question
from coreact.generate.generator import Written
from coreact.generate.prompt import trajectory
from coreact.judge.asking import Asking, aserve, serve
from coreact.judge.structured import Asked, Output, ReplyError, StructuredModel
from coreact.judge.transcript import Section, told
from coreact.rubric import Action, State

LEAST, MOST = 3, 8
"""Criteria that are asked for. Fewer may be left when some are dropped."""

WEIGHTS: dict[str, float] = {"core": 5.0, "important": 2.0, "highlight": 1.0}
"""OpenRS's weights of the classes."""


class IntentReply(Reply):
    """What the question is after."""

    intent: str
    needs: list[str]
    """What anything that serves it must have."""


class AdaptiveCriterion(Reply):
    """One criterion on which the candidates differ."""

    difference: str
    """How they differ on it."""
    text: str
    importance: Literal["core", "important", "highlight"]


class AdaptiveReply(Reply):
    """All criteria, most important first."""

    criteria: list[AdaptiveCriterion]


class AdaptiveGenerator:
    """Writes criteria for one choice between candidates. Safe to share between threads and event loops.

    Args:
        model: the chat model that writes. It should not be the judge's.
        output: see `StructuredModel`.
        attempts: see `StructuredModel`.
    """

    def __init__(self, model: BaseChatModel, *, output: Output = "auto", attempts: int = 3) -> None:
        self._model = StructuredModel(model, output=output, attempts=attempts)
        self.id = identified("adaptive", self._model, ["adaptive_intent", "adaptive"])

    @property
    def model_name(self) -> str:
        """The model's name, as its provider knows it."""
        return self._model.name

    def write(self, state: State, candidates: Sequence[Action]) -> Written:
        """Write the criteria in two calls, blocking. The order of the candidates makes no difference.

        Args:
            state: the state they are proposed in.
            candidates: 2 to `MAX_SIDES` different actions.

        Raises:
            NoRubricError: the model failed, or wrote nothing that may be used; it has cost and remarks.
            ValueError: there are too few candidates, too many, or two of them are the same.
        """
        return serve(self._writing(state, candidates))

    async def awrite(self, state: State, candidates: Sequence[Action]) -> Written:
        """The same, without blocking the event loop."""
        return await aserve(self._writing(state, candidates))

    def _writing(self, state: State, candidates: Sequence[Action]) -> Asking[Written]:
        compared = sides(candidates)
        reading = Reading(self.id, state, compared, most=MOST)
        try:
            wanted: Asked[IntentReply] = yield question(
                self._model,
                "adaptive_intent",
                _asked_for(state),
                "Say what the question is after now.",
                IntentReply,
            )
            reading.spent += wanted.cost
            needs = "\n".join((wanted.value.intent, *(f"- {need}" for need in wanted.value.needs)))
            intent = Section("i", "what the question is after", needs, "intent")
            written: Asked[AdaptiveReply] = yield question(
                self._model,
                "adaptive",
                (*trajectory(state), intent, *shown(compared)),
                "Write the criteria now.",
                AdaptiveReply,
                lambda reply: _few(reply) or reading.let_in(_drafts(reply)),
            )
        except ReplyError as error:
            raise reading.broken(error) from error
        reading.spent += written.cost
        return reading.written()


def _asked_for(state: State) -> tuple[Section, ...]:
    """The question and given text: neither what was done so far nor a candidate."""
    return told(state.model_copy(update={"steps": ()}))


def _few(reply: AdaptiveReply) -> str | None:
    few = len(reply.criteria) < LEAST
    return f"it holds {len(reply.criteria)} criteria; {LEAST} to {MOST} are wanted" if few else None


def _drafts(reply: AdaptiveReply) -> list[Draft]:
    return [
        Draft(Proposed(one.text, weight=WEIGHTS[one.importance], kind="process")) for one in reply.criteria
    ]
