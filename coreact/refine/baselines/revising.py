"""The loop that Self-Refine and CRITIC share: draft, criticise, revise, until nothing is found wrong.

They differ in who criticises: the model from what it has read, or an agent that looks things up. A critique
or a revision that cannot be had ends the loop with what there is.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.runnables import RunnableConfig

from coreact.errors import ConfigError
from coreact.judge.asking import Asking
from coreact.judge.structured import Asked, StructuredModel
from coreact.refine.baselines.record import Ledger, Tried, best
from coreact.refine.baselines.runnable import Baseline, Finished
from coreact.refine.baselines.runs import Agents, Run, completed, put, state_of
from coreact.refine.baselines.scored import UNSCORED, RubricScorer, Scored
from coreact.refine.baselines.wording import Critique, revision
from coreact.rubric import Action, Rubric, State


class Revising(Baseline):
    """Draft, then at most `rounds` times criticise and revise.

    Without a scorer the last answer is returned, which is the papers' rule; with one the best so far.
    """

    def __init__(
        self, agents: Agents, model: BaseChatModel, *, rounds: int, scorer: RubricScorer | None
    ) -> None:
        super().__init__(agents)
        if rounds < 0:
            raise ConfigError(f"rounds={rounds} is less than none.", remedy="Give 0 or more.")
        if scorer is not None:
            scorer.check_scope("answer")
        self._model = StructuredModel(model)
        self._rounds = rounds
        self._scorer = scorer

    @abstractmethod
    def _criticise(
        self, at: int, answer: str, state: State, config: RunnableConfig, ledger: Ledger
    ) -> Asking[Critique]:
        """Criticise an answer; raise where that cannot be done."""

    def _asking(
        self, messages: list[BaseMessage], config: RunnableConfig, ledger: Ledger
    ) -> Asking[Finished]:
        draft: Run = yield self._agents.run(messages, config)
        put(draft, ledger)
        completed([draft])
        state = state_of(draft.messages, ledger)
        rubric: Rubric | None = None
        if self._scorer is not None:
            rubric = yield from self._scorer.rubric(state_of(messages, ledger), "answer", ledger)
        scores = [(yield from self._scored(0, rubric, state, ledger))]
        why = "the last; the rounds are used up"
        for at in range(self._rounds):
            answer = ledger.tried[-1].answer
            try:
                said = yield from self._criticise(at, answer, state, config, ledger)
            except Exception as error:  # noqa: BLE001 - a critic may raise anything; what there is stands
                ledger.failed(f"critique {at}", error)
                why = "the last; it could not be criticised"
                break
            state = state.after(*said.steps, decisions=0)
            ledger.tried[-1] = ledger.tried[-1].model_copy(update={"note": said.text})
            if said.accepted:
                why = "the last; the critique accepts it"
                break
            try:
                revised: Asked[str] = yield revision(self._model, answer, state, said.text)
            except Exception as error:  # noqa: BLE001 - a model may raise anything; what there is stands
                ledger.failed(f"revision {at}", error)
                why = "the last; it could not be revised"
                break
            ledger.cost += revised.cost
            ledger.tried.append(Tried(sample=at + 1, answer=revised.value))
            scores.append((yield from self._scored(at + 1, rubric, state, ledger)))
            if revised.value == answer:
                why = "the last; the revision changed nothing"
                break
        chosen = len(ledger.tried) - 1
        if self._scorer is not None:
            chosen, why = best(scores, range(len(scores)))
        return Finished(_ending(draft, ledger.tried[chosen].answer), ledger.record(chosen, why))

    def _scored(self, at: int, rubric: Rubric | None, state: State, ledger: Ledger) -> Asking[Scored]:
        if self._scorer is None:
            return UNSCORED
        action = Action(answer=ledger.tried[at].answer)
        scored = yield from self._scorer.score(rubric, action, state, ledger)
        ledger.tried[at] = ledger.tried[at].model_copy(
            update={"score": scored.score, "passed": scored.passed}
        )
        return scored


def _ending(draft: Run, answer: str) -> Sequence[BaseMessage]:
    """The draft's messages with this answer in place of the last one; unchanged where it is the same."""
    if draft.answer == answer:
        return draft.messages
    return [*draft.messages[:-1], AIMessage(answer)]
