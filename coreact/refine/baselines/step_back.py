"""Step-Back: ask a more general question first, and answer the real one with what it gave (arXiv 2310.06117).

The paper retrieves for both questions and reasons over what came back; here both are runs of an agent with
tools. What the first found comes before the question as fenced data.
"""

from __future__ import annotations

from typing import Any, ClassVar

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import BaseMessage, HumanMessage
from langchain_core.runnables import RunnableConfig

from coreact.control_tokens import without_control_tokens
from coreact.host.messages import turn_of
from coreact.judge.asking import Asking
from coreact.judge.structured import Asked, StructuredModel
from coreact.refine.baselines.record import Ledger
from coreact.refine.baselines.runnable import Baseline, Finished
from coreact.refine.baselines.runs import Agent, Agents, Run, completed, put
from coreact.refine.baselines.wording import step_back, with_background


class StepBack(Baseline):
    """Answer a more general question with one run of the agent, and the real one with a second.

    Sample 0 answers the real question, sample 1 the general one. Where that question cannot be had, the
    real one is answered with the whole budget; where its run fails, with the half that is certainly left.

    Args:
        agent: the agent, or how to build it for its share of the budget.
        model: who asks the more general question.
        tool_calls: tool calls in all, halved; only where the agent is to be built.

    Raises:
        ConfigError: the budget is less than 2.
    """

    method: ClassVar[str] = "step_back"

    def __init__(self, agent: Agent, model: BaseChatModel, *, tool_calls: int | None = None) -> None:
        super().__init__(Agents(agent, tool_calls=tool_calls, runs=2))
        self._model = StructuredModel(model)

    def _asking(
        self, messages: list[BaseMessage], config: RunnableConfig, ledger: Ledger
    ) -> Asking[Finished]:
        given: list[BaseMessage] = messages
        limit = self._agents.limit
        question = yield from self._general(messages, ledger)
        if question:
            asked = HumanMessage(without_control_tokens(question))
            general: Run = yield self._agents.run([asked], config, sample=1)
            put(general, ledger)
            ledger.tried[-1] = ledger.tried[-1].model_copy(update={"note": question})
            limit = self._agents.shares[0]  # also where the run failed: nobody knows what it spent
            if general.error is None:
                given = with_background(messages, question, general.answer)
        run: Run = yield self._agents.run(given, config, tool_calls=limit)
        put(run, ledger)
        completed([run])
        why = "the answer to the question itself"
        return Finished(run.messages, ledger.record(len(ledger.tried) - 1, why))

    def _general(self, messages: list[BaseMessage], ledger: Ledger) -> Asking[str]:
        given: list[Any] = list(messages)
        try:
            asked: Asked[str] = yield step_back(self._model, turn_of(given).question)
        except Exception as error:  # noqa: BLE001 - a model may raise anything; then there is no step back
            ledger.failed("step back", error)
            return ""
        ledger.cost += asked.cost
        return asked.value
