"""What all baselines have in common: a LangChain runnable in two colours around one procedure.

Everything inside runs under the `nostream` tag: tokens of samples that are not chosen, of critiques and of
judges must not reach the stream of the graph a baseline stands in. The chosen messages reach it whole.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, NamedTuple

from langchain_core.messages import BaseMessage, convert_to_messages
from langchain_core.runnables import Runnable, RunnableConfig, RunnableLambda
from langchain_core.runnables.config import merge_configs

from coreact.errors import ConfigError
from coreact.judge.asking import Asking, aserve, serve
from coreact.refine.baselines.record import RECORD_KEY, BaselineRecord, Ledger
from coreact.refine.baselines.runs import Agents


class Finished(NamedTuple):
    """How a baseline ended."""

    messages: Sequence[BaseMessage]
    """Those of the chosen run, the answer last."""
    record: BaselineRecord


class Baseline(Runnable[dict[str, Any], dict[str, Any]]):
    """A way to work that wraps an agent: `{"messages": […]}` in, the same out, with a record beside it.

    The record (`BaselineRecord`) stands under the key `baseline`. Callbacks, tags and metadata of the config
    go to everything it starts.
    """

    method: ClassVar[str]
    """Name of the method in the record."""

    def __init__(self, agents: Agents) -> None:
        self._agents = agents

    def invoke(self, input: dict[str, Any], config: RunnableConfig | None = None, **_: Any) -> dict[str, Any]:  # noqa: A002
        """Work on the last question of the messages.

        Raises:
            ConfigError: there are no messages.
            Exception: what the agent raised, where not one run of it gave an answer.
        """
        return self._procedure.invoke(input, _quiet(config))

    async def ainvoke(
        self,
        input: dict[str, Any],  # noqa: A002
        config: RunnableConfig | None = None,
        **_: Any,
    ) -> dict[str, Any]:
        """The same, without blocking the event loop; what does not depend on each other runs at once."""
        return await self._procedure.ainvoke(input, _quiet(config))

    @property
    def _procedure(self) -> Runnable[dict[str, Any], dict[str, Any]]:
        return RunnableLambda(self._serve, self._aserve, name=self.get_name())

    def _serve(self, given: dict[str, Any], config: RunnableConfig) -> dict[str, Any]:
        return _out(serve(self._asking(_messages(given), config, self._ledger())))

    async def _aserve(self, given: dict[str, Any], config: RunnableConfig) -> dict[str, Any]:
        return _out(await aserve(self._asking(_messages(given), config, self._ledger())))

    def _ledger(self) -> Ledger:
        return Ledger(self.method, self._agents.limit)

    @abstractmethod
    def _asking(
        self, messages: list[BaseMessage], config: RunnableConfig, ledger: Ledger
    ) -> Asking[Finished]:
        """The method itself."""


def _quiet(config: RunnableConfig | None) -> RunnableConfig:
    return merge_configs(config, {"tags": ["nostream"]})


def _messages(given: Any) -> list[BaseMessage]:
    messages = given.get("messages") if isinstance(given, Mapping) else None
    if not messages:
        raise ConfigError(
            "A baseline needs messages to work on.", remedy='Give {"messages": [("user", "…")]}.'
        )
    return convert_to_messages([messages] if isinstance(messages, str | BaseMessage) else messages)


def _out(finished: Finished) -> dict[str, Any]:
    return {"messages": list(finished.messages), RECORD_KEY: finished.record}
