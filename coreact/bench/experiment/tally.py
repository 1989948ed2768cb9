"""Counts everything that an episode calls, whoever calls it.

One handler stands in the run's configuration and on the episode's own copies of model, writer and tools. So
what an arm calls without passing the configuration on (a judge in a thread, a tool called by hand) is counted
too, and what comes both ways is counted once, by its run id.
"""

from __future__ import annotations

from collections.abc import Sequence
from threading import Lock
from typing import Any, TypeVar
from uuid import UUID

from langchain_core.callbacks import BaseCallbackHandler, BaseCallbackManager
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import ToolMessage
from langchain_core.outputs import LLMResult
from langchain_core.tools import BaseTool

from coreact.bench.experiment.prices import Prices
from coreact.bench.records import Found, Usage

Counted = TypeVar("Counted", BaseChatModel, BaseTool)


class Tally(BaseCallbackHandler):
    """Counts model calls, tool calls, tokens and money, and keeps what tools gave back.

    Args:
        prices: of models; without a table no money is known.
    """

    run_inline = True

    def __init__(self, prices: Prices | None = None) -> None:
        self._prices = prices or Prices()
        self._lock = Lock()
        self._models: set[UUID] = set()
        self._ended: set[UUID] = set()
        self._found: dict[UUID, Found] = {}
        self._names: set[str] = set()
        self._tokens = [0, 0]
        self._unmetered = 0
        self._usd = 0.0
        self._is_priced = bool(self._prices)
        self._costs: dict[str, float | None] = {}

    # --- what is counted ----------------------------------------------------------------------------

    def counted(self, one: Counted) -> Counted:
        """A copy whose calls are counted here, however it is called; the original is left alone."""
        if isinstance(one, BaseTool):
            cost = (one.metadata or {}).get("cost")
            self._costs[one.name] = float(cost) if isinstance(cost, int | float) else None
        before: Any = one.callbacks
        if isinstance(before, BaseCallbackManager):
            manager = before.copy()
            manager.add_handler(self)
            return one.model_copy(update={"callbacks": manager})
        return one.model_copy(update={"callbacks": [*(before or []), self]})

    def usage(self, seconds: float) -> Usage:
        """What was counted so far."""
        with self._lock:
            return Usage(
                model_calls=len(self._models),
                tool_calls=len(self._found),
                input_tokens=self._tokens[0],
                output_tokens=self._tokens[1],
                unmetered=self._unmetered + len(self._models - self._ended),
                usd=self._usd if self._is_priced else None,
                usd_known=self._usd,
                seconds=seconds,
            )

    @property
    def tool_calls(self) -> int:
        """Tool calls so far."""
        return len(self._found)

    @property
    def found(self) -> tuple[Found, ...]:
        """What the tools gave back, in the order in which they were called."""
        with self._lock:
            return tuple(self._found.values())

    @property
    def names(self) -> tuple[str, ...]:
        """Models by the name that they gave back."""
        return tuple(sorted(self._names))

    # --- models -------------------------------------------------------------------------------------

    def on_chat_model_start(self, serialized: Any, messages: Any, *, run_id: UUID, **_: Any) -> None:
        """A model is called."""
        with self._lock:
            self._models.add(run_id)

    def on_llm_start(self, serialized: Any, prompts: Sequence[str], *, run_id: UUID, **_: Any) -> None:
        """The same, of a model that completes text."""
        self.on_chat_model_start(serialized, prompts, run_id=run_id)

    def on_llm_end(self, response: LLMResult, *, run_id: UUID, **_: Any) -> None:
        """A model replied."""
        with self._lock:
            if run_id in self._ended:
                return
            self._models.add(run_id)
            self._ended.add(run_id)
            first = next((one for some in response.generations for one in some), None)
            message = getattr(first, "message", None)
            metadata = {**(response.llm_output or {}), **(getattr(message, "response_metadata", None) or {})}
            name = str(metadata.get("model_name") or metadata.get("model") or "")
            if name:
                self._names.add(name)
            usage = getattr(message, "usage_metadata", None)
            if not usage:
                self._unmetered += 1
                self._is_priced = False
                return
            read, written = int(usage.get("input_tokens", 0)), int(usage.get("output_tokens", 0))
            self._tokens[0] += read
            self._tokens[1] += written
            price = self._prices.of(name)
            self._paid(None if price is None else price.of(read, written))

    def on_llm_error(self, error: BaseException, *, run_id: UUID, **_: Any) -> None:
        """A model failed: the call counts, and what it cost nobody knows."""
        with self._lock:
            if run_id in self._ended:
                return
            self._models.add(run_id)
            self._ended.add(run_id)
            self._unmetered += 1
            self._is_priced = False

    # --- tools --------------------------------------------------------------------------------------

    def on_tool_start(self, serialized: Any, input_str: str, *, run_id: UUID, **_: Any) -> None:
        """A tool is called."""
        name = str((serialized or {}).get("name", ""))
        with self._lock:
            if run_id in self._found:
                return
            self._found[run_id] = Found(tool=name, text="")
            self._paid(self._costs.get(name))

    def on_tool_end(self, output: Any, *, run_id: UUID, **_: Any) -> None:
        """A tool gave something back."""
        if isinstance(output, ToolMessage):
            self._gave(run_id, str(output.text), output.artifact)
        else:
            self._gave(run_id, str(output), None)

    def on_tool_error(self, error: BaseException, *, run_id: UUID, **_: Any) -> None:
        """A tool failed."""
        self._gave(run_id, f"{type(error).__name__}: {error}", None)

    def _paid(self, usd: float | None) -> None:
        if usd is None:
            self._is_priced = False
        elif self._prices:
            self._usd += usd

    def _gave(self, run_id: UUID, text: str, artifact: Any) -> None:
        ids = artifact if isinstance(artifact, list | tuple) else ()
        documents = tuple(one for one in ids if isinstance(one, str))
        with self._lock:
            tool = self._found[run_id].tool if run_id in self._found else ""
            self._found[run_id] = Found(tool=tool, text=text, documents=documents)
