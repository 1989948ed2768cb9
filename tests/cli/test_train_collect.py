"""`coreact train collect`: points on disk, figures on the screen, and complaints that name the remedy."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import typer
from coreact_tools import corpus_tools
from langchain.agents import create_agent
from langchain_core.messages import AIMessage
from typer.testing import CliRunner

from coreact import CoReActMiddleware
from coreact.cli.train_collect import collect
from coreact.errors import ConfigError, StoreError
from coreact.testing import ScriptedModel, call
from coreact.trace import Recorder, SQLiteTraceStore
from coreact.train.branch.scripted import parts
from coreact.train.branch.visits import read_visits
from coreact.worlds import Corpus, gazetteer, load_world


@pytest.fixture
def world(tmp_path: Path, write_towns: Callable[..., Path]) -> Path:
    return write_towns(tmp_path / "towns", towns=8)


@pytest.fixture
def run(world: Path, tmp_path: Path) -> Any:
    app = typer.Typer()
    app.command()(collect)

    def of(*arguments: str) -> Any:
        given = ["--world", str(world), "--out", str(tmp_path / "points"), *arguments]
        return CliRunner().invoke(app, given)

    return of


def test_points_of_scripted_policies_need_no_model(run: Any, tmp_path: Path) -> None:
    ended = run()
    assert ended.exit_code == 0, ended.exception
    visits = list(read_visits(tmp_path / "points"))
    assert {visit.question_id for visit in visits} < {f"q{at}" for at in range(8)}
    assert f"of {len(visits)} decisions" in ended.output
    for shown in ("branching points", "with contrast", "Worth      ", "gain", "not diverse"):
        assert shown in ended.output
    assert {path.name for path in (tmp_path / "points").iterdir()} == {
        "collect.json",
        "ends.jsonl",
        "summary.json",
        "visits.jsonl",
    }


def test_a_model_and_a_teacher_by_turns_as_json(run: Any, tmp_path: Path) -> None:
    ended = run(
        *("--model", "scripted:repeat=0.4", "--temperatures", "0.1,1", "--no-policies"),
        *("--roll-in", "teacher", "--beta", "0.5", "--json", "--steps", "3", "--k", "3"),
    )
    assert ended.exit_code == 0, ended.exception
    found = json.loads(ended.stdout)
    assert found["beta"] == 0.5
    assert set(found["drivers"]) == {"student", "teacher"}
    assert found["proposed"] > 2 * found["visits"]
    settings = json.loads((tmp_path / "points" / "collect.json").read_text())
    assert settings["samplers"] == ["scripted:repeat=0.4 0.1 1"]
    assert settings["roll_in"] == {"rule": "teacher", "beta": {"start": 0.5, "end": 0.5}}


def test_both_halves_are_different_questions(run: Any, tmp_path: Path) -> None:
    run("--half", "dev")
    dev = {visit.question_id for visit in read_visits(tmp_path / "points")}
    run("--half", "train", "--out", str(tmp_path / "train"))
    assert not dev & {visit.question_id for visit in read_visits(tmp_path / "train")}


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--no-policies",), "Nobody proposes"),
        (("--temperatures", "hot"), "no list of numbers"),
        (("--beta", "2"), "no share"),
        (("--beta", "1:x"), "no share"),
        (("--judge", "scripted"), "no panel"),
    ],
)
def test_settings_that_cannot_work_are_told(run: Any, arguments: tuple[str, ...], told: str) -> None:
    ended = run(*arguments)
    assert isinstance(ended.exception, ConfigError)
    assert told in str(ended.exception)


def test_a_killed_command_goes_on_to_the_same_bytes(
    run: Any, killing: str, world: Path, tmp_path: Path
) -> None:
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    arguments = ("--guesses", "2", "--roll-in", "random", "--k", "6")
    run(*arguments, "--out", str(whole))
    given = ["train", "collect", "--world", str(world), *arguments, "--out", str(killed)]
    ended = subprocess.run([sys.executable, "-c", killing, "7", *given], capture_output=True, timeout=200)
    assert ended.returncode == -signal.SIGKILL, ended.stderr
    part = (killed / "visits.jsonl").read_bytes()
    assert 0 < len(part) < len((whole / "visits.jsonl").read_bytes())
    assert run(*arguments, "--out", str(killed)).exit_code == 0
    for name in ("visits.jsonl", "ends.jsonl", "collect.json", "summary.json"):
        assert (killed / name).read_bytes() == (whole / name).read_bytes(), name
    assert json.loads((whole / "collect.json").read_text())["samplers"] == ["scripted", "guess 2"]
    again = run(*arguments, "--out", str(killed), "--guesses", "3")
    assert "samplers was" in str(again.exception)


def test_decisions_of_a_store_are_looked_at_anew(run: Any, world: Path, tmp_path: Path) -> None:
    path = tmp_path / "traces.db"
    store = SQLiteTraceStore(path)
    loaded = load_world(world)
    agent = create_agent(
        ScriptedModel(script=[call("search", query="Tarn"), AIMessage("1506")]),
        corpus_tools(Corpus(loaded.passages))[:1],
        system_prompt="Be brief.",
        middleware=[CoReActMiddleware(recorder=Recorder(store), step_budget=3, retries=0)],
    )
    agent.invoke({"messages": [("user", "When was the FOUNDER of Tarn\nborn?")]})
    store.flush()
    store.close()
    ended = run("--store", str(path), "--k", "12", "--json")  # of fewer, a hash of the run's id drops some
    assert ended.exit_code == 0, ended.exception
    found = json.loads(ended.stdout)
    assert (found["ended"], found["worth"], found["questions"]) == ({"stored": 1}, {"gain": 2}, 1)
    visits = list(read_visits(tmp_path / "points"))
    assert [visit.state.given for visit in visits] == [("Be brief.",)] * 2
    assert {visit.question_id for visit in visits} == {"q6"}
    assert visits[0].point is not None
    assert visits[0].point.has_contrast
    assert visits[0].followed in visits[0].point.actions, "what the run did is a candidate"


def asking(path: Path, world: Path, *questions: str) -> None:
    """A trace store with a run of a real agent for each question."""
    store = SQLiteTraceStore(path)
    for question in questions:
        town = question.split()[-2]
        agent = create_agent(
            ScriptedModel(script=[call("search", query=town), AIMessage("1500")]),
            corpus_tools(Corpus(load_world(world).passages))[:1],
            middleware=[CoReActMiddleware(recorder=Recorder(store), step_budget=3, retries=0)],
        )
        agent.invoke({"messages": [("user", question)]})
    store.flush()
    store.close()


def test_held_out_questions_of_a_store_are_left_out(run: Any, world: Path, tmp_path: Path) -> None:
    loaded, path = load_world(world), tmp_path / "traces.db"
    elsewhere = [one for one in gazetteer().questions if one.kind == "bridge"][:12]
    asking(path, world, *(one.question for one in (*loaded.questions, *elsewhere)))
    seen: dict[str, set[str]] = {}
    for half in ("train", "dev"):
        ended = run("--store", str(path), "--half", half, "--out", str(tmp_path / half), "--json")
        assert ended.exit_code == 0, ended.exception
        seen[half] = {visit.state.question for visit in read_visits(tmp_path / half)}
        found = json.loads(ended.stdout)
        assert found["questions"] == len(seen[half])
        assert found["questions"] + found["other_half"] == 20
    halved = parts(loaded, n=100, seed=0)
    for half, ours in (("train", halved.train), ("dev", halved.dev)):
        theirs = {one.question for one in elsewhere if one.split == half}
        assert theirs, "the gazetteer's own questions are known in every world"
        assert seen[half] == {one.question for one in ours} | theirs
    told = run("--store", str(path), "--out", str(tmp_path / "train"))
    assert f"Left out   {len(seen['dev'])} runs of questions of the other half" in told.output
    mixed = run("--store", str(path), "--out", str(tmp_path / "train"), "--half", "dev")
    assert "half was 'train', not 'dev'" in str(mixed.exception)


def test_n_limits_the_runs_of_a_store_and_may_be_raised(run: Any, world: Path, tmp_path: Path) -> None:
    path = tmp_path / "traces.db"
    asking(path, world, *(one.question for one in load_world(world).questions))
    whole = run("--store", str(path), "--out", str(tmp_path / "whole"), "--json")
    assert json.loads(whole.stdout)["questions"] == 4, "all of the half, unless told otherwise"
    for n in (1, 9):
        ended = run("--store", str(path), "--n", str(n), "--json")
        assert json.loads(ended.stdout)["questions"] == min(n, 4)
    for name in ("visits.jsonl", "ends.jsonl", "collect.json", "summary.json"):
        assert (tmp_path / "points" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()


def test_runs_that_are_not_looked_at_are_not_counted_as_work(
    run: Any, world: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("NO_COLOR", "1")
    both = parts(load_world(world), n=2, seed=0)
    path = tmp_path / "traces.db"
    asking(path, world, *(one.question for one in (*both.train, *both.dev)))
    assert " 1/?" in run("--store", str(path), "--n", "1").output
    assert " 2/2" in run("--n", "2", "--out", str(tmp_path / "live")).output


def test_a_store_of_held_out_questions_alone_is_told(run: Any, world: Path, tmp_path: Path) -> None:
    path, loaded = tmp_path / "traces.db", load_world(world)
    asking(path, world, *(one.question for one in parts(loaded, n=2, seed=0).dev))
    ended = run("--store", str(path))
    assert isinstance(ended.exception, ConfigError)
    assert "all 2 stored runs belong to the half 'dev'" in str(ended.exception)
    assert "--half dev" in ended.exception.remedy


@pytest.mark.parametrize(
    "given",
    [("--roll-in", "best"), ("--beta", "1:0"), ("--steps", "4"), ("--roll-in", "teacher", "--beta", "0.5")],
)
def test_what_means_nothing_of_stored_runs_is_refused(
    run: Any, world: Path, tmp_path: Path, given: tuple[str, ...]
) -> None:
    """Where it is given: also with the value that it has by default."""
    path = tmp_path / "traces.db"
    asking(path, world, load_world(world).questions[0].question)
    ended = run("--store", str(path), *given)
    assert isinstance(ended.exception, ConfigError)
    assert all(option in str(ended.exception) for option in given[::2])
    assert "Leave out" in ended.exception.remedy
    assert not (tmp_path / "points").exists()


def test_what_failed_is_told(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    async def gone(self: object, *_: object) -> None:
        raise OSError("the index is gone")

    with monkeypatch.context() as patched:
        patched.setattr("coreact.train.branch.environment.WorldEnvironment.execute", gone)
        ended = run()
    assert ended.exit_code == 0
    assert "with OSError: the index is gone" in ended.output
    assert "tries failed questions again" in ended.output
    assert "Failed" not in run().output


def test_a_store_that_is_not_there_is_not_made(run: Any, tmp_path: Path) -> None:
    ended = run("--store", str(tmp_path / "none.db"))
    assert isinstance(ended.exception, StoreError)
    assert not (tmp_path / "none.db").exists()
