"""Several proposals for each step, one of them taken by chance: what more calls buy without any judgement.

The control for arms that ask the model more often than the plain agent does. It spends what `best of 3`
spends and chooses without looking.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from random import Random
from typing import Any

from langchain.agents.middleware import AgentMiddleware, ModelRequest, ModelResponse

from coreact.host.messages import turn_of


class RandomChoice(AgentMiddleware[Any, Any, Any]):
    """Asks the model several times and takes one reply by chance.

    Args:
        candidates: how often it asks, at least 1.
        seed: of the draws; the question and the step's number go in too, so that no candidate is favoured.
    """

    def __init__(self, candidates: int, *, seed: int) -> None:
        super().__init__()
        self._candidates = candidates
        self._seed = seed

    def wrap_model_call(
        self, request: ModelRequest[Any], handler: Callable[[ModelRequest[Any]], ModelResponse[Any]]
    ) -> ModelResponse[Any]:
        """Ask, and take one."""
        return self._one([handler(request) for _ in range(self._candidates)], request)

    async def awrap_model_call(
        self,
        request: ModelRequest[Any],
        handler: Callable[[ModelRequest[Any]], Awaitable[ModelResponse[Any]]],
    ) -> ModelResponse[Any]:
        """The same, all at once."""
        replies = await asyncio.gather(*(handler(request) for _ in range(self._candidates)))
        return self._one(list(replies), request)

    def _one(self, replies: list[ModelResponse[Any]], request: ModelRequest[Any]) -> ModelResponse[Any]:
        given: list[Any] = list(request.messages)
        question = turn_of(given).question
        return Random(f"{self._seed}|{len(given)}|{question}").choice(replies)
