from __future__ import annotations

from typing import assert_type

import pytest
from coreact_tools import calculator
from langchain.agents import create_agent
from langchain_core.messages import AIMessage, ToolMessage

from coreact.bench.metrics import share
from coreact.bench.records import Episode, Found, Suite
from coreact.bench.suites import (
    QuestionSuite,
    ShortQuestion,
    choose,
    open_suite,
    suite_names,
    suite_options,
    world_suite,
)
from coreact.errors import ConfigError, LabelFileError, WorldError
from coreact.testing import ScriptedModel, call
from coreact.train.branch.scripted import parts
from coreact.worlds import World, load_world

GAIA = {"task_id": "g1", "Question": "How many?", "Level": 1, "Final answer": "17", "file_name": ""}


def figures(suite: QuestionSuite, episode: Episode, at: int = 0) -> dict[str, float]:
    measured = suite.measure(suite.tasks[at], episode)
    assert set(measured) <= {metric.name for metric in suite.metrics}
    return dict(measured)


@pytest.fixture(scope="module")
def world() -> World:
    suite = open_suite("gazetteer", questions=200)
    assert_type(suite, Suite)
    assert isinstance(suite, QuestionSuite)
    assert {(one.kind, len(one.gold)) for one in suite.questions} == {("bridge", 2)}  # the defaults
    assert suite.world is not None
    return suite.world


def test_an_agent_works_on_the_gazetteer_and_is_measured(world):
    suite = world_suite(world, "gazetteer", hops=2, kind="bridge", n=5)
    question = next(one for one in world.questions if one.id == suite.tasks[0].id)
    plan = [*(call("search", query=hop.query) for hop in question.chain), AIMessage(question.answer)]
    agent = create_agent(ScriptedModel(script=plan), list(suite.tools()))
    messages = agent.invoke({"messages": [{"role": "user", "content": suite.tasks[0].prompt}]})["messages"]
    found = tuple(
        Found(tool="search", text=str(message.text), documents=tuple(message.artifact))
        for message in messages
        if isinstance(message, ToolMessage)
    )
    measured = figures(suite, Episode(answer=str(messages[-1].text), found=found))
    assert measured.pop("found_precision") == pytest.approx(
        2 / len({*found[0].documents, *found[1].documents})
    )
    assert measured == {"gold_share": 1, "all_gold": 1, "exact": 1, "contains": 1, "f1": 1}
    assert all(len(one.documents) == 3 for one in found)
    one = {"type": "tool_call", "id": "1", "name": "search", "args": {"query": question.chain[0].query}}
    assert len(suite.tools(1)[0].invoke(one).artifact) == 1
    assert suite.world is world


def test_an_episode_that_failed_is_measured_by_what_it_left(world):
    suite = world_suite(world, n=2)
    gold = suite.question(suite.tasks[0]).gold
    found = figures(suite, Episode(error="down", found=(Found(tool="search", text="", documents=gold[:1]),)))
    assert found["gold_share"] == 1 / len(gold)
    assert found["exact"] == 0
    assert "found_precision" not in figures(suite, Episode())  # nothing was shown


def test_the_draw_depends_on_the_seed_alone(world):
    drawn = [choose(world.questions, split="dev", n=5, seed=seed) for seed in (1, 1, 2)]
    assert drawn[0] == drawn[1] != drawn[2]
    order = [one.id for one in world.questions]
    assert [order.index(one.id) for one in drawn[0]] == sorted(order.index(one.id) for one in drawn[0])
    assert all(one.split == "dev" for one in drawn[0])
    assert len(choose(world.questions, n=10**6)) == 200


def test_a_version_is_of_the_content(world):
    one, same, other = (world_suite(world, hops=2, n=5, seed=seed).version for seed in (1, 1, 2))
    assert one == same != other
    assert one.startswith("sha256:")
    assert len(one) == 71


def test_a_selection_that_leaves_nothing_says_what_there_is(world):
    with pytest.raises(ConfigError, match="hops=9") as failure:
        world_suite(world, hops=9)
    assert "bridge with 2 hops" in failure.value.remedy
    with pytest.raises(ConfigError, match="n=0"):
        world_suite(world, n=0)


def test_tasks_on_one_page_form_a_cluster(world):
    suite = world_suite(world, hops=2)
    for task in suite.tasks:
        assert task.cluster == suite.question(task).gold[0]


def test_questions_without_gold_or_answers_give_what_they_can():
    suite = QuestionSuite(
        "s",
        [
            ShortQuestion(id="a", prompt="Who?", accepted=("Ada", "Ada Berg")),
            ShortQuestion(id="b", prompt="Which?", parts=("Ada", "Bo")),
        ],
        equipment=[calculator],
    )
    assert figures(suite, Episode(answer="It was Ada")) == {"exact": 0, "contains": 1, "f1": 0.5}
    assert figures(suite, Episode(answer="It was Ada"), at=1) == {"loose": 0.5, "loose_all": 0}
    assert [one.name for one in suite.tools()] == ["calculator"]
    assert suite.world is None
    with pytest.raises(ConfigError, match="same id"):
        QuestionSuite("s", [ShortQuestion(id="a", prompt="x")] * 2)


# --- files ----------------------------------------------------------------------------------------


def test_plain_lists(write):
    path = write(
        "bamboogle.jsonl",
        {"id": "b1", "question": "Who?", "answer": "james madison"},
        {"id": "b2", "question": "When?", "answers": ["1809", "in 1809"]},
    )
    suite = open_suite("bamboogle", path.parent)
    assert figures(suite, Episode(answer="James Madison.")) == {"exact": 1, "contains": 1, "f1": 1}
    assert figures(suite, Episode(answer="In 1809"), at=1)["exact"] == 1
    assert not suite.tools()


@pytest.mark.parametrize(
    ("line", "what"),
    [
        ({"id": "b2", "question": "Who?"}, "'answer' is missing"),
        ({"id": "b2", "question": "Who?", "answer": ""}, "with something in them"),
        ({"id": "b2", "question": "Who?", "answers": []}, "with something in them"),
        ({"id": "b2", "question": 7, "answer": "x"}, "must be a text"),
        ("nonsense", "not JSON"),
    ],
)
def test_a_broken_question_is_named(write, line, what):
    path = write("bamboogle.jsonl", {"id": "b1", "question": "Who?", "answer": "x"}, line)
    with pytest.raises(LabelFileError, match=what) as failure:
        open_suite("bamboogle", path)
    assert failure.value.line == 2


def test_strategyqa_has_facts_to_search(write):
    write("strategyqa_facts.jsonl", {"id": "f1", "title": "Bees", "text": "Bees can fly."})
    line = {"id": "s1", "question": "Can bees fly?", "answer": "yes", "fact_ids": ["f1"]}
    path = write("strategyqa_questions.jsonl", line)
    suite = open_suite("strategyqa", path.parent)
    episode = Episode(answer="Yes, they can.", found=(Found(tool="read", text="", documents=("f1",)),))
    found = figures(suite, episode)
    assert (found["yes_no"], found["exact"], found["gold_share"]) == (1, 0, 1)
    for broken in ({**line, "answer": "maybe"}, {**line, "fact_ids": ["f9"]}, {**line, "fact_ids": None}):
        path = write("strategyqa_questions.jsonl", broken)
        with pytest.raises(LabelFileError) as failure:
            open_suite("strategyqa", path)
        assert failure.value.line == 1


def test_gaia_leaves_out_questions_with_files(write):
    path = write(
        "metadata.jsonl",
        GAIA,
        {**GAIA, "task_id": "g2", "file_name": "x.xlsx"},
        {**GAIA, "task_id": "g3", "Level": 2},
    )
    assert [one.id for one in open_suite("gaia", path).tasks] == ["g1", "g3"]
    assert [one.id for one in open_suite("gaia", path, level=2).tasks] == ["g3"]
    with pytest.raises(ConfigError):
        open_suite("gaia", path, level=3)


def test_every_suite_says_what_it_is():
    names = suite_names()
    assert {
        "gazetteer", "multihop", "documents", "fanout", "deepresearch", "biggen", "scholarqa", "healthbench",
        "researchrubrics", "researchqa", "bamboogle", "strategyqa", "gaia",
    } == set(names)  # fmt: skip
    assert all(about.endswith((".", ":")) and len(about) > 20 for about in names.values())
    assert "judge" in suite_options("deepresearch")
    assert "distractors" in suite_options("multihop")


def test_unknown_names_and_options_are_named(tmp_path):
    with pytest.raises(ConfigError, match="no suite 'gazeteer'"):
        open_suite("gazeteer")
    with pytest.raises(ConfigError, match="no suite"):
        suite_options("gazeteer")
    with pytest.raises(ConfigError, match="no option 'judge'") as failure:
        open_suite("gazetteer", judge=None)
    assert "hops" in failure.value.remedy
    with pytest.raises(ConfigError, match="made by the library"):
        open_suite("gazetteer", tmp_path)
    with pytest.raises(LabelFileError, match="no data of its own"):
        open_suite("multihop")
    with pytest.raises(WorldError):
        open_suite("documents", tmp_path)


@pytest.mark.parametrize(
    ("name", "options", "what"),
    [
        ("biggen", {"judge": "gpt"}, "'judge' of the suite 'biggen'"),
        ("biggen", {"equipment": "web"}, "'equipment'"),
        ("multihop", {"n": "many"}, "'n'"),
        ("multihop", {"distractors": "perhaps"}, "'distractors'"),
    ],
)
def test_values_that_do_not_fit_are_named(tmp_path, name, options, what):
    with pytest.raises(ConfigError, match=what):
        open_suite(name, tmp_path, **options)


def test_one_search_by_the_bare_question_on_real_data(data):
    """The known baseline of BM25, all gold in the top ten: about 0.6 with the distractors."""
    suite = open_suite("multihop", data("multihop_qa_open"), distractors=True)
    assert suite.name == "multihop+distractors"
    hits = (tuple(hit.passage.id for hit in suite.corpus.search(task.prompt, k=10)) for task in suite.tasks)
    found = share(
        figures(suite, Episode(found=(Found(tool="search", text="", documents=ids),)), at)["all_gold"]
        for at, ids in enumerate(hits)
    )
    assert found.judged == 200
    assert found.value == pytest.approx(0.6, abs=0.03)


def test_held_out_tasks_are_those_that_no_training_point_may_ask(data):
    place = data("multihop_qa_open")
    every = open_suite("multihop", place).tasks
    kept = {task.id for task in open_suite("multihop", place, held_out=True).tasks}
    trained = {question.id for question in parts(load_world(place), n=100, seed=0).train}
    assert kept
    assert {task.id for task in every} == kept | trained
    assert not kept & trained


@pytest.mark.parametrize(
    ("name", "folder", "tasks"),
    [
        ("documents", "tau2_banking_knowledge", 97),
        ("fanout", "fanoutqa_dev", 310),
        ("bamboogle", "strategyqa_dev_bamboogle", 125),
        ("strategyqa", "strategyqa_dev_bamboogle", 229),
    ],
)
def test_real_questions(data, name, folder, tasks):
    suite = open_suite(name, data(folder))
    assert len(suite.tasks) == tasks
    question = suite.questions[0]
    answer = "; ".join(question.parts or question.accepted)
    shown = Found(tool="read", text="", documents=question.gold)
    found = figures(suite, Episode(answer=answer, found=(shown,) if question.gold else ()))
    assert set(found.values()) == {1}
