"""Budgeted tree search over the actions of an agent, guided by a verifier's value of each proposed step.

Monte Carlo tree search with the verifier in place of random play (as SCPRM uses it): go down by UCT to the
most promising proposal, run its tool calls, have the agent propose how to go on, score the proposals before
any of them runs, hand their values up. Only what is followed spends tool calls. The arithmetic is in `tree`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.runnables import RunnableConfig
from langchain_core.tools import BaseTool

from coreact.errors import ConfigError, ModelCallError
from coreact.host.messages import Contracts, actions_of, last_question
from coreact.judge.asking import Asking, Request
from coreact.refine.baselines.record import Ledger, Tried
from coreact.refine.baselines.runnable import Baseline, Finished
from coreact.refine.baselines.runs import (
    AgentBuilder,
    Agents,
    Run,
    all_of,
    calls_in,
    completed,
    put,
    state_of,
)
from coreact.refine.baselines.scored import RubricScorer
from coreact.refine.baselines.tooling import tool_result
from coreact.refine.baselines.tree import Node, back_up, best_answer, select
from coreact.rubric import Action, Rubric, ToolContract


class TreeSearch(Baseline):
    """Search over an agent's actions with UCT and a step verifier.

    The answer whose path is worth most is returned: the product of the scores of its steps, the answer's own
    included. Proposals of one step that are the same action are one. Where the search ends without an answer,
    the agent is made to give one at the end of the path worth most. Without a scorer there is nothing to
    search by: the agent runs once, as it is.

    Args:
        agent: how to build the agent, a graph of `create_agent` or one with the same node names, without a
            checkpointer: from the tool calls since the user's last message, those in the history included,
            after which it must answer, and the number of the proposal (another seed or temperature).
        tools: the agent's tools, which the search calls itself.
        scorer: who scores the steps; None: the agent runs once.
        tool_calls: tool calls in all.
        width: proposals of one step.
        simulations: times that a leaf is chosen, at most.
        exploration: UCT's c, 0 or more. Ours: values of judged steps lie close together, and budgets are
            small.

    Raises:
        ConfigError: a number is out of range, or the rubric is not for steps.
        ToolSchemaError: a tool has no readable schema.
    """

    method: ClassVar[str] = "tree_search"

    def __init__(
        self,
        agent: AgentBuilder,
        tools: Sequence[BaseTool],
        *,
        scorer: RubricScorer | None,
        tool_calls: int,
        width: int = 2,
        simulations: int = 16,
        exploration: float = 0.5,
    ) -> None:
        super().__init__(Agents(agent, tool_calls=tool_calls))
        if width < 1 or simulations < 1 or exploration < 0:
            raise ConfigError(
                f"width={width}, simulations={simulations} and exploration={exploration} are no search.",
                remedy="Give at least 1, 1 and 0.",
            )
        if scorer is not None:
            scorer.check_scope("step")
        self._tools = {tool.name: tool for tool in tools}
        self._contracts = Contracts().read(tools)
        self._scorer = scorer
        self._tool_calls = tool_calls
        self._width = width
        self._simulations = simulations
        self._exploration = exploration

    def _asking(
        self, messages: list[BaseMessage], config: RunnableConfig, ledger: Ledger
    ) -> Asking[Finished]:
        if self._scorer is None:
            run: Run = yield self._agents.run(messages, config)
            put(run, ledger)
            completed([run])
            return Finished(run.messages, ledger.record(0, "the only one; there is no scorer"))
        search = _Search(
            agents=self._agents,
            scorer=self._scorer,
            tools=self._tools,
            contracts=self._contracts,
            width=self._width,
            limit=self._tool_calls,
            config=_detached(config),
            ledger=ledger,
        )
        root = Node(content=_Path(tuple(messages)))
        yield from search.expand(root)
        for _ in range(self._simulations - 1):
            leaf = search.affordable(root, self._exploration)
            if leaf is None:
                break
            if leaf.is_answer:
                back_up(leaf)
            else:
                yield from search.expand(leaf)
        answer, why = best_answer(root), "the path worth most"
        if answer is None:
            answer, why = (yield from search.forced(root)), "made to answer at the end of the path worth most"
        path: _Path = answer.content
        return Finished(path.messages, ledger.record(path.tried, why))


class _Path(NamedTuple):
    """The conversation up to a step, its results included once it ran."""

    messages: tuple[BaseMessage, ...]
    ran: bool = False
    tried: int | None = None
    """Index on the record, for answers."""


@dataclass(kw_only=True)
class _Search:
    """The working memory of one search."""

    agents: Agents
    scorer: RubricScorer
    tools: Mapping[str, BaseTool]
    contracts: tuple[ToolContract, ...]
    width: int
    limit: int
    config: RunnableConfig
    ledger: Ledger
    proposals: int = 0

    @property
    def left(self) -> int:
        return self.limit - self.ledger.tool_calls

    def affordable(self, root: Node, exploration: float) -> Node | None:
        """The leaf to go on with, those closed whose calls cannot be paid for any more."""
        while (leaf := select(root, exploration)) is not None:
            if calls_in(leaf.content.messages[-1:]) <= self.left:
                return leaf
            leaf.is_dead = True  # what is left only shrinks
        return None

    def expand(self, node: Node) -> Asking[None]:
        """Run a step, have the agent propose how to go on, and score what it proposes."""
        messages = yield from self._ran(node)
        allowed = _made(messages) + self.left
        runs: list[Run] = yield all_of([self._propose(messages, allowed, at) for at in range(self.width)])
        if node.parent is None:
            completed(runs)
        state = state_of(messages, self.ledger, tools=self.contracts, limit=allowed)
        rubric: Rubric | None = None
        known: set[tuple[str, ...]] = set()
        for run in runs:
            if run.error is not None:
                self.ledger.failed(f"proposal {run.sample} at step {node.order}", run.error)
                continue
            actions = actions_of(_said(run))
            key = tuple(one.call.key if one.call is not None else str(one.answer) for one in actions)
            if key in known:
                continue
            if not known:
                rubric = yield from self.scorer.rubric(state, "step", self.ledger)
            known.add(key)
            scores: list[float | None] = []
            for action in actions:
                scored = yield from self.scorer.score(rubric, action, state, self.ledger)
                scores.append(scored.score)
            self._add(node, run, actions, scores)
        node.is_dead = not node.children

    def forced(self, root: Node) -> Asking[Node]:
        """An answer at the end of the most valued path that ran.

        Raises:
            ModelCallError: the agent calls tools although its limit forbids them.
        """
        ends = [
            node
            for node in root.walk()
            if node.content.ran and not any(child.content.ran for child in node.children)
        ]
        node = max(ends, key=lambda one: (one.value is not None, one.reward, -one.order))
        messages = node.content.messages
        run: Run = yield self._propose(messages, _made(messages), 0)
        if run.error is not None:
            raise run.error
        if calls_in(run.messages[-1:]):
            raise ModelCallError(
                "The search ended without an answer: the agent calls tools after its limit.",
                remedy="Build it so that it must answer after as many calls as it is built for, those in the"
                " history included.",
            )
        return self._add(node, run, actions_of(_said(run)), [None])

    def _propose(self, messages: Sequence[BaseMessage], allowed: int, sample: int) -> Request:
        return self.agents.run(
            messages, self.config, sample=sample, tool_calls=allowed, interrupt_before=["tools"]
        )

    def _ran(self, node: Node) -> Asking[tuple[BaseMessage, ...]]:
        messages: tuple[BaseMessage, ...] = node.content.messages
        last = messages[-1]
        if node.parent is not None and isinstance(last, AIMessage):
            self.ledger.tool_calls += len(last.tool_calls)
            requests = [tool_result(self.tools.get(one["name"]), one, self.config) for one in last.tool_calls]
            results: list[BaseMessage] = yield all_of(requests)
            messages = (*messages, *results)
        node.content = _Path(messages, ran=True)
        return messages

    def _add(self, node: Node, run: Run, actions: Sequence[Action], scores: Sequence[float | None]) -> Node:
        self.proposals += 1
        is_answer = all(action.stops for action in actions)
        path = _Path(run.messages, tried=len(self.ledger.tried) if is_answer else None)
        child = node.add(scores, order=self.proposals, content=path, is_answer=is_answer)
        child.is_dead = any(action.call is not None and action.call.malformed for action in actions)
        if is_answer:
            self.ledger.tried.append(
                Tried(
                    sample=self.proposals,
                    answer=run.answer,
                    score=child.value,
                    tool_calls=_made(run.messages),
                )
            )
        return child


def _said(run: Run) -> AIMessage:
    last = run.messages[-1]
    assert isinstance(last, AIMessage)  # noqa: S101 - `Agents.run` gives nothing else
    return last


def _made(messages: Sequence[BaseMessage]) -> int:
    """Tool calls since the user's last message."""
    given: list[Any] = list(messages)
    return calls_in(given[max(last_question(given), 0) :])


def _detached(config: RunnableConfig) -> RunnableConfig:
    """The config without the graph around it: its agents are stopped before their tools, which a graph
    around them would take for an interrupt of its own.
    """
    kept = {
        key: value
        for key, value in (config.get("configurable") or {}).items()
        if not key.startswith(("__pregel", "checkpoint"))
    }
    return {**config, "configurable": kept}
