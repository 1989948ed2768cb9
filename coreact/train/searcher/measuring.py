"""How an agent does on questions about countries that no training text named.

The benches of the project draw questions by their own split, under which a trained model may have seen the
country. This is the few lines that a model card needs: the same agent, plain and guided, on the same held-out
questions. Nothing is averaged here.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from random import Random
from typing import Any

from coreact_tools import corpus_tools
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, ToolMessage

from coreact.rubric import Record
from coreact.train.searcher.demonstrations import BuildAgent
from coreact.worlds import Corpus, Question, World, contains_answer, exact_answer, gold_share

FIGURES = ("gold_share", "all_gold", "exact", "contains", "seconds")
"""What an outcome says; all but seconds lie in [0, 1], higher is better."""


class Outcome(Record):
    """One run on one question."""

    question: str
    """Question id."""
    guided: bool
    tool_calls: int
    """Tool calls that the agent might make."""
    gold_share: float
    """Share of the proving passages that were found."""
    all_gold: float
    """1 where all were."""
    exact: float
    """1 where the answer is the gold one or an alias, normalised."""
    contains: float
    """1 where the answer contains it."""
    seconds: float
    queries: tuple[str, ...]
    answer: str


def choose(world: World, *, n: int, seed: int) -> list[Question]:
    """`n` two-hop bridge questions of the world, drawn by `seed`; all, where there are fewer."""
    offered = [one for one in world.questions if one.kind == "bridge" and one.hops == 2]
    return Random(seed).sample(offered, min(n, len(offered)))


def measure(
    build: BuildAgent, model: BaseChatModel, world: World, questions: Sequence[Question], *, tool_calls: int
) -> Iterator[Outcome]:
    """Run the agent plain and guided on each question; yield the outcomes as they come."""
    tools = corpus_tools(Corpus(world.passages))[:1]
    agents = {guided: build(model, tools, guided, tool_calls) for guided in (False, True)}
    for question in questions:
        for guided, agent in agents.items():
            started = time.perf_counter()
            result = agent.invoke({"messages": [{"role": "user", "content": question.question}]})
            yield _outcome(
                question,
                result["messages"],
                guided=guided,
                tool_calls=tool_calls,
                seconds=time.perf_counter() - started,
            )


def _outcome(
    question: Question, messages: Sequence[Any], *, guided: bool, tool_calls: int, seconds: float
) -> Outcome:
    found = [one for m in messages if isinstance(m, ToolMessage) for one in m.artifact or ()]
    calls = [call for m in messages if isinstance(m, AIMessage) for call in m.tool_calls]
    answer = str(messages[-1].text) if isinstance(messages[-1], AIMessage) else ""
    share = gold_share(found, question)
    return Outcome(
        question=question.id,
        guided=guided,
        tool_calls=tool_calls,
        gold_share=share,
        all_gold=float(share == 1),
        exact=float(exact_answer(answer, question)),
        contains=float(contains_answer(answer, question)),
        seconds=seconds,
        queries=tuple(str(call["args"].get("query", "")) for call in calls),
        answer=answer,
    )
