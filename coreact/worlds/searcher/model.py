"""`StochasticSearcher`: the scripted policy as a LangChain chat model with tool calling.

It reads a request as any model does (question, observations, guidance behind them), so it runs in every
agent, loop and baseline. Each proposal is drawn anew from the seed, the question, the request and how often
this very request was made of this object: a run repeats, and several candidates for one step differ. It
holds no lock but for counting and never waits, so thousands of runs may share one object; how often a
request was made then depends on the order of the runs, so for figures that repeat give each run an object
of its own (`with_seed`, which costs nothing). It cannot write: asked for a critique or a rubric it answers
the question.
"""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator, Sequence
from random import Random
from typing import Any

from langchain_core.callbacks import AsyncCallbackManagerForLLMRun, CallbackManagerForLLMRun
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, ToolMessage
from langchain_core.outputs import ChatGeneration, ChatResult
from langchain_core.runnables import Runnable
from langchain_core.utils.function_calling import convert_to_openai_tool
from pydantic import Field, PrivateAttr

from coreact.worlds.records import Question, World
from coreact.worlds.searcher.advice import Advice, read_advice
from coreact.worlds.searcher.plan import Plans
from coreact.worlds.searcher.policy import Errors, Move, decide

UNKNOWN_QUESTION = "I do not know this question."
"""The answer where no question of the world stands in the request."""

_REMEMBERED = 100_000
"""Requests whose number is remembered, the latest."""


class StochasticSearcher(BaseChatModel):
    """Searches by the plan of a question, errs at known rates, and heeds guidance with a known probability.

    Attributes:
        world: where questions, plans and wrong answers come from.
        errors: how often it errs.
        heed: probability in [0, 1], drawn for each proposal, that it acts on guidance. Guidance is what the
            user's side says behind the question, after the last observation; it is read by `read_advice`.
        seed: of all draws.
        model_name: as it is named in records.
    """

    world: World = Field(repr=False, exclude=True)
    errors: Errors = Field(default_factory=Errors)
    heed: float = Field(default=0.5, ge=0, le=1)
    seed: int = 0
    model_name: str = "stochastic-searcher"
    _plans: Plans = PrivateAttr()
    _asked: dict[bytes, int] = PrivateAttr(default_factory=dict)
    _lock: Any = PrivateAttr(default_factory=threading.Lock)

    def model_post_init(self, context: Any, /) -> None:
        """Read the world's questions."""
        super().model_post_init(context)
        self._plans = Plans(self.world)

    def with_seed(self, seed: int) -> StochasticSearcher:
        """The same searcher with another seed, which has not been asked anything yet."""
        fresh = self.model_copy(update={"seed": seed})
        fresh._asked, fresh._lock = {}, threading.Lock()
        return fresh

    @property
    def _llm_type(self) -> str:
        return "stochastic-searcher"

    @property
    def _identifying_params(self) -> dict[str, Any]:
        return {
            "model_name": self.model_name,
            "errors": self.errors.model_dump(),
            "heed": self.heed,
            "seed": self.seed,
            "world": self._plans.version,
        }

    def bind_tools(
        self, tools: Sequence[Any], *, tool_choice: Any = None, **kwargs: Any
    ) -> Runnable[Any, AIMessage]:
        """Offer tools. It uses the one that searches: named so, or described so and asking for one text."""
        return self.bind(
            tools=[convert_to_openai_tool(tool) for tool in tools], tool_choice=tool_choice, **kwargs
        )

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        choice = kwargs.get("tool_choice")
        tool = None if choice == "none" else _search_tool(kwargs.get("tools") or ())
        question, advice = self._read(messages)
        count, rng = self._draw(messages, question)
        if question is None:
            move = Move("at_a_loss", answer=UNKNOWN_QUESTION)
        else:
            move = decide(
                self._plans,
                question,
                self._plans.situation(
                    question,
                    [str(message.text) for message in messages if isinstance(message, ToolMessage)],
                    [str(m.text) for m in messages if not isinstance(m, AIMessage | ToolMessage)],
                    _queries(messages, tool),
                ),
                errors=self.errors,
                heed=self.heed,
                advice=advice,
                rng=rng,
                may_search=tool is not None,
                must_search=tool is not None and choice not in (None, "auto"),
            )
        return ChatResult(generations=[ChatGeneration(message=self._message(move, tool, messages, count))])

    async def _agenerate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        # In the event loop: it never waits, and a thread for each of a thousand runs would.
        return self._generate(messages, stop, None, **kwargs)

    def _read(self, messages: Sequence[BaseMessage]) -> tuple[Question | None, Advice]:
        """The question, and what is said behind it after the last observation."""
        users = [str(m.text) for m in messages if isinstance(m, HumanMessage) and not _is_injected(m)]
        question = next((found for text in reversed(users) if (found := self._plans.question_in(text))), None)
        if question is None:
            return None, Advice()
        asking = next(text for text in users if self._plans.question_in(text) is question)
        told: list[str] = []
        for message in reversed(messages):
            if isinstance(message, AIMessage | ToolMessage):
                break
            if isinstance(message, HumanMessage):
                told.insert(0, str(message.text))
        if asking in told:
            told[told.index(asking)] = _behind(asking, question.question)
        return question, read_advice("\n".join(told))

    def _draw(self, messages: Sequence[BaseMessage], question: Question | None) -> tuple[int, Random]:
        """How often this request was made before, and a generator for this proposal alone."""
        request = hashlib.sha256()
        for message in messages:
            calls = [call["args"] for call in message.tool_calls] if isinstance(message, AIMessage) else []
            request.update(json.dumps([message.type, str(message.text), calls], default=str).encode())
        key = request.digest()
        with self._lock:
            count = self._asked.pop(key, 0)
            self._asked[key] = count + 1
            if len(self._asked) > _REMEMBERED:
                del self._asked[next(iter(self._asked))]
        name = question.id if question is not None else ""
        return count, Random(f"{self.seed}|{name}|{key.hex()}|{count}")

    def _message(
        self, move: Move, tool: _Tool | None, messages: Sequence[BaseMessage], count: int
    ) -> AIMessage:
        calls = []
        if move.query is not None and tool is not None:
            made = sum(len(message.tool_calls) for message in messages if isinstance(message, AIMessage))
            calls.append({"name": tool[0], "args": {tool[1]: move.query}, "id": f"search-{made}-{count}"})
        words_in = sum(_length(message) for message in messages)
        words_out = len((move.query or move.answer or "").split())
        return AIMessage(
            move.answer or "",
            tool_calls=calls,
            usage_metadata={
                "input_tokens": words_in,
                "output_tokens": words_out,
                "total_tokens": words_in + words_out,
            },
            response_metadata={"model_name": self.model_name, "mode": move.mode},
        )


def _behind(text: str, question: str) -> str:
    """What stands in a text behind the question."""
    if question in text:
        return text.partition(question)[2]
    return " ".join(text.split()).partition(" ".join(question.split()))[2]


def _is_injected(message: BaseMessage) -> bool:
    """Whether a middleware, not the user, put this message there (LangChain's mark)."""
    return "lc_source" in message.additional_kwargs


_Tool = tuple[str, str]
"""Name of the tool that searches, and of its argument."""


def _search_tool(tools: Sequence[dict[str, Any]]) -> _Tool | None:
    """The tool named `search`, else one with it in its name, else one described so; it takes a text."""
    candidates = []
    for tool in tools:
        function = tool.get("function", {})
        name, about = str(function.get("name", "")), str(function.get("description", ""))
        rank = 0 if name == "search" else 1 if "search" in name else 2 if "search" in about.casefold() else 3
        argument = next(_texts(function.get("parameters") or {}), None)
        if rank < 3 and argument is not None:
            candidates.append((rank, name, argument))
    return min(candidates)[1:] if candidates else None


def _texts(parameters: dict[str, Any]) -> Iterator[str]:
    """Arguments that take a text, the required ones first."""
    properties = parameters.get("properties") or {}
    required = parameters.get("required") or []
    for name in sorted(properties, key=lambda one: one not in required):
        if properties[name].get("type") == "string":
            yield name


def _queries(messages: Sequence[BaseMessage], tool: _Tool | None) -> list[str]:
    if tool is None:
        return []
    calls = [call for message in messages if isinstance(message, AIMessage) for call in message.tool_calls]
    return [str(call["args"].get(tool[1], "")) for call in calls if call["name"] == tool[0]]


def _length(message: BaseMessage) -> int:
    calls = message.tool_calls if isinstance(message, AIMessage) else []
    return len(str(message.text).split()) + sum(
        len(json.dumps(call["args"], default=str).split()) for call in calls
    )
