"""CRITIC: an answer is checked with tools before it is revised (arXiv 2305.11738)."""

from __future__ import annotations

from typing import ClassVar

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import HumanMessage
from langchain_core.runnables import RunnableConfig

from coreact.judge.asking import Asking
from coreact.refine.baselines.record import Ledger
from coreact.refine.baselines.revising import Revising
from coreact.refine.baselines.runs import Agent, Agents, Run, state_of
from coreact.refine.baselines.scored import RubricScorer
from coreact.refine.baselines.wording import Critique, check, critique_of
from coreact.rubric import State


class Critic(Revising):
    """Answer with the agent, have a second run of it check the answer with the tools, revise with a model.

    Sample 0 answers, sample 1 and later ones check. What a check observed counts as observed in the next
    revision and check. It ends as `SelfRefine` does.

    Args:
        agent: the agent, or how to build it for its share of the budget.
        model: who revises.
        rounds: checks and revisions at most.
        scorer: who scores the answers; None: the last is returned.
        tool_calls: tool calls in all, divided among the answer and the checks.

    Raises:
        ConfigError: a number is out of range, or the rubric is not for answers.
    """

    method: ClassVar[str] = "critic"

    def __init__(
        self,
        agent: Agent,
        model: BaseChatModel,
        *,
        rounds: int = 1,
        scorer: RubricScorer | None = None,
        tool_calls: int | None = None,
    ) -> None:
        agents = Agents(agent, tool_calls=tool_calls, runs=1 + max(rounds, 0))
        super().__init__(agents, model, rounds=rounds, scorer=scorer)

    def _criticise(
        self, at: int, answer: str, state: State, config: RunnableConfig, ledger: Ledger
    ) -> Asking[Critique]:
        asked = [HumanMessage(check(state.question, answer))]
        run: Run = yield self._agents.run(asked, config, sample=at + 1)
        ledger.tool_calls += run.tool_calls or 0
        if run.error is not None:
            raise run.error
        return critique_of(run.answer)._replace(steps=state_of(run.messages, ledger).steps)
