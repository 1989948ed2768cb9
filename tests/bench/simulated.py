"""A chat model that takes its time: what a model server does to an agent, without its arithmetic.

Each call waits `pause` seconds, side by side up to `slots` calls at once (a server's batch); the reply comes
from a function of the messages. It waits without blocking the event loop: a thousand callers need no threads.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.outputs import ChatGeneration, ChatResult
from pydantic import PrivateAttr


class SimulatedModel(BaseChatModel):
    """A model behind a server of `slots` places and `pause` seconds a call.

    Attributes:
        reply: gives the reply to a list of messages.
        pause: seconds that a call takes once it has a place.
        slots: calls at once; 0: as many as there are.
    """

    reply: Callable[[list[BaseMessage]], AIMessage]
    pause: float = 0.3
    slots: int = 0
    _calls: int = PrivateAttr(default=0)
    _places: Any = PrivateAttr(default=None)

    @property
    def _llm_type(self) -> str:
        return "simulated"

    @property
    def calls(self) -> int:
        """Calls so far."""
        return self._calls

    def bind_tools(self, tools: Any, **kwargs: Any) -> Any:
        """Bind nothing: what it says is scripted."""
        return self.bind()

    def _generate(self, messages: list[BaseMessage], *_: Any, **__: Any) -> ChatResult:
        time.sleep(self.pause)
        return self._said(messages)

    async def _agenerate(self, messages: list[BaseMessage], *_: Any, **__: Any) -> ChatResult:
        if not self.slots:
            await asyncio.sleep(self.pause)
            return self._said(messages)
        if self._places is None:
            self._places = asyncio.Semaphore(self.slots)
        async with self._places:
            await asyncio.sleep(self.pause)
        return self._said(messages)

    def _said(self, messages: list[BaseMessage]) -> ChatResult:
        self._calls += 1
        return ChatResult(generations=[ChatGeneration(message=self.reply(messages).model_copy())])
