"""Retrieval in two searches without a decision of the model: the question, then what is still missing.

One-shot RAG cannot find what only the first passages name. This arm searches for the question and then for
its best gap (`coreact.research.gaps`), shows no more passages in all than one-shot RAG, and has the agent
answer with no calls left. What it has over one-shot RAG is the second query; what guidance has over it is
the agent.
"""

from __future__ import annotations

from typing import Any, ClassVar

from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.runnables import RunnableConfig
from langchain_core.tools import BaseTool

from coreact.errors import ConfigError
from coreact.host.messages import contract, turn_of
from coreact.judge.asking import Asking
from coreact.refine.baselines.record import Ledger
from coreact.refine.baselines.runnable import Baseline, Finished
from coreact.refine.baselines.runs import AgentBuilder, Agents, Run, completed, put
from coreact.refine.baselines.tooling import tool_result
from coreact.research.gaps import gaps
from coreact.rubric import Observation, State, Step, ToolCall


class GapRAG(Baseline):
    """Search for the question and for its gaps, and have the agent answer from what came back.

    Args:
        agent: how to build the agent; for the calls that are made already.
        search: the tool, one of the agent's; how many documents a search shows is fixed by it.
        searches: most searches, at least 1; fewer where nothing is open.

    Raises:
        ConfigError: nobody says which argument takes the query.
        ToolSchemaError: the tool has no readable schema.
    """

    method: ClassVar[str] = "gap_driven_rag"

    def __init__(self, agent: AgentBuilder, search: BaseTool, *, searches: int = 2) -> None:
        super().__init__(Agents(agent, tool_calls=searches))
        self._contract = contract(search)
        if self._contract.text_argument is None:
            raise ConfigError(
                f"Tool {search.name!r} has no single argument for free text.",
                remedy="Give a search tool with one, or leave the arm out.",
            )
        self._argument = self._contract.text_argument
        self._search = search
        self._searches = searches

    def _asking(
        self, messages: list[BaseMessage], config: RunnableConfig, ledger: Ledger
    ) -> Asking[Finished]:
        given: list[Any] = list(messages)
        state = State.start(turn_of(given).question, tools=(self._contract,), limit=self._searches)
        for number in range(1, self._searches + 1):
            missing = gaps(state)
            if not missing:
                break
            arguments = {self._argument: missing[0].query}
            call = {"name": self._search.name, "args": arguments, "id": f"gap-{number}", "type": "tool_call"}
            result = yield tool_result(self._search, call, config)
            ledger.tool_calls += 1
            given += [AIMessage("", tool_calls=[call]), result]
            state = state.after(
                Step(
                    call=ToolCall(name=self._search.name, arguments=arguments),
                    observation=Observation(text=str(result.text)),
                )
            )
        run: Run = yield self._agents.run(given, config, tool_calls=ledger.tool_calls)
        put(run, ledger)
        completed([run])
        return Finished(run.messages, ledger.record(0, "the only one"))
