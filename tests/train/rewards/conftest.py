"""Branching points of the embedded world, and small ones made by hand."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest

from coreact.rubric import Action, State, ToolCall, ToolContract
from coreact.rubric.branching import BranchingPoint, Candidate
from coreact.train.branch.scripted import collect, parts
from coreact.worlds import gazetteer

SEARCH = ToolContract(
    name="search",
    parameters={
        "type": "object",
        "properties": {"query": {"type": "string"}},
        "required": ["query"],
    },
    role="search",
)


@pytest.fixture(scope="session")
def collected() -> tuple[BranchingPoint, ...]:
    """Points with contrast of the embedded world."""
    world = gazetteer()
    return tuple(one for one in collect(world, parts(world, n=40, seed=0).train) if one.has_contrast)


Made = Callable[..., BranchingPoint]


@pytest.fixture(scope="session")
def made() -> Made:
    """Makes points by hand, by their gains."""
    return _made


@pytest.fixture
def point() -> BranchingPoint:
    """Three searches and an answer, best first."""
    return _made([4.0, 3.0, 2.0, 1.0])


def _made(gains: Sequence[float], *, name: str = "p") -> BranchingPoint:
    """Searches for one, two, three words …, and an answer last."""
    words = "river source country length delta mouth".split()
    actions = [
        Action(call=ToolCall(name="search", arguments={"query": " ".join(words[: at + 1])}))
        for at in range(len(gains) - 1)
    ]
    actions.append(Action(answer="the Rhine"))
    return BranchingPoint(
        id=name,
        question_id="q1",
        world="hand",
        state=State.start("Which river has the longest delta?", tools=(SEARCH,)),
        candidates=tuple(Candidate(action=a, gain=g) for a, g in zip(actions, gains, strict=True)),
    )
