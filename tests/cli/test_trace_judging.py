"""`coreact trace rejudge` against a real store, a real run and a real server on loopback."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from langchain.agents import create_agent
from langchain_core.messages import AIMessage
from langchain_core.tools import tool

from coreact.cli.trace import judging
from coreact.guide import CoReActMiddleware
from coreact.rubric import Criterion, NotRepeat, Rubric
from coreact.rubric.bundle import RubricBundle
from coreact.testing import ScriptedGenerator, ScriptedJudge, record_into, sample_trajectory
from coreact.testing.scripted import ScriptedModel, call
from coreact.trace import Recorder, SQLiteTraceStore, Trajectory

Coreact = Callable[..., Any]
Complaint = Callable[..., str]

RUBRIC = Rubric(
    criteria=(
        Criterion(id="new", text="Make a new call", check=NotRepeat()),
        Criterion(id="river", text="Name the [red]river[/red]"),
    )
)


@tool
def search(query: str) -> str:
    """Search for passages."""
    return f"About {query}: the Elbe rises in the Giant Mountains."


def record_run(store: SQLiteTraceStore, question: str = "Where does the Elbe rise?") -> str:
    judge = ScriptedJudge(lambda criterion, action: "unmet", name="judge-a")
    middleware = CoReActMiddleware(
        generator=ScriptedGenerator(RUBRIC), judge=judge, recorder=Recorder(store), retries=0
    )
    model = ScriptedModel(script=[call("search", query="Elbe"), AIMessage("In the Giant Mountains.")])
    create_agent(model, [search], middleware=[middleware]).invoke({"messages": [("user", question)]})
    store.flush()
    return store.runs(1)[0].id


@pytest.fixture
def run(here: Path) -> str:
    store = SQLiteTraceStore(".coreact/traces.db")
    run_id = record_run(store)
    store.close()
    return run_id


def stored(run_id: str) -> Trajectory:
    return SQLiteTraceStore(".coreact/traces.db").trajectory(run_id)


def saying(status: str, quote: str = "the Elbe") -> str:
    return json.dumps({"k1": {"reason": "I looked.", "quotes": [quote], "status": status}})


def test_checks_say_what_they_said(coreact: Coreact, run: str) -> None:
    ended = coreact("trace", "rejudge", run[:20])
    assert ended.code == 0, ended.err
    assert "checks: 2 new judgements on 1 runs" in ended.out
    assert "flips" in ended.out
    assert "100.0%" in ended.out
    assert [one.evaluator.name for one in stored(run).judgements] == ["checks", "checks"]
    again = coreact("trace", "rejudge")
    assert "0 new judgements on 1 runs, 2 were there already" in again.out
    assert len(stored(run).judgements) == 2


def test_a_model_flips_verdicts_and_both_reasons_are_shown(
    coreact: Coreact, run: str, serve: Callable[..., Any]
) -> None:
    server = serve([saying("met")])
    ended = coreact("trace", "rejudge", run, *server.options, "--concurrency", "1")
    assert ended.code == 0, ended.err
    assert f"{run}@0.0 unmet → met Name the [red]river[/red]" in ended.out
    assert "then judge-a: by script" in ended.out
    assert "now scripted@" in ended.out
    assert "I looked." in ended.out
    assert "failed → passed 2" in ended.out
    assert "cost: 2 calls, 20 tokens" in ended.out
    assert "score: +0.750 [+0.750, +0.750] (questions: 1)" in ended.out
    assert len(server.requests) == 2
    report = json.loads(coreact("trace", "rejudge", run, *server.options, "--json").out)
    assert len(server.requests) == 2, "nobody is asked twice"
    assert (report["made"], report["known"], report["compared"]) == (0, 2, 2)
    assert {(flip["before"], flip["after"]) for flip in report["flips"]} == {("unmet", "met")}
    assert (report["overall"]["items"], report["overall"]["same"]) == (4, 2)
    assert report["score_change"]["value"] == pytest.approx(0.75)
    assert report["interrupted"] is False
    evaluator = report["evaluator"]
    assert (evaluator["kind"], evaluator["model"]) == ("model", "scripted")
    more = coreact("trace", "rejudge", run, *server.options, "--samples", "2", "--again", "--json")
    assert json.loads(more.out)["made"] == 4
    assert sorted(one.sample for one in stored(run).judgements) == [0, 0, 1, 1, 2, 2]


def test_another_rubric_plain_or_locked(coreact: Coreact, run: str, here: Path) -> None:
    rubric = Rubric(criteria=RUBRIC.criteria[:1], threshold=1.0)
    (here / "rubric.json").write_text(rubric.model_dump_json(), encoding="utf-8")
    RubricBundle(rubric=rubric).save(here / "locked.json")
    assert "2 new judgements" in coreact("trace", "rejudge", "--rubric", "rubric.json").out
    assert "2 were there already" in coreact("trace", "rejudge", "--rubric", "locked.json").out
    assert {one.rubric.lock for one in stored(run).judgements} == {rubric.lock}


def test_a_rubric_on_answers(coreact: Coreact, run: str, here: Path, serve: Callable[..., Any]) -> None:
    rubric = Rubric(criteria=(Criterion(id="place", text="Name the place"),), scope="answer")
    (here / "answer.json").write_text(rubric.model_dump_json(), encoding="utf-8")
    server = serve([saying("met", "Giant Mountains")])
    ended = coreact("trace", "rejudge", *server.options, "--rubric", "answer.json", "--json")
    assert json.loads(ended.out)["statuses"] == {"met": 1}
    (made,) = stored(run).judgements
    assert made.place == (None, None, None)


def test_another_evaluator_is_what_is_compared_with(
    coreact: Coreact, run: str, serve: Callable[..., Any]
) -> None:
    server = serve([saying("met"), saying("met"), saying("partial")])
    coreact("trace", "rejudge", *server.options)
    first = stored(run).judgements[0].evaluator.name
    other = coreact("trace", "rejudge", *server.options, "--seed", "7", "--against", first, "--json")
    report = json.loads(other.out)
    assert {(flip["before"], flip["after"]) for flip in report["flips"]} == {("met", "partial")}


def test_only_the_runs_that_are_meant(coreact: Coreact, run: str) -> None:
    store = SQLiteTraceStore(".coreact/traces.db")
    other = record_run(store, "What about the Rhine?")
    store.close()
    ended = coreact("trace", "rejudge", "--question", "rhine", "--selected-only")
    assert "2 new judgements on 1 runs" in ended.out
    assert stored(run).judgements == ()
    assert len(stored(other).judgements) == 2


def test_what_is_left_out_is_counted_and_named(coreact: Coreact, run: str) -> None:
    store = SQLiteTraceStore(".coreact/traces.db")
    record_into(store, sample_trajectory("odd-1"))
    store.close()
    ended = coreact("trace", "rejudge")
    assert "left out 3: Step … of run … gives another state" in ended.out
    assert "odd-1@0" in ended.out


def test_an_interrupt_keeps_what_was_judged(
    coreact: Coreact, run: str, serve: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    server = serve([saying("met")])
    whole = judging.Progress.update
    told = []

    def interrupted(self: Any, *arguments: Any, **more: Any) -> None:
        whole(self, *arguments, **more)
        told.append(more)
        raise KeyboardInterrupt

    monkeypatch.setattr(judging.Progress, "update", interrupted)
    ended = coreact("trace", "rejudge", run, *server.options, "--concurrency", "1")
    assert ended.code == 130
    assert "1 new judgements on 1 runs" in ended.out
    assert "the same command goes on" in ended.err
    kept = len(stored(run).judgements)
    assert 1 <= kept <= 2
    monkeypatch.setattr(judging.Progress, "update", whole)
    rest = coreact("trace", "rejudge", run, *server.options)
    assert f"{2 - kept} new judgements" in rest.out
    assert len(stored(run).judgements) == 2


def test_a_server_that_is_down_gives_unknown_and_then_the_same_command_mends_it(
    coreact: Coreact, run: str, serve: Callable[..., Any]
) -> None:
    server = serve([saying("met")])
    server.status = 400
    ended = coreact("trace", "rejudge", run, *server.options)
    assert ended.code == 0, ended.err
    assert "broken instruments: " in ended.out
    assert {v.fault for one in stored(run).judgements for v in one.judgement.verdicts[1:]} == {"instrument"}


@pytest.mark.parametrize(
    ("arguments", "remedy"),
    [
        (("nosuch",), "coreact trace list"),
        (("--agent", "nobody"), "widen the options"),
        (("--base-url", "http://127.0.0.1:1/v1"), "--model"),
        (("--rubric", "none.json"), ""),
        (("--rubric", "broken.json"), ""),
        (("--since", "soon"), "2026-11-01"),
        (("--samples", "2"), "Ask a judge"),
        (("--store", "none.db"), "COREACT_STORE"),
    ],
)
def test_bad_input_is_told_in_one_line(
    coreact: Coreact, run: str, here: Path, complaint: Complaint, arguments: tuple[str, ...], remedy: str
) -> None:
    (here / "broken.json").write_text('{"criteria": [{"id": "a"}]}', encoding="utf-8")
    ended = coreact("trace", "rejudge", *arguments)
    complaint(ended, code=1 if "--store" in arguments else 2, remedy=remedy)
    assert stored(run).judgements == ()


def test_runs_without_a_rubric_ask_for_one(coreact: Coreact, here: Path, complaint: Complaint) -> None:
    store = SQLiteTraceStore(".coreact/traces.db")
    run_id = record_run(store)
    whole = store.trajectory(run_id)
    bare = [step.model_copy(update={"rubric": None, "run": "bare"}) for step in whole.steps]
    store.start(whole.run.model_copy(update={"id": "bare"}))
    for step in bare:
        store.step(step)
    store.close()
    told = complaint(coreact("trace", "rejudge", "bare"), code=2, remedy="--rubric")
    assert "The step has no rubric" in told


def test_without_the_extra_the_rest_is_shown(
    coreact: Coreact, run: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    import sys

    for name in ("sklearn.metrics", "krippendorff", "scipy.stats"):
        monkeypatch.setitem(sys.modules, name, None)
    ended = coreact("trace", "rejudge", run)
    assert ended.code == 0, ended.err
    assert "100.0%" in ended.out
    assert "coreact[judge]" in ended.out
