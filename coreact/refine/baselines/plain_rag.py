"""Plain RAG: one search on the bare question, then the answer. The control without any decision to search.

The search is a tool call in the history like any other, so whoever measures evidence sees it. The agent then
goes on from there with no calls left, so the number of searches is always one.
"""

from __future__ import annotations

from typing import Any, ClassVar

from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.runnables import Runnable, RunnableConfig
from langchain_core.tools import BaseTool

from coreact.errors import ConfigError
from coreact.host.messages import contract, turn_of
from coreact.judge.asking import Asking
from coreact.refine.baselines.record import Ledger
from coreact.refine.baselines.runnable import Baseline, Finished
from coreact.refine.baselines.runs import Agent, Agents, Run, completed, put
from coreact.refine.baselines.tooling import tool_result


class PlainRAG(Baseline):
    """Search once for the question as it stands, and have the agent answer from what came back.

    How many documents the search shows is fixed by the tool.

    Args:
        agent: the agent, or how to build it; it is built for one tool call, which is made already. An agent
            that is built already must not allow more than that one, or it is no plain RAG.
        search: the tool, one of the agent's.
        argument: the tool's argument for the query; None: its only free-text argument.

    Raises:
        ConfigError: nobody says which argument takes the query.
        ToolSchemaError: the tool has no readable schema.
    """

    method: ClassVar[str] = "plain_rag"

    def __init__(self, agent: Agent, search: BaseTool, *, argument: str | None = None) -> None:
        super().__init__(Agents(agent, tool_calls=None if isinstance(agent, Runnable) else 1))
        found = argument or contract(search).text_argument
        if found is None:
            raise ConfigError(
                f"Tool {search.name!r} has no single argument for free text.",
                remedy="Name the one that takes the query: argument=…",
            )
        self._search = search
        self._argument = found

    def _asking(
        self, messages: list[BaseMessage], config: RunnableConfig, ledger: Ledger
    ) -> Asking[Finished]:
        given: list[Any] = list(messages)
        call = {
            "name": self._search.name,
            "args": {self._argument: turn_of(given).question},
            "id": f"plain-rag-{len(messages)}",  # another one in each turn of a conversation
            "type": "tool_call",
        }
        result = yield tool_result(self._search, call, config)
        ledger.tool_calls += 1
        run: Run = yield self._agents.run([*messages, AIMessage("", tool_calls=[call]), result], config)
        put(run, ledger)
        completed([run])
        return Finished(run.messages, ledger.record(0, "the only one"))
