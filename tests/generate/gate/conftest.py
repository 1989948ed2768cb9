"""One decision, worked through by hand: what could be done, what it is worth, and rubrics for it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import pytest

from coreact.rubric import (
    Action,
    ArgumentContains,
    Check,
    Criterion,
    DoesNotStop,
    Observation,
    Rubric,
    State,
    Step,
    Stops,
    ToolCall,
    ToolContract,
    ToolIs,
)
from coreact.rubric.branching import BranchingPoint, Candidate

SEARCH = ToolContract(
    name="search",
    role="search",
    read_only=True,
    parameters={
        "type": "object",
        "properties": {"query": {"type": "string"}},
        "required": ["query"],
        "additionalProperties": False,
    },
)
QUESTION = "What is the capital of the country that ISO lists as JAM?"


def search(query: str) -> Action:
    return Action(call=ToolCall(name="search", arguments={"query": query}))


def rubric_of(*criteria: tuple[str, float, Check | None]) -> Rubric:
    return Rubric(
        criteria=tuple(
            Criterion(id=f"c{at}", text=text, weight=weight, check=check)
            for at, (text, weight, check) in enumerate(criteria, 1)
        )
    )


def step_state(question: str = QUESTION, name: str = "Jamaica", code: str = "ISO JAM") -> State:
    return State.start(question, tools=(SEARCH,), limit=6).after(
        Step(
            call=ToolCall(name="search", arguments={"query": code}),
            observation=Observation(text=f"{code} is the code of {name}, an island."),
        )
    )


def point_of(at: int, *, question: str | None = None, gains: tuple[float, ...] = (1.0, 0.4, 0.1, 0.0)) -> Any:
    """The same decision about another country."""
    name = f"Land{at}"
    state = step_state(f"What is the capital of the country that ISO lists as X{at}?", name, f"ISO X{at}")
    actions = (
        search(f"capital of {name}"),
        search(f"{name} weather"),
        search(f"ISO X{at}"),
        Action(answer="I do not know."),
    )
    return BranchingPoint(
        id=f"p{at}",
        question_id=question or f"q{at}",
        world="by hand",
        state=state,
        candidates=tuple(Candidate(action=a, gain=g) for a, g in zip(actions, gains, strict=True)),
    )


def informative(name: str = "Jamaica") -> Rubric:
    """Worth by hand, (pass + score) / 3: 1, 0.5 / 3, 0.2 / 3, 0."""
    return rubric_of(
        ("Put capital into the query.", 0.5, ArgumentContains(argument="query", terms=("capital",))),
        (f"Put {name} into the query.", 0.3, ArgumentContains(argument="query", terms=(name,))),
        ("Search before you answer.", 0.2, DoesNotStop()),
    )


MISLEADING = rubric_of(("Give the final answer now.", 1.0, Stops()))
VACUOUS = rubric_of(
    ("Answer or call `search`.", 1.0, ArgumentContains(argument="nowhere", terms=("anything",)))
)
UNKNOWN_TOOL = rubric_of(("Call `fly`.", 1.0, ToolIs(tools=("fly",))))
PROSE = rubric_of(("Ask for the seat of government.", 1.0, None))


class Case(NamedTuple):
    """What the tests of this folder share."""

    state: State
    point: BranchingPoint
    informative: Rubric
    misleading: Rubric
    vacuous: Rubric
    unknown_tool: Rubric
    prose: Rubric
    search: Callable[[str], Action]
    rubric: Callable[..., Rubric]
    informative_for: Callable[[str], Rubric]
    at: Callable[..., BranchingPoint]


@pytest.fixture
def case() -> Case:
    state = step_state()
    point = BranchingPoint(
        id="p",
        question_id="q",
        world="by hand",
        state=state,
        candidates=(
            Candidate(action=search("capital of Jamaica"), gain=1.0),
            Candidate(action=search("Jamaica weather"), gain=0.4),
            Candidate(action=search("ISO JAM"), gain=0.1),
            Candidate(action=Action(answer="I do not know."), gain=0.0),
        ),
    )
    return Case(
        state=state,
        point=point,
        informative=informative(),
        misleading=MISLEADING,
        vacuous=VACUOUS,
        unknown_tool=UNKNOWN_TOOL,
        prose=PROSE,
        search=search,
        rubric=rubric_of,
        informative_for=informative,
        at=point_of,
    )
