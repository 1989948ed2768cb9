"""Self-consistency: run the agent N times and return the answer that most runs gave (arXiv 2203.11171).

The paper samples reasoning paths of a model and votes over their final answers; here each path is a run of
an agent. Answers are compared in SQuAD's normal form, so only short ones can agree: give `key` where the
answer must be taken out of a text first.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import ClassVar

from langchain_core.messages import BaseMessage
from langchain_core.runnables import RunnableConfig

from coreact.judge.asking import Asking
from coreact.refine.baselines.record import Ledger
from coreact.refine.baselines.runnable import Baseline, Finished
from coreact.refine.baselines.runs import Agent, Agents, Run, all_of, completed, put
from coreact.worlds.scoring import normalise_answer


class SelfConsistency(Baseline):
    """Run an agent N times and return the most frequent answer; of equally frequent ones the earliest.

    Empty answers have no vote. There is no scorer: guidance reaches it through the agent only.

    Args:
        agent: the agent, or how to build it for its share of the budget and its sample's seed.
        n: how many runs.
        key: the form in which answers are compared.
        tool_calls: tool calls in all, divided among the runs; only where the agent is to be built.

    Raises:
        ConfigError: the budget does not go round.
    """

    method: ClassVar[str] = "self_consistency"

    def __init__(
        self,
        agent: Agent,
        n: int = 4,
        *,
        key: Callable[[str], str] = normalise_answer,
        tool_calls: int | None = None,
    ) -> None:
        super().__init__(Agents(agent, tool_calls=tool_calls, runs=n))
        self._n = n
        self._key = key

    def _asking(
        self, messages: list[BaseMessage], config: RunnableConfig, ledger: Ledger
    ) -> Asking[Finished]:
        runs: list[Run] = yield all_of(
            [self._agents.run(messages, config, sample=sample) for sample in range(self._n)]
        )
        for run in runs:
            put(run, ledger)
        done = completed(runs)
        keys = {at: self._key(runs[at].answer) for at in done}
        votes = Counter(key for key in keys.values() if key)
        for at, key in keys.items():
            ledger.tried[at] = ledger.tried[at].model_copy(update={"votes": votes[key]})
        # max() takes the first of equals, and `done` is in order.
        chosen = max(done, key=lambda at: votes[keys[at]])
        why = f"{votes[keys[chosen]]} of {len(runs)} votes" if votes else "the first; no answer has words"
        return Finished(runs[chosen].messages, ledger.record(chosen, why))
