"""Worlds with long passages: the agent may read, reading is proposed, and what it gains is measured."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Any

import pytest
from coreact_tools import searching_tools
from langchain.agents import create_agent
from langchain_core.messages import AIMessage, ToolMessage

from coreact.cli.recipes import load_agent
from coreact.generate.prompt import step_version
from coreact.generate.prompted import PromptedGenerator
from coreact.generate.reading import read_reply
from coreact.guide import CoReActMiddleware
from coreact.judge.ordering import agreement, judged, standing
from coreact.rubric import Action, Observation, State, Step, Stops, ToolCall, ToolIs
from coreact.rubric.branching import BranchingPoint, Candidate
from coreact.testing.scripted import ScriptedModel, call
from coreact.trace import InMemoryTraceStore, Recorder
from coreact.train.branch.collecting import CollectSettings, collect_live, collect_stored
from coreact.train.branch.environment import LIMIT, WorldEnvironment
from coreact.train.branch.guesses import Guesses
from coreact.train.branch.labelling import Measured
from coreact.train.branch.looking import Looker, Teacher
from coreact.train.branch.policies import Policies
from coreact.train.branch.roll_in import RollIn
from coreact.train.branch.sampling import Decision, Policy
from coreact.train.branch.scripted import collect, parts
from coreact.train.branch.visits import Visit, read_visits
from coreact.train.rows import prompt_messages
from coreact.train.teaching import teach
from coreact.worlds import Corpus, Hop, Passage, Question, World, load_world

FILLER = "It was often heard in the valley when the snow had gone. " * 10
HOPS = (
    Hop(entity="Omaha Song", relation="sung", passage_id="song", answer="Anna Berg"),
    Hop(entity="Anna Berg", relation="born", passage_id="singer", answer="Lower Tarn"),
)
SUNG = Question(
    id="sung",
    question="Where was the singer of Omaha Song born?",
    answer="Lower Tarn",
    hops=2,
    kind="bridge",
    supporting_ids=("song", "singer"),
    chain=HOPS,
)
BEES = Question(
    id="bees",
    question="Did Bo Li write on bees?",
    answer="yes",
    hops=1,
    kind="bridge",
    supporting_ids=("bees",),
)
WORLD = World(
    name="long",
    passages=(
        Passage(id="song", title="Omaha Song", text=f"A song. {FILLER} Omaha Song was sung by Anna Berg."),
        Passage(id="singer", title="Anna Berg", text="Anna Berg was born in Lower Tarn."),
        Passage(id="bees", title="Bo Li", text=f"Bo Li wrote on insects. {FILLER} He said yes to bees."),
    ),
    questions=(SUNG, BEES),
)
ENVIRONMENT = WorldEnvironment(WORLD)


def searching(query: str) -> ToolCall:
    return ToolCall(name="search", arguments={"query": query})


def reading(passage_id: str) -> ToolCall:
    return ToolCall(name="read", arguments={"passage_id": passage_id})


def decision(*calls: ToolCall, environment: WorldEnvironment = ENVIRONMENT) -> Decision:
    """The decision after these calls."""
    state, shown = State.start(SUNG.question, tools=environment.tools, limit=LIMIT), dict[str, None]()
    for one in calls:
        result = environment.call(one, "c")
        state = state.after(Step(call=one, observation=Observation(text=str(result.text))))
        shown |= dict.fromkeys(result.artifact)
    return Decision("d", SUNG.id, state, (), tuple(shown))


def gain(at: Decision, action: Action | ToolCall) -> float:
    action = Action(call=action) if isinstance(action, ToolCall) else action
    assert at.shown is not None
    found = asyncio.run(ENVIRONMENT.gain(SUNG.id, at.state, at.shown, action))
    assert found is not None
    return found


def test_the_agent_of_a_collection_has_the_tools_of_an_agent() -> None:
    short = World(name="short", passages=WORLD.passages[1:2], questions=())
    for world, names in ((WORLD, ["search", "read"]), (short, ["search"])):
        offered = searching_tools(Corpus(world.passages), world.passages)
        assert [tool.name for tool in WorldEnvironment(world).tools] == names
        assert [tool.name for tool in offered] == names
    assert len(WorldEnvironment(short, readable=True).tools) == 2
    assert len(WorldEnvironment(WORLD, readable=False).tools) == 1


def test_a_proof_behind_the_cut_is_shown_by_reading() -> None:
    first = decision()
    assert gain(first, searching("Omaha Song")) == 0, "what names the singer is cut"
    assert gain(first, reading("song")) == 0.5
    cut = decision(searching("Omaha Song"))
    assert cut.shown == ("song",)
    assert gain(cut, reading("song")) == gain(cut, reading(" [song] ")) == 0.5
    assert gain(cut, reading("singer")) == gain(cut, searching("Anna Berg")) == 0.5
    assert gain(cut, reading("bees")) == gain(cut, reading("nothing")) == 0
    read = decision(searching("Omaha Song"), reading("song"))
    assert gain(read, reading("song")) == 0, "it was read already"
    assert gain(read, searching("Anna Berg")) == 0.5


def test_an_answer_gains_once_what_was_cut_has_been_read() -> None:
    answer = Action(answer="Lower Tarn")
    both = (searching("Omaha Song"), searching("Anna Berg"))
    assert gain(decision(*both), answer) == 0
    assert gain(decision(*both, reading("song")), answer) == 1
    assert gain(decision(*both, reading("bees")), answer) == 0, "another one was read"


def test_where_nobody_can_read_showing_a_passage_counts() -> None:
    only = WorldEnvironment(WORLD, readable=False)
    at = decision(environment=only)
    assert only.gained(SUNG, at.state, (), Action(call=searching("Omaha Song"))) == 0.5


def test_yes_and_no_are_no_proof() -> None:
    at = decision()
    assert ENVIRONMENT.hidden(SUNG, at.state) == {"song"}
    assert ENVIRONMENT.hidden(BEES, at.state) == frozenset()


def test_reading_is_proposed_what_was_cut_and_what_was_not() -> None:
    policies = Policies(ENVIRONMENT)

    def proposed(at: Decision) -> dict[str, Action]:
        return dict(policies.of(at))

    assert "read cut" not in proposed(decision())
    assert proposed(decision())["read unseen"].call == reading("bees")
    at = decision(searching("Omaha Song"), searching("Anna Berg"))
    found = proposed(at)
    assert found["bridge"].call == found["read cut"].call == reading("song")
    assert found["read again"].call == reading("singer")
    gains = {source: gain(at, action) for source, action in found.items()}
    assert gains["bridge"] == 0.5
    assert {gains[source] for source in ("read again", "read unseen", "answer", "repeat")} == {0}
    after = proposed(decision(searching("Omaha Song"), reading("song")))
    assert "read cut" not in after
    assert after["read again"].call == reading("song")
    assert after["bridge"].call == searching("Anna Berg born")


def test_the_teacher_reads_before_it_goes_on() -> None:
    ideal = Policies(ENVIRONMENT).ideal
    calls: list[ToolCall] = []
    while (action := ideal(decision(*calls))[0]).call is not None:
        calls.append(action.call)
    assert calls == [searching("Omaha Song sung"), reading("song"), searching("Anna Berg born")]
    assert action.answer == "Lower Tarn"


def test_nothing_is_read_without_the_tool() -> None:
    """In a stored run the state says which tools there were, whatever the environment offers."""
    only = WorldEnvironment(WORLD, readable=False)
    policies = Policies(ENVIRONMENT)
    found = policies.of(decision(searching("Omaha Song"), environment=only))
    assert {one.call.name for _, one in found if one.call is not None} == {"search"}
    assert not [point for point in collect(WORLD, [SUNG], per_question=4) if len(point.state.tools) > 1]
    assert [point for point in collect(WORLD, [SUNG], readable=None) if len(point.state.tools) > 1]


# --- collected ------------------------------------------------------------------------------------


def collected(world: World, ids: list[str], folder: Path, **settings: Any) -> list[Visit]:
    environment = WorldEnvironment(world)
    policies, guesses = Policies(environment), Guesses(3)
    looker = Looker(
        [Policy("scripted", policies.of), Policy(guesses.id, guesses.of)],
        labeller=Measured(environment),
        teacher=Teacher(Policy("ideal", policies.ideal)),
        k=10,
    )
    asyncio.run(collect_live(environment, ids, folder, looker=looker, settings=CollectSettings(**settings)))
    return list(read_visits(folder))


@pytest.mark.parametrize("form", ["sheet", "lines"])
def test_states_with_reads_ask_as_a_running_agent_does(form: Any, tmp_path: Path) -> None:
    visits = collected(WORLD, [SUNG.id], tmp_path, roll_in=RollIn(rule="teacher"))
    assert [visit.driver for visit in visits] == ["teacher"] * 4
    last = visits[-1].state
    assert [step.call.name for step in last.steps] == ["search", "read", "search"]
    script: list[Any] = [
        call(one.call.name, id=f"r{at}", **one.call.arguments) for at, one in enumerate(last.steps)
    ]
    writer = ScriptedModel(script=lambda _: AIMessage("Nothing of use."))
    agent = load_agent("react").build(
        ScriptedModel(script=[*script, AIMessage("So.")]),
        searching_tools(Corpus(WORLD.passages), WORLD.passages),
        middleware=[
            CoReActMiddleware(generator=PromptedGenerator(writer, form=form), retries=0, step_budget=LIMIT)
        ],
        tool_calls=LIMIT,
    )
    ended = agent.invoke({"messages": [("user", SUNG.question)]})
    assert sum(isinstance(one, ToolMessage) for one in ended["messages"]) == 3
    asked = [[str(message.content) for message in request] for request in writer.requests]
    sent = [texts for texts in asked if "An earlier reply" not in texts[-1]]
    assert sent == [[one["content"] for one in prompt_messages(visit.state, form)] for visit in visits]


def test_a_stored_run_that_read_is_measured_as_it_read(tmp_path: Path) -> None:
    store = InMemoryTraceStore()
    guide = CoReActMiddleware(recorder=Recorder(store), retries=0, step_budget=LIMIT)
    script = [
        call("search", query="Omaha Song"),
        call("search", query="Anna Berg"),
        call("read", passage_id="song"),
        AIMessage("Lower Tarn"),
    ]
    agent = create_agent(
        ScriptedModel(script=script),
        searching_tools(Corpus(WORLD.passages), WORLD.passages),
        middleware=[guide],
    )
    agent.invoke({"messages": [("user", SUNG.question)]})
    store.flush()
    looker = Looker([Policy("scripted", Policies(ENVIRONMENT).of)], labeller=Measured(ENVIRONMENT), k=10)
    found = collect_stored(store.trajectories(), tmp_path, looker=looker, environment=ENVIRONMENT)
    assert asyncio.run(found).worth == {"gain": 4}
    gains = []
    for visit in read_visits(tmp_path):
        assert visit.point is not None
        assert visit.followed_candidate is not None
        gains.append(visit.point.gains[visit.followed_candidate])
    assert gains == [0, 0.5, 0.5, 1]


def test_a_lesson_says_which_tool_where_there_are_two() -> None:
    at = decision(searching("Omaha Song"))

    def point(**gains: float) -> BranchingPoint:
        actions = {
            "read": Action(call=reading("song")),
            "search": Action(call=searching("Omaha Song sung")),
            "wrong": Action(call=searching("valley")),
            "answer": Action(answer="the valley"),
        }
        candidates = tuple(Candidate(action=actions[name], gain=worth) for name, worth in gains.items())
        return BranchingPoint(id="p", question_id="q", world="long", state=at.state, candidates=candidates)

    lesson = teach(point(read=1, search=0, wrong=0, answer=0))
    assert lesson is not None
    assert (lesson.text, lesson.spearman) == ("1. [1] Use read.", pytest.approx(1))
    lesson = teach(point(read=0, search=1, wrong=0.5))
    assert lesson is not None
    assert "Use search." in lesson.text
    assert lesson.spearman == pytest.approx(1)
    assert "Use" not in (teach(point(search=1, wrong=0, answer=0)) or lesson).text


def test_the_sheet_keeps_its_version() -> None:
    """A shipped generator vouches for the prompts that it was trained on."""
    assert step_version("sheet") == "8aad15af"


def test_real_questions_with_long_passages(tmp_path: Path) -> None:
    root = Path(__file__).resolve().parents[3]
    data = Path(os.environ.get("COREACT_DATA") or root.parent / "shared" / "data")
    folder = data / "multihop_qa_open"
    if not folder.is_dir():
        pytest.skip(f"no multihop_qa_open in {data}; set COREACT_DATA to the folder that has it")
    world = load_world(folder)
    environment = WorldEnvironment(world)
    state = State.start("", tools=environment.tools)
    hidden = [one for one in parts(world, n=200, seed=0).train if environment.hidden(one, state)]
    assert len(hidden) > 5
    visits = collected(world, [one.id for one in hidden], tmp_path, roll_in=RollIn(rule="best"))
    points = [visit.point for visit in visits if visit.point is not None]
    worth = {
        kind: {one.gain > 0 for point in points for one in point.candidates if one.source.startswith(kind)}
        for kind in ("bridge", "read cut", "read again", "read unseen")
    }
    assert True in worth["bridge"]
    assert worth["read again"] == {False}
    reads = [
        point
        for point in points
        if point.has_contrast
        and all(
            one.action.call is not None and one.action.call.name == "read"
            for one in point.candidates
            if one.gain == max(point.gains)
        )
    ]
    assert reads, "somewhere reading is the best that can be done"
    for point in points:
        if not point.has_contrast:
            continue
        lesson = teach(point)
        assert lesson is not None
        read = read_reply(lesson.text, point.state, form="sheet")
        assert read.rubric is not None
        checks = [criterion.check for criterion in read.criteria]
        assert len(checks) == len(lesson.text.splitlines())
        assert None not in checks
        uses = [one for one in checks if isinstance(one, ToolIs)]
        assert len(uses) <= 1
        assert not uses or not any(isinstance(one, Stops) for one in checks), "nobody can follow both"
        scores = standing(judged(read.rubric, point.actions, point.state))
        assert agreement(scores, point.gains) == pytest.approx(lesson.spearman, abs=1e-9)
    taught = [lesson.text for point in reads if (lesson := teach(point)) is not None]
    assert any("Use read." in text for text in taught)
