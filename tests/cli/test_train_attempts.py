"""`coreact train attempts`: what stored runs tried, as a collection that goes on where it was stopped."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import typer
from coreact_tools import corpus_tools, searching_tools
from langchain.agents import create_agent
from langchain_core.messages import AIMessage
from typer.testing import CliRunner

from coreact import CoReActMiddleware
from coreact.cli.models import open_model
from coreact.cli.recipes import load_agent
from coreact.cli.train_attempts import attempts
from coreact.cli.train_collect import collect
from coreact.errors import ConfigError, ExperimentMismatchError, ExportError, StoreError
from coreact.generate.fixed import FixedGenerator
from coreact.rubric import ArgumentContains, Criterion, Rubric
from coreact.testing import ScriptedModel, call
from coreact.trace import Recorder, SQLiteTraceStore
from coreact.train.branch.attempts import collect_attempts
from coreact.train.branch.scripted import parts, splits
from coreact.train.branch.visits import read_visits
from coreact.train.points import read_points
from coreact.train.row_files import RowSettings, write_rows
from coreact.train.stored import stored_points
from coreact.worlds import Corpus, Passage, World, gazetteer, load_world

RUBRIC = Rubric(
    criteria=(
        Criterion(id="name", text="Name it.", check=ArgumentContains(argument="query", terms=("Song",))),
        Criterion(id="new", text="Ask for its singer.", check=ArgumentContains(terms=("sung",))),
    )
)
GOOD = (call("search", query="hills"), call("search", query="Omaha Song sung"), AIMessage("So."))
"""The first search fails and is tried again."""
SAME = (call("search", query="hills"), call("search", query="hills"), AIMessage("So."))


PASSAGES = (
    Passage(id="s", title="Omaha Song", text="Omaha Song was sung in the hills."),
    Passage(id="h", title="Hills", text="The hills are green."),
)


def record(path: Path, questions: Sequence[str], *script: Any, rubric: Rubric = RUBRIC) -> None:
    """Runs of a real guided agent with one retry, added to a store."""
    store = SQLiteTraceStore(path)
    tools = corpus_tools(Corpus(PASSAGES))[:1]
    for question in questions:
        guide = CoReActMiddleware(
            generator=FixedGenerator(rubric), recorder=Recorder(store), step_budget=3, retries=1
        )
        agent = create_agent(ScriptedModel(script=list(script)), tools, middleware=[guide])
        agent.invoke({"messages": [("user", question)]})
    store.flush()
    store.close()


@pytest.fixture(scope="module")
def world() -> World:
    return gazetteer()


@pytest.fixture(scope="module")
def halved(world: World) -> dict[str, list[str]]:
    """Some questions of the gazetteer by their half."""
    both = parts(world, n=4, seed=0)
    return {half: [one.question for one in getattr(both, half)] for half in ("train", "dev")}


@pytest.fixture
def run(tmp_path: Path) -> Any:
    app = typer.Typer()
    app.command()(attempts)

    def of(*arguments: str) -> Any:
        given = ["--store", str(tmp_path / "traces.db"), "--out", str(tmp_path / "points"), *arguments]
        return CliRunner().invoke(app, given)

    return of


def test_attempts_of_training_questions_become_points(
    run: Any, world: World, halved: dict[str, list[str]], tmp_path: Path
) -> None:
    path = tmp_path / "traces.db"
    record(path, [*halved["train"][:2], *halved["dev"][:2]], *GOOD)
    record(path, halved["train"][2:3], *SAME)
    ended = run("--json")
    assert ended.exit_code == 0, ended.exception
    found = json.loads(ended.stdout)
    assert (found["questions"], found["other_half"], found["ended"]) == (3, 2, {"stored": 3})
    assert (found["visits"], found["points"], found["contrast"]) == (2, 2, 2)
    assert found["worth"] == {"verdicts": 2}
    assert found["passed_over"] == {"nothing judged": 3, "one action": 1}, "answers have no query to check"
    assert found["proposed"] == 4
    visits = list(read_visits(tmp_path / "points"))
    ids = {one.question: one.id for one in world.questions}
    assert [visit.question_id for visit in visits] == [ids[one] for one in halved["train"][:2]]
    for visit in visits:
        assert visit.point is not None
        assert visit.point.question_id == visit.question_id
        assert visit.point.gains == (-2, -1)
        assert visit.followed_candidate == 1, "the retry was taken"
        assert visit.point.actions[1] == visit.followed
        assert visit.proposed == len(visit.point.candidates) + sum(visit.dropped.values())
    told = run()
    assert "Worth      2 verdicts" in told.output
    assert "Left out   2 runs of questions of the other half" in told.output


def test_the_points_are_those_of_the_library_and_can_be_trained_on(
    run: Any, killing: str, halved: dict[str, list[str]], tmp_path: Path
) -> None:
    path = tmp_path / "traces.db"
    record(path, [*halved["train"], "Which song was sung last?"], *GOOD)
    assert run().exit_code == 0
    found = list(read_points(tmp_path / "points"))
    store = SQLiteTraceStore(path)
    by_library = {one.id: one for one in stored_points(store)}
    store.close()
    assert len(found) == len(by_library) == 5
    for one in found:
        assert by_library[one.id].model_copy(update={"question_id": one.question_id}) == one
    assert sum(one.question_id.startswith("asked-") for one in found) == 1
    manifest = write_rows(
        tmp_path / "points",
        tmp_path / "rows",
        RowSettings(kind="sft", form="lines", split=(("train", 1.0),)),
    )
    assert manifest.judges == ("checks",)
    assert manifest.points == 5
    # A lesson of lines, only where the words of the question tell the two attempts apart.
    assert manifest.splits["train"].questions == 1


def test_the_other_half_and_no_more_runs_than_asked_for(
    run: Any, killing: str, halved: dict[str, list[str]], tmp_path: Path
) -> None:
    record(tmp_path / "traces.db", [*halved["train"], *halved["dev"]], *GOOD)
    dev = run("--half", "dev", "--n", "3", "--out", str(tmp_path / "dev"), "--json")
    assert json.loads(dev.stdout)["points"] == 3
    states = [visit.state.question for visit in read_visits(tmp_path / "dev")]
    assert states == halved["dev"][:3]
    mixed = run("--half", "train", "--out", str(tmp_path / "dev"))
    assert isinstance(mixed.exception, ExperimentMismatchError)


def test_runs_of_the_other_half_are_not_counted_as_work(
    run: Any, halved: dict[str, list[str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("NO_COLOR", "1")
    record(tmp_path / "traces.db", [*halved["train"][:2], *halved["dev"][:1]], *GOOD)
    assert " 2/?" in run().output


def test_runs_that_are_new_are_added(run: Any, halved: dict[str, list[str]], tmp_path: Path) -> None:
    path = tmp_path / "traces.db"
    record(path, halved["train"][:1], *GOOD)
    assert run().exit_code == 0
    before = (tmp_path / "points" / "visits.jsonl").read_bytes()
    record(path, halved["train"][1:3], *GOOD)
    assert json.loads(run("--json").stdout)["points"] == 3
    after = (tmp_path / "points" / "visits.jsonl").read_bytes()
    assert after.startswith(before)
    assert after.count(b"\n") == 3
    whole = run("--out", str(tmp_path / "whole"))
    assert whole.exit_code == 0
    assert (tmp_path / "whole" / "visits.jsonl").read_bytes() == after


def test_a_killed_command_goes_on_to_the_same_bytes(
    run: Any, killing: str, halved: dict[str, list[str]], tmp_path: Path
) -> None:
    path, whole, killed = tmp_path / "traces.db", tmp_path / "whole", tmp_path / "killed"
    record(path, halved["train"], *GOOD)
    assert run("--out", str(whole)).exit_code == 0
    given = ["train", "attempts", "--store", str(path), "--out", str(killed)]
    ended = subprocess.run([sys.executable, "-c", killing, "5", *given], capture_output=True, timeout=200)
    assert ended.returncode == -signal.SIGKILL, ended.stderr
    part = (killed / "visits.jsonl").read_bytes()
    assert 0 < len(part) < len((whole / "visits.jsonl").read_bytes())
    assert run("--out", str(killed)).exit_code == 0
    for name in ("visits.jsonl", "ends.jsonl", "collect.json", "summary.json"):
        assert (killed / name).read_bytes() == (whole / name).read_bytes(), name


def test_a_store_without_verdicts_is_told(run: Any, halved: dict[str, list[str]], tmp_path: Path) -> None:
    prose = Rubric(criteria=(Criterion(id="c", text="The search shows insight."),))
    record(tmp_path / "traces.db", halved["train"][:1], *GOOD, rubric=prose)
    ended = run()
    assert isinstance(ended.exception, ExportError)
    assert "No step of 1 stored runs was judged by 'run'" in str(ended.exception)
    assert "rejudge" in ended.exception.remedy
    human = run("--evaluator", "human", "--out", str(tmp_path / "human"))
    assert "'human'" in str(human.exception)


def test_runs_that_cannot_be_read_are_told_and_not_called_unjudged(tmp_path: Path) -> None:
    path = tmp_path / "traces.db"
    record(path, ["Which song?"], *GOOD)
    store = SQLiteTraceStore(path)
    (whole,) = store.trajectories()
    store.close()
    step = whole.steps[0]
    attempt = step.attempts[0].model_copy(update={"message": {"type": "ai", "data": "no object"}})
    step = step.model_copy(update={"attempts": (attempt, *step.attempts[1:])})
    odd = whole.model_copy(update={"steps": (step, *whole.steps[1:])})
    found = asyncio.run(collect_attempts([odd], tmp_path / "points"))
    assert (found.ended, found.visits) == ({"failed": 1}, 0)
    assert "MessagesError" in next(iter(found.errors))


def test_a_question_is_known_without_case_and_blanks(
    run: Any, world: World, halved: dict[str, list[str]], tmp_path: Path
) -> None:
    question = halved["train"][0]
    record(tmp_path / "traces.db", [question, f" {question.upper()}"], *GOOD)
    assert run().exit_code == 0
    ids = {one.question: one.id for one in world.questions}
    assert {visit.question_id for visit in read_visits(tmp_path / "points")} == {ids[question]}


def test_no_store_and_no_run_are_told(run: Any, tmp_path: Path) -> None:
    ended = run()
    assert isinstance(ended.exception, StoreError)
    assert not (tmp_path / "traces.db").exists()
    (tmp_path / "traces.db").touch()
    ended = run()
    assert isinstance(ended.exception, ConfigError)
    assert "no stored run" in str(ended.exception)


def test_real_runs_over_real_questions(run: Any, tmp_path: Path) -> None:
    """A scripted searcher with known errors, guided by the default rubrics, over Wikipedia questions."""
    root = Path(__file__).resolve().parents[2]
    data = Path(os.environ.get("COREACT_DATA") or root.parent / "shared" / "data")
    folder = data / "multihop_qa_open"
    if not folder.is_dir():
        pytest.skip(f"no multihop_qa_open in {data}; set COREACT_DATA to the folder that has it")
    world = load_world(folder)
    store = SQLiteTraceStore(tmp_path / "traces.db")
    tools = searching_tools(Corpus(world.passages), world.passages)
    asked = world.questions[:30]
    with open_model("scripted:repeat=0.4,stop_early=0.2", world=world) as model:
        for question in asked:
            guide = CoReActMiddleware(recorder=Recorder(store), step_budget=4, retries=1)
            agent = load_agent("react").build(model, tools, middleware=[guide], tool_calls=4)
            agent.invoke({"messages": [("user", question.question)]})
    store.flush()
    store.close()
    app = typer.Typer()
    app.command()(collect)
    halves = splits(world)
    found = {}
    for half in ("train", "dev"):
        anew = [
            *("--store", str(tmp_path / "traces.db"), "--out", str(tmp_path / f"{half} anew")),
            *("--world", str(folder), "--half", half, "--n", "6", "--k", "8", "--json"),
        ]
        collected = CliRunner().invoke(app, anew)
        assert collected.exit_code == 0, collected.exception
        assert json.loads(collected.stdout)["questions"] == 6
        visits = list(read_visits(tmp_path / f"{half} anew"))
        assert {visit.worth for visit in visits} == {"gain"}, "the runs took place in this world"
        assert {halves[visit.question_id] for visit in visits} == {half}
        proposed = {one.source for visit in visits if visit.point for one in visit.point.candidates}
        assert {"read again", "read cut"} <= proposed
        ended = run("--world", str(folder), "--half", half, "--out", str(tmp_path / half), "--json")
        assert ended.exit_code == 0, ended.exception
        counted = json.loads(ended.stdout)
        assert counted["questions"] + counted["other_half"] == len(asked)
        found[half] = {visit.question_id for visit in read_visits(tmp_path / half)}
        assert {halves[one] for one in found[half]} == {half}
        assert counted["contrast"] == counted["points"] > 1
    assert not found["train"] & found["dev"]
