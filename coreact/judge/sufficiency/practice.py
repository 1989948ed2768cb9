"""Self-practice: finished runs on labelled questions become examples for the sufficiency critic.

SIM-RAG (arXiv 2505.02811): let the reasoner answer after every round of a run, compare each answer with the
gold answer, and learn from that when answering was right; nobody labels a step. What differs: an example
holds features, not text, so it holds nothing of the question but its id. A label comes from the caller's
comparison with gold (`coreact.worlds.exact_answer`), never from a model's opinion; what cannot be compared
is counted and left out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from pydantic import Field

from coreact.judge.sufficiency.features import features
from coreact.rubric import Record, State


class Example(Record):
    """One moment of a run at which answering was right, or wrong."""

    question: str
    """Id of the question: examples that share it are never parted between fitting and measuring."""
    run: str
    """Id of the run."""
    at: int = Field(ge=0)
    """Place in the run, ascending."""
    features: dict[str, float]
    right: bool
    """Whether the draft was right."""


class Practised(NamedTuple):
    """Examples, and how many moments gave none."""

    examples: tuple[Example, ...]
    unlabelled: int
    """Moments whose draft could not be compared with a gold answer."""


def prefixes(state: State) -> tuple[State, ...]:
    """The states that a run passed through: before any step, after one, after two, up to the last.

    Each step is taken for a decision of its own.
    """
    first = State.start(state.question, tools=state.tools, given=state.given, limit=state.budget.limit)
    found = [first]
    for step in state.steps:
        found.append(found[-1].after(step))
    return tuple(found)


def practise(
    states: Sequence[State],
    drafts: Sequence[str],
    right: Callable[[str], bool | None],
    *,
    question: str,
    run: str,
    plan: Sequence[str] = (),
) -> Practised:
    """Examples from one finished run.

    Args:
        states: moments of the run in order, such as `prefixes(state)`.
        drafts: the answer that the agent would have given at each; empty where it had none. Such a moment
            counts in a run's coverage as not answered; nothing is fitted on it.
        right: whether an answer is right by comparison with gold; None where that cannot be told.
        question: id of the question.
        run: id of the run.
        plan: sub-questions, where the agent made a plan.

    Raises:
        ValueError: there is not one draft for each state.
    """
    found: list[Example] = []
    unlabelled = 0
    for at, (state, draft) in enumerate(zip(states, drafts, strict=True)):
        label = right(draft) if draft.strip() else False
        if label is None:
            unlabelled += 1
            continue
        numbers = features(state, draft, plan=plan)
        found.append(Example(question=question, run=run, at=at, features=numbers, right=label))
    return Practised(tuple(found), unlabelled)


def pooled(practised: Iterable[Practised]) -> Practised:
    """The examples of many runs together."""
    every = list(practised)
    return Practised(
        tuple(example for one in every for example in one.examples), sum(one.unlabelled for one in every)
    )
