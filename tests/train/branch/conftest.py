"""A tiny world to collect from, a collection with a folder of its own, and rooms that one can get lost in."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from langchain_core.messages import ToolMessage

from coreact.rubric import Action, State, ToolCall, ToolContract
from coreact.train.branch.collecting import CollectSettings, collect_live
from coreact.train.branch.environment import WorldEnvironment
from coreact.train.branch.labelling import Measured
from coreact.train.branch.looking import Looker
from coreact.train.branch.policies import Policies
from coreact.train.branch.sampling import Policy
from coreact.train.branch.summary import Collected
from coreact.train.branch.visits import Visit, read_visits
from coreact.worlds import Hop, Passage, Question, World

RINGS = ("Omaha", "Tarn", "Berg", "Lund", "Sill", "Moor")


def _world() -> World:
    passages, questions = [], []
    for at, name in enumerate(RINGS):
        song, singer, town = f"{name} Song", f"Anna {name}", f"Lower {name}"
        passages += [
            Passage(id=f"s{at}", title=song, text=f"{song} was sung by {singer} in spring."),
            Passage(id=f"p{at}", title=singer, text=f"{singer} was born in {town}."),
        ]
        hops = (
            Hop(entity=song, relation="sung", passage_id=f"s{at}", answer=singer),
            Hop(entity=singer, relation="born", passage_id=f"p{at}", answer=town),
        )
        questions.append(
            Question(
                id=f"q{at}",
                question=f"Where was the singer of {song} born?",
                answer=town,
                hops=2,
                kind="bridge",
                supporting_ids=(f"s{at}", f"p{at}"),
                chain=hops,
            )
        )
    return World(name="songs", passages=tuple(passages), questions=tuple(questions))


@pytest.fixture(scope="session")
def songs() -> WorldEnvironment:
    """Six two-hop questions about songs, their singers, and where those were born; one passage a search."""
    return WorldEnvironment(_world(), k=1)


@pytest.fixture
def scripted(songs: WorldEnvironment) -> Policy:
    return Policy("scripted", Policies(songs).of)


class Collecting:
    """Collects from the songs into a folder of its own."""

    def __init__(self, environment: WorldEnvironment, folder: Path) -> None:
        self.environment = environment
        self.folder = folder
        self.ids = list(environment.questions)

    def run(self, *samplers: Any, folder: Path | None = None, **settings: Any) -> Collected:
        looking = {name: settings.pop(name) for name in ("teacher", "labeller", "k") if name in settings}
        report = settings.pop("report", None)
        ids = settings.pop("ids", self.ids)
        looker = Looker(samplers, **({"labeller": Measured(self.environment)} | looking))
        return asyncio.run(
            collect_live(
                self.environment,
                ids,
                folder or self.folder,
                looker=looker,
                settings=CollectSettings(**settings),
                report=report,
            )
        )

    def visits(self) -> list[Visit]:
        return list(read_visits(self.folder))


@pytest.fixture
def collecting(songs: WorldEnvironment, tmp_path: Path) -> Collecting:
    return Collecting(songs, tmp_path / "points")


class Rooms:
    """A chain of rooms: `forth` leads on, anything else into a side room whose only way back is `back`."""

    name = "rooms"
    tools = (
        ToolContract(
            name="go",
            parameters={
                "type": "object",
                "properties": {"way": {"type": "string"}},
                "required": ["way"],
            },
        ),
    )

    def __init__(self, length: int, questions: int) -> None:
        self.length = length
        self.ids = [f"r{at}" for at in range(questions)]

    def prompt(self, question_id: str) -> str:
        return "Reach the last room."

    def room(self, state: State) -> tuple[int, bool]:
        """How far the run is, and whether it is in a side room."""
        at, lost = 0, False
        for step in state.steps:
            way = step.call.arguments["way"]
            if lost:
                lost = way != "back"
            elif way == "forth":
                at += 1
            else:
                lost = True
        return at, lost

    async def execute(self, call: ToolCall, call_id: str) -> ToolMessage:
        return ToolMessage(f"You went {call.arguments['way']}.", tool_call_id=call_id, artifact=[])

    async def gain(self, question_id: str, state: State, shown: Sequence[str], action: Action) -> float:
        return float(action == self.right(state))

    def right(self, state: State) -> Action:
        """What the teacher does."""
        return self.going("back" if self.room(state)[1] else "forth")

    @staticmethod
    def going(way: str) -> Action:
        return Action(call=ToolCall(name="go", arguments={"way": way}))


@pytest.fixture
def rooms() -> Callable[[int, int], Rooms]:
    return Rooms
