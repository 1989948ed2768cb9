"""Demonstrations: what an ideal searcher does in the very prompts that an agent makes.

A chat model that knows the proof of the question stands in for the agent's model, so every prompt is made by
the real agent, its tools, its middleware and the rendering of the embedded server; none is imitated here. It
errs on purpose now and then, so that recoveries are seen; what it should have done is what is learned, never
the error. An answer that the budget forces before the proof is found is not learned either.

The agent, plain or guided, is passed in: training stands beside the middleware and does not import it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from random import Random
from typing import Any, NamedTuple

from coreact_tools import corpus_tools
from langchain_core.callbacks import CallbackManagerForLLMRun
from langchain_core.language_models import BaseChatModel, LanguageModelInput
from langchain_core.messages import AIMessage, BaseMessage, ToolMessage
from langchain_core.outputs import ChatGeneration, ChatResult
from langchain_core.runnables import Runnable
from langchain_core.tools import BaseTool
from langchain_core.utils.function_calling import convert_to_openai_tool
from pydantic import Field, PrivateAttr

from coreact.local.rendering import render
from coreact.rubric import Record
from coreact.worlds import Corpus, Hop, Question, World

BuildAgent = Callable[[BaseChatModel, Sequence[BaseTool], bool, int], Runnable[Any, Any]]
"""Makes an agent of a model, tools, whether it is guided, and the tool calls it may make."""

_ADVISED = re.compile(r'^- Search for "(.+)"\.$', re.MULTILINE)
_NAME = re.compile(r"[A-Z][\w’'-]*(?: [A-Z][\w’'-]*)*")


class Mix(NamedTuple):
    """How episodes are drawn; shares in [0, 1]."""

    guided: float = 0.12
    """Episodes under guidance. Each of their decisions is a demonstration of its own: a third of all."""
    mistakes: float = 0.2
    """Decisions at which the searcher errs before it is shown what was right."""
    both_tools: float = 0.2
    """Episodes with `read` beside `search`."""
    passages: tuple[int, ...] = (1, 2, 2, 3, 3, 3, 3, 4)
    """Numbers of passages that a search shows, drawn from evenly."""
    tool_calls: tuple[int, ...] = (2, 3, 4, 4)
    """Tool calls that the agent may make, drawn from evenly."""


class Demonstration(Record):
    """A rendered conversation, and which of its turns are to be learned."""

    turns: tuple[dict[str, str], ...]
    """Chat turns with `role` and `content`, as the embedded server gets them, the reply last."""
    learned: tuple[int, ...]
    """0-based positions of the assistant turns that show the right action."""


class Searcher(BaseChatModel):
    """Knows the proof of one question and searches for it hop by hop.

    Reads from the prompt which passages were found, the budget from `tool_choice`, and the advice of a
    guidance from the last turn: where the advised search finds the passage that is due, it is followed.
    """

    question: Question
    corpus: Any
    """The `Corpus` that the agent searches."""
    passages: int
    """How many passages a search shows."""
    mistakes: float = 0.0
    seed: int = 0
    decisions: list[Demonstration] = Field(default_factory=list)
    """Every prompt so far with the right action, those that cannot be learned from left out."""
    _rng: Random = PrivateAttr()
    _erred: list[bool] = PrivateAttr(default_factory=list)

    def model_post_init(self, context: Any, /) -> None:
        """Seed the mistakes."""
        self._rng = Random(self.seed)

    @property
    def _llm_type(self) -> str:
        return "coreact-demonstration"

    def bind_tools(
        self, tools: Sequence[Any], *, tool_choice: Any = None, **kwargs: Any
    ) -> Runnable[LanguageModelInput, AIMessage]:
        """Offer tools as the embedded model is offered them."""
        described = [convert_to_openai_tool(tool) for tool in tools]
        return super().bind(tools=described, tool_choice=tool_choice, **kwargs)

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        tools = kwargs.get("tools") or ()
        forced = kwargs.get("tool_choice") == "none"
        right, known = self._right(messages, forced=forced)
        turns = render([*messages, right], tools)
        if known:
            self.decisions.append(Demonstration(turns=tuple(turns), learned=(len(turns) - 1,)))
        wrong = None if forced or self._rng.random() >= self.mistakes else self._wrong(messages)
        return ChatResult(generations=[ChatGeneration(message=wrong or right)])

    def _right(self, messages: Sequence[BaseMessage], *, forced: bool) -> tuple[AIMessage, bool]:
        """The right action, and whether it follows from what the prompt holds."""
        due = self._due(messages)
        if due is None or forced:
            return AIMessage(self.question.answer), due is None
        advice = _ADVISED.search(str(messages[-1].text))
        if advice is not None and self._finds(advice[1], due):
            return _search(advice[1]), True
        return _search(due.query), self._finds(due.query, due)

    def _due(self, messages: Sequence[BaseMessage]) -> Hop | None:
        """The first hop whose passage was not found yet."""
        found = {one for m in messages if isinstance(m, ToolMessage) for one in m.artifact or ()}
        return next((hop for hop in self.question.chain if hop.passage_id not in found), None)

    def _finds(self, query: str, hop: Hop) -> bool:
        return any(hit.passage.id == hop.passage_id for hit in self.corpus.search(query, self.passages))

    def _wrong(self, messages: Sequence[BaseMessage]) -> AIMessage:
        rng, due = self._rng, self._due(messages)
        hop = due or self.question.chain[-1]
        made = [call["args"]["query"] for m in messages if isinstance(m, AIMessage) for call in m.tool_calls]
        seen = [str(m.text) for m in messages if isinstance(m, ToolMessage)]
        names = [*_NAME.findall(seen[-1] if seen else self.question.question), hop.entity]
        asked = self.question.question.rstrip("?").split()
        start = rng.randrange(len(asked))
        queries = [
            f"{rng.choice(names)} {hop.relation}",
            f"{rng.choice(names)} {rng.choice(self.question.chain).relation}",
            " ".join(asked[start : start + rng.randint(2, 6)]),
            f"{hop.entity[: max(2, len(hop.entity) // 2)]} {hop.relation}",
            *made[-1:],
        ]
        return _search(rng.choice(queries))


def _search(query: str) -> AIMessage:
    return AIMessage("", tool_calls=[{"name": "search", "args": {"query": query}, "id": f"c {query}"}])


def episode(
    build: BuildAgent, corpus: Corpus, question: Question, rng: Random, mix: Mix
) -> Iterator[Demonstration]:
    """What can be learned from one question: a transcript, or a demonstration for each guided decision."""
    passages, guided = rng.choice(mix.passages), rng.random() < mix.guided
    searcher = Searcher(
        question=question,
        corpus=corpus,
        passages=passages,
        mistakes=mix.mistakes,
        seed=rng.getrandbits(32),
    )
    tools = corpus_tools(corpus, k=passages)
    offered = tools if rng.random() < mix.both_tools else tools[:1]
    agent = build(searcher, offered, guided, rng.choice(mix.tool_calls))
    agent.invoke({"messages": [{"role": "user", "content": question.question}]})
    if guided:
        yield from searcher.decisions
    elif searcher.decisions:
        yield _transcript(searcher.decisions)


def _transcript(decisions: Sequence[Demonstration]) -> Demonstration:
    """One conversation that shows all right actions: plain prompts only grow, so each holds those before.

    A turn is learned where what was done is what was right.
    """
    last = decisions[-1].turns
    learned = tuple(
        place for decision in decisions for place in decision.learned if decision.turns[place] == last[place]
    )
    return Demonstration(turns=last, learned=learned)


def demonstrations(
    build: BuildAgent, world: World, questions: Sequence[Question], rng: Random, mix: Mix | None = None
) -> Iterator[Demonstration]:
    """Demonstrations on these questions of the world, in a shuffled order.

    Args:
        build: makes the agent.
        world: what is searched; questions whose proof it lacks are left out.
        questions: what is asked.
        rng: draws everything.
        mix: how episodes are drawn.
    """
    corpus, mix = Corpus(world.passages), mix or Mix()
    there = {passage.id for passage in world.passages}
    asked = [question for question in questions if there.issuperset(question.supporting_ids)]
    rng.shuffle(asked)
    for question in asked:
        yield from episode(build, corpus, question, rng, mix)
