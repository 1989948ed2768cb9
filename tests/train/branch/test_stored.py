"""Stored runs: candidates sampled anew in the very states that a real guided agent was in."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from coreact_tools import corpus_tools
from langchain.agents import create_agent
from langchain_core.messages import AIMessage, BaseMessage

from coreact import CoReActMiddleware
from coreact.errors import ConfigError, ExperimentMismatchError
from coreact.rubric import Action, ToolCall
from coreact.testing import ScriptedModel, call
from coreact.trace import InMemoryTraceStore, Recorder
from coreact.trace.states import state_at
from coreact.train.branch.collecting import collect_stored
from coreact.train.branch.environment import WorldEnvironment
from coreact.train.branch.labelling import Measured, Panel
from coreact.train.branch.looking import Looker, Teacher
from coreact.train.branch.policies import Policies
from coreact.train.branch.sampling import Decision, Policy
from coreact.train.branch.summary import Collected
from coreact.train.branch.visits import read_visits
from coreact.worlds import Corpus, World


def record(store: Any, world: World, question: str, *script: AIMessage, **settings: Any) -> None:
    """One run of a real agent, recorded."""
    tools = corpus_tools(Corpus(world.passages), k=1)[:1]
    middleware = CoReActMiddleware(recorder=Recorder(store, **settings), step_budget=3, retries=0)
    agent = create_agent(
        ScriptedModel(script=list(script)), tools, system_prompt="Be brief.", middleware=[middleware]
    )
    agent.invoke({"messages": [("user", question)]})
    store.flush()


@pytest.fixture
def store(songs: WorldEnvironment) -> InMemoryTraceStore:
    store = InMemoryTraceStore()
    first, second = songs.world.questions[:2]
    record(
        store,
        songs.world,
        first.question,
        call("search", query="Omaha Song"),
        call("search", query="Anna Omaha"),
        AIMessage("Lower Omaha"),
    )
    record(store, songs.world, second.question, call("search", query="Tarn Song"), AIMessage("Spring"))
    return store


def collect(store: Any, folder: Path, *samplers: Any, **settings: Any) -> Collected:
    looker = Looker(
        samplers, labeller=settings.pop("labeller", None), teacher=settings.pop("teacher", None), k=12
    )
    return asyncio.run(collect_stored(store.trajectories(), folder, looker=looker, **settings))


def proposing(decision: Decision) -> list[tuple[str, Action]]:
    queries = ("Omaha Song", "Anna Omaha", "weather")
    return [("anew", Action(call=ToolCall(name="search", arguments={"query": query}))) for query in queries]


def test_every_decision_is_looked_at_in_its_own_state_and_measured(
    store: InMemoryTraceStore, songs: WorldEnvironment, tmp_path: Path
) -> None:
    policies = Policies(songs)
    done = collect(
        store,
        tmp_path,
        Policy("anew", proposing),
        Policy("scripted", policies.of),
        labeller=Measured(songs),
        teacher=Teacher(Policy("ideal", policies.ideal)),
        environment=songs,
    )
    assert (done.questions, done.visits, done.points) == (2, 5, 5)
    assert done.worth == {"gain": 5}
    assert done.drivers == {"stored": 5}
    assert done.ended == {"stored": 2}
    runs = {trajectory.run.id: trajectory for trajectory in store.trajectories()}
    for visit in read_visits(tmp_path):
        assert visit.state == state_at(runs[visit.run], visit.step)
        assert visit.rolled_in == ("stored",) * visit.step
        assert visit.question_id == ("q0" if "Omaha" in visit.state.question else "q1")
        assert visit.teacher is not None or visit.teacher_failed == "it proposes nothing"
    last = max(read_visits(tmp_path), key=lambda visit: visit.step)
    assert last.point is not None
    gains = {str(one.action): one.gain for one in last.point.candidates}
    assert gains.pop("answer: Lower Omaha") == 1.0, "both passages were shown"
    assert set(gains.values()) == {0.0}


def test_what_the_run_did_is_a_candidate_too(
    store: InMemoryTraceStore, songs: WorldEnvironment, tmp_path: Path
) -> None:
    collect(store, tmp_path, Policy("anew", proposing), labeller=Measured(songs), environment=songs)
    followed = [str(visit.followed) for visit in read_visits(tmp_path) if "Omaha" in visit.state.question]
    assert followed == ["search(query='Omaha Song')", "search(query='Anna Omaha')", "answer: Lower Omaha"]
    for visit in read_visits(tmp_path):
        if visit.followed_candidate is not None:
            assert visit.point is not None
            assert visit.point.candidates[visit.followed_candidate].action == visit.followed


def test_samplers_see_what_the_agent_saw(
    store: InMemoryTraceStore, songs: WorldEnvironment, tmp_path: Path
) -> None:
    seen: list[Sequence[BaseMessage]] = []

    def watching(decision: Decision) -> list[Action]:
        seen.append(decision.messages)
        return []

    collect(store, tmp_path, Policy("watching", watching), environment=songs)
    assert sorted(len(messages) for messages in seen) == [2, 2, 4, 4, 6]
    assert {str(messages[0].text) for messages in seen} == {"Be brief."}


def test_a_run_of_another_world_has_no_gains(
    store: InMemoryTraceStore, songs: WorldEnvironment, tmp_path: Path
) -> None:
    passages = [one.model_copy(update={"text": f"{one.text} Really."}) for one in songs.world.passages]
    other = WorldEnvironment(World(name="other", passages=passages, questions=songs.world.questions), k=1)
    done = collect(store, tmp_path, Policy("anew", proposing), labeller=Measured(other), environment=other)
    # Before the first search there is nothing yet that could differ.
    assert done.worth == {"gain": 2, "none": 3}
    assert done.unlabelled == {"the run did not take place in this world": 3}


def test_a_run_without_a_world_is_ranked_by_a_panel_or_by_nobody(
    store: InMemoryTraceStore, songs: WorldEnvironment, tmp_path: Path
) -> None:
    from coreact.judge.panel import Ranking

    class Judge:
        def __init__(self, name: str) -> None:
            self.id = name

        async def arank(self, state: Any, candidates: Sequence[Action], **_: Any) -> Ranking:
            return Ranking(tuple(float(at) for at in range(1, len(candidates) + 1)))

    nobody = collect(store, tmp_path / "nobody", Policy("anew", proposing))
    assert (nobody.worth, nobody.contrast) == ({"none": 5}, 0)
    by_panel = collect(
        store, tmp_path / "panel", Policy("anew", proposing), labeller=Panel([Judge("a"), Judge("b")])
    )
    assert (by_panel.worth, by_panel.contrast) == ({"panel": 5}, 5)
    for visit in read_visits(tmp_path / "panel"):
        assert visit.question_id.startswith("asked-")
        assert visit.point is not None
        assert visit.point.world == ""
        assert visit.point.gains == tuple(-float(at) for at in range(1, len(visit.point.candidates) + 1))


def test_decisions_whose_state_was_not_kept_are_counted(songs: WorldEnvironment, tmp_path: Path) -> None:
    store = InMemoryTraceStore()
    question = songs.world.questions[0].question
    record(store, songs.world, question, AIMessage("Lower Omaha"), capture="off")
    done = collect(store, tmp_path, Policy("anew", proposing))
    assert (done.questions, done.visits) == (1, 0)
    assert done.passed_over == {"state not to be had": 1}


def test_runs_that_are_new_are_added(
    store: InMemoryTraceStore, songs: WorldEnvironment, tmp_path: Path
) -> None:
    collect(store, tmp_path, Policy("anew", proposing))
    before = list(read_visits(tmp_path))
    record(store, songs.world, "What is sung in spring?", AIMessage("Songs"))
    done = collect(store, tmp_path, Policy("anew", proposing))
    assert done.questions == 3
    assert list(read_visits(tmp_path))[:5] == before
    with pytest.raises(ExperimentMismatchError, match="seed"):
        collect(store, tmp_path, Policy("anew", proposing), seed=1)


def test_an_empty_store_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no stored run"):
        collect(InMemoryTraceStore(), tmp_path, Policy("anew", proposing))
