"""Which stored runs may be learned from: by the world that knows the question, else by a hash."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from langchain.agents import create_agent
from langchain_core.messages import AIMessage

from coreact import CoReActMiddleware
from coreact.errors import ConfigError
from coreact.testing import ScriptedModel
from coreact.trace import InMemoryTraceStore, Recorder
from coreact.trace.export.splitting import split_of
from coreact.trace.records import Trajectory
from coreact.train.branch.choice import Choice, asked_id
from coreact.train.branch.environment import WorldEnvironment
from coreact.train.branch.scripted import parts, splits
from coreact.worlds import World, gazetteer


def recorded(*conversations: str | Sequence[str]) -> list[Trajectory]:
    """Runs of a real agent, oldest first; of a conversation, the run of its last turn."""
    store = InMemoryTraceStore()
    for one in conversations:
        agent = create_agent(
            ScriptedModel(script=[AIMessage("So.")]),
            [],
            middleware=[CoReActMiddleware(recorder=Recorder(store))],
        )
        turns = [one] if isinstance(one, str) else list(one)
        messages: list[Any] = [("user", turns[0])]
        for turn in turns[1:]:
            messages += [("assistant", "Well."), ("user", turn)]
        agent.invoke({"messages": messages})
        store.flush()
    return list(store.trajectories())


@pytest.fixture(scope="module")
def held_out(songs: WorldEnvironment) -> tuple[str, str]:
    """A question of the songs to train on, and one that is held out."""
    both = parts(songs.world, n=100, seed=0)
    return both.train[0].question, both.dev[0].question


def test_all_questions_of_a_small_world_have_the_half_that_parts_gives(songs: WorldEnvironment) -> None:
    both = parts(songs.world, n=100, seed=0)
    found = splits(songs.world)
    assert found == {q.id: "train" for q in both.train} | {q.id: "dev" for q in both.dev}
    assert set(found) == set(songs.questions)


def test_questions_of_a_large_world_that_are_never_drawn_have_one_too() -> None:
    world = gazetteer()
    found = splits(world)
    assert set(found) == {question.id for question in world.questions}
    for seed in range(3):
        both = parts(world, n=500, seed=seed)
        assert {found[question.id] for question in both.train} == {"train"}
        assert {found[question.id] for question in both.dev} == {"dev"}


def test_a_question_of_a_known_world_goes_where_the_world_has_it(
    songs: WorldEnvironment, held_out: tuple[str, str]
) -> None:
    learned, measured = held_out
    runs = recorded(learned, measured, f"  {measured.upper()}\n")
    choice = Choice("train", worlds=[songs.world])
    assert [choice.half_of(run) for run in runs] == ["train", "dev", "dev"]
    assert [run.run.question for run in choice.of(runs)] == [learned]
    assert choice.left_out == 2
    assert len(list(Choice("dev", worlds=[songs.world]).of(runs))) == 2


def test_every_question_of_a_world_in_one_half_of_a_store(songs: WorldEnvironment) -> None:
    runs = recorded(*(question.question for question in songs.world.questions))
    halves = {
        half: {run.run.question for run in Choice(half, worlds=[songs.world]).of(runs)}
        for half in ("train", "dev")
    }
    assert not halves["train"] & halves["dev"]
    assert len(halves["train"]) + len(halves["dev"]) == len(runs)
    assert halves["dev"] == {question.question for question in parts(songs.world, n=100, seed=0).dev}


def test_a_conversation_is_held_out_if_it_began_so_or_comes_to_it(
    songs: WorldEnvironment, held_out: tuple[str, str]
) -> None:
    learned, measured = held_out
    runs = recorded(
        [measured, "And when?"], [learned, measured], [learned, "And when?"], [learned, measured, "And when?"]
    )
    choice = Choice("train", worlds=[songs.world])
    assert [choice.half_of(run) for run in runs] == ["dev", "dev", "train", "dev"]
    assert asked_id(runs[2]) == asked_id(recorded(learned)[0]) != asked_id(runs[0])


def test_other_questions_go_by_their_hash_as_exports_deal_them() -> None:
    questions = [f"What is the {at}th word?" for at in range(60)]
    choice = Choice("train")
    found = {run.run.question: choice.half_of(run) for run in recorded(*questions)}
    assert found == {one: split_of(one, (("train", 0.8), ("dev", 0.2))) for one in questions}
    assert 4 <= list(found.values()).count("dev") <= 24


def test_of_two_worlds_that_know_a_question_the_one_that_holds_it_out_counts(
    songs: WorldEnvironment, held_out: tuple[str, str]
) -> None:
    by_text = {one.question: one for one in songs.world.questions}
    # Alone in a world a question is in its second half.
    other = World(name="other", passages=songs.world.passages, questions=(by_text[held_out[0]],))
    (run,) = recorded(held_out[0])
    assert Choice("train", worlds=[songs.world]).half_of(run) == "train"
    assert Choice("train", worlds=[songs.world, other]).half_of(run) == "dev"
    assert Choice("train", worlds=[other, songs.world]).half_of(run) == "dev"


def test_a_fork_follows_its_parent(songs: WorldEnvironment, held_out: tuple[str, str]) -> None:
    parent, check = recorded(held_out[1], held_out[0])
    check = check.model_copy(update={"run": check.run.model_copy(update={"parent": parent.run.id})})
    choice = Choice("train", worlds=[songs.world])
    assert list(choice.of([parent, check])) == []
    assert choice.half_of(recorded(held_out[0])[0]) == "train"


def test_n_takes_the_oldest(songs: WorldEnvironment) -> None:
    runs = recorded(*(question.question for question in songs.world.questions))
    every = list(Choice("dev", worlds=[songs.world]).of(runs))
    assert len(every) == 3
    for n in (1, 2, 9):
        assert list(Choice("dev", worlds=[songs.world], n=n).of(runs)) == every[:n]
    with pytest.raises(ConfigError, match="0 runs"):
        Choice("dev", n=0)
