"""Who proposes candidate actions: chat models at several temperatures, and plain functions.

A sampler is shown a decision exactly as the agent was (its messages, its tools) and proposes. What it
proposes is looked at elsewhere (`screening`), so nothing is dropped in silence; a call that failed is a
proposal too, with the reason in the place of an action. Co-ReAct samples three models at four temperatures
(arXiv 2605.23590); here any number of either.

Draws repeat: a model that takes a seed is given one made of the decision and the temperature, not of the
order in which requests happened to come.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any, NamedTuple, Protocol

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, AnyMessage
from langchain_core.runnables import Runnable
from langgraph.errors import GraphBubbleUp

from coreact.errors import ConfigError, ModelCallError
from coreact.host.messages import actions_of
from coreact.judge.failure import Throttle, aretrying, classify
from coreact.judge.panel.members import atogether
from coreact.rubric import Action, State

PATIENCE = 20
"""Failed calls of one model in a row after which it is taken for dead."""


class Decision(NamedTuple):
    """A decision to propose actions for."""

    id: str
    """Of its branching point; every draw is made of it."""
    question_id: str
    state: State
    messages: Sequence[AnyMessage]
    """The conversation so far, as the agent's model would get it, a system prompt first if it has one."""
    shown: tuple[str, ...] | None = ()
    """Ids of the passages shown so far; None where that is unknown, so that nothing can be measured."""


class Proposal(NamedTuple):
    """What a sampler would do next, or why it proposes nothing."""

    source: str
    """Who proposes: a model and its temperature, a policy."""
    actions: tuple[Action, ...] = ()
    """The actions it takes at once; usable is one alone."""
    text: str = ""
    """What it said beside its calls."""
    failed: str = ""
    """Type and text of what failed, where the call did."""


class Sampler(Protocol):
    """Proposes actions. May raise only what must end the collection (a dead model)."""

    @property
    def id(self) -> str:
        """Name, and whatever decides what it proposes."""

    async def propose(self, decision: Decision) -> Sequence[Proposal]:
        """Proposals for one decision, in any order."""


class Policy:
    """A plain function as a sampler: a scripted policy, a table, a perturbation.

    Args:
        name: of all that it proposes where the function names no source.
        function: gives actions, or pairs of a source and an action, for a decision. It must not block.
    """

    def __init__(
        self, name: str, function: Callable[[Decision], Iterable[Action | tuple[str, Action]]]
    ) -> None:
        self.id = name
        self._function = function

    async def propose(self, decision: Decision) -> Sequence[Proposal]:
        """What the function proposes."""
        found = []
        for one in self._function(decision):
            source, action = one if isinstance(one, tuple) else (self.id, one)
            found.append(Proposal(source, (action,)))
        return found


class ModelSampler:
    """A chat model with tool calling, asked once at each temperature, all at the same time.

    Calls that a further attempt may mend are tried again (`judge.failure`); what then still fails degrades
    one proposal. A model whose calls fail `PATIENCE` times in a row is dead, and ends the collection.

    Args:
        model: the chat model. One with `with_seed` or a field `seed` is seeded for each call.
        name: as it stands in sources.
        temperatures: each in [0, 2]; none: the model's own, once.
        throttle: what all samplers and judges share; default: eight calls at once.
        attempts: tries of each call, at least 1.
        timeout: seconds that one try may take; None waits for ever.
        patience: failed calls in a row after which the model is taken for dead, at least 1.
        seed: of the draws.

    Raises:
        ConfigError: a temperature is out of range, or one is given twice.
    """

    def __init__(
        self,
        model: BaseChatModel,
        name: str,
        *,
        temperatures: Sequence[float] = (),
        throttle: Throttle | None = None,
        attempts: int = 3,
        timeout: float | None = 120.0,
        patience: int = PATIENCE,
        seed: int = 0,
    ) -> None:
        if not all(0 <= one <= 2 for one in temperatures) or len(set(temperatures)) < len(temperatures):
            raise ConfigError(
                f"The temperatures {list(temperatures)} cannot be sampled at.",
                remedy="Give different numbers in [0, 2].",
            )
        self._model = model
        self._name = name
        self._temperatures: tuple[float | None, ...] = tuple(temperatures) or (None,)
        self._throttle = throttle or Throttle()
        self._attempts = attempts
        self._timeout = timeout
        self._patience = patience
        self._seed = seed
        self._failures = 0

    @property
    def id(self) -> str:
        """The model's name and temperatures."""
        return " ".join((self._name, *(f"{one:g}" for one in self._temperatures if one is not None)))

    async def propose(self, decision: Decision) -> Sequence[Proposal]:
        """One proposal for each temperature.

        Raises:
            ModelCallError: the model is dead.
        """
        return await atogether([partial(self._one, decision, at) for at in self._temperatures])

    async def _one(self, decision: Decision, temperature: float | None) -> Proposal:
        source = self._name if temperature is None else f"{self._name}@{temperature:g}"
        messages = list(decision.messages)
        try:
            bound = self._bound(decision, temperature, source)
            async for attempt in aretrying(self._attempts):
                with attempt:
                    async with self._throttle.aslot(), asyncio.timeout(self._timeout):
                        reply = await bound.ainvoke(messages)
        except GraphBubbleUp:
            raise
        except Exception as error:  # noqa: BLE001 - the boundary: one failed call costs one proposal
            return self._failed(error, source)
        self._failures = 0
        return Proposal(source, actions_of(reply), str(reply.text))

    def _bound(self, decision: Decision, temperature: float | None, source: str) -> Runnable[Any, AIMessage]:
        drawn = hashlib.sha256(f"{self._seed}|{decision.id}|{source}".encode()).digest()
        seed = int.from_bytes(drawn[:4]) >> 1  # servers take 31 bits
        model: Any = self._model
        settings: dict[str, Any] = {} if temperature is None else {"temperature": temperature}
        if hasattr(model, "with_seed"):
            model = model.with_seed(seed)
        elif "seed" in type(model).model_fields:
            settings["seed"] = seed
        tools = [
            {
                "type": "function",
                "function": {
                    "name": tool.name,
                    "description": tool.description,
                    "parameters": tool.parameters,
                },
            }
            for tool in decision.state.tools
        ]
        if not tools:
            return model.bind(**settings)  # type: ignore[no-any-return]
        return model.bind_tools(tools, **settings)  # type: ignore[no-any-return]

    def _failed(self, error: Exception, source: str) -> Proposal:
        self._failures += 1
        reason = " ".join(f"{type(error).__name__}: {error}".split())[:300]
        if self._failures >= self._patience:
            raise ModelCallError(
                f"The model {self._name!r} failed {self._failures} times in a row, last with {reason}",
                remedy="What was collected is stored; mend the model, and the same command goes on.",
            ) from error
        return Proposal(source, failed=f"{classify(error)}: {reason}")
