"""Self-Refine: the model criticises its own answer and revises it, again and again (arXiv 2303.17651)."""

from __future__ import annotations

from typing import ClassVar

from langchain_core.language_models import BaseChatModel
from langchain_core.runnables import RunnableConfig

from coreact.judge.asking import Asking
from coreact.judge.structured import Asked
from coreact.refine.baselines.record import Ledger
from coreact.refine.baselines.revising import Revising
from coreact.refine.baselines.runs import Agent, Agents
from coreact.refine.baselines.scored import RubricScorer
from coreact.refine.baselines.wording import Critique, critique
from coreact.rubric import State


class SelfRefine(Revising):
    """Answer with the agent, then criticise and revise the answer with a model, without tools.

    It ends where the critique accepts, where a revision changes nothing, or after `rounds` revisions. The
    last answer is returned; with a scorer the best one, which the paper also does where it has a score.

    Args:
        agent: the agent, or how to build it for the budget.
        model: who criticises and revises; in the paper the agent's own model.
        rounds: revisions at most (the paper's number is 4).
        scorer: who scores the answers; None: the last is returned.
        tool_calls: tool calls of the agent; only where it is to be built.

    Raises:
        ConfigError: a number is out of range, or the rubric is not for answers.
    """

    method: ClassVar[str] = "self_refine"

    def __init__(
        self,
        agent: Agent,
        model: BaseChatModel,
        *,
        rounds: int = 4,
        scorer: RubricScorer | None = None,
        tool_calls: int | None = None,
    ) -> None:
        super().__init__(Agents(agent, tool_calls=tool_calls), model, rounds=rounds, scorer=scorer)

    def _criticise(
        self, at: int, answer: str, state: State, config: RunnableConfig, ledger: Ledger
    ) -> Asking[Critique]:
        asked: Asked[Critique] = yield critique(self._model, answer, state)
        ledger.cost += asked.cost
        return asked.value
