"""Best-of-N over answers: run the agent N times, score each answer, return the best one.

The budget is divided among the runs, so that N runs cost what one would. Without a scorer the first answer
is returned: the control that spends the same and chooses nothing. Best-of-N over *actions* is no baseline of
ours but a setting of the middleware (`candidates`).
"""

from __future__ import annotations

from typing import ClassVar

from langchain_core.messages import BaseMessage
from langchain_core.runnables import RunnableConfig

from coreact.judge.asking import Asking
from coreact.refine.baselines.record import Ledger, best
from coreact.refine.baselines.runnable import Baseline, Finished
from coreact.refine.baselines.runs import Agent, Agents, Run, all_of, completed, put, state_of
from coreact.refine.baselines.scored import RubricScorer, Scored
from coreact.rubric import Action


class BestOfN(Baseline):
    """Run an agent N times and return the answer with the highest score.

    Of equal scores the earliest wins. An answer that nobody could score is returned only where none could
    be scored; then it is the first. All are held against one rubric.

    Args:
        agent: the agent, or how to build it for its share of the budget and its sample's seed.
        n: how many runs.
        scorer: who scores the answers; None: the first is returned.
        tool_calls: tool calls in all, divided among the runs; only where the agent is to be built.

    Raises:
        ConfigError: the budget does not go round, or the rubric is not for answers.
    """

    method: ClassVar[str] = "best_of_n"

    def __init__(
        self,
        agent: Agent,
        n: int = 4,
        *,
        scorer: RubricScorer | None = None,
        tool_calls: int | None = None,
    ) -> None:
        super().__init__(Agents(agent, tool_calls=tool_calls, runs=n))
        if scorer is not None:
            scorer.check_scope("answer")
        self._n = n
        self._scorer = scorer

    def _asking(
        self, messages: list[BaseMessage], config: RunnableConfig, ledger: Ledger
    ) -> Asking[Finished]:
        runs: list[Run] = yield all_of(
            [self._agents.run(messages, config, sample=sample) for sample in range(self._n)]
        )
        for run in runs:
            put(run, ledger)
        done = completed(runs)
        if self._scorer is None:
            return Finished(runs[done[0]].messages, ledger.record(done[0], "the first; there is no scorer"))
        rubric = yield from self._scorer.rubric(state_of(messages, ledger), "answer", ledger)
        scores: list[Scored | None] = [None] * len(runs)
        for at in done:
            state = state_of(runs[at].messages, ledger)
            action = Action(answer=runs[at].answer)
            scored = yield from self._scorer.score(rubric, action, state, ledger)
            scores[at] = scored
            ledger.tried[at] = ledger.tried[at].model_copy(
                update={"score": scored.score, "passed": scored.passed}
            )
        chosen, why = best(scores, done)
        return Finished(runs[chosen].messages, ledger.record(chosen, why))
