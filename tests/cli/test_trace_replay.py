"""`coreact trace replay` and `coreact trace fork`, from runs that `coreact run` made."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import pytest_socket

from coreact.local import status
from coreact.trace import RunRecord, SQLiteTraceStore, Trajectory

STORE = Path(".coreact/traces.db")
Coreact = Callable[..., Any]
RUBRIC = "1. [0.6] Name the country.\n2. [0.4] Be brief.\n"


def stored(path: Path = STORE) -> list[Trajectory]:
    store = SQLiteTraceStore(path)
    try:
        return list(store.trajectories())
    finally:
        store.close()


@pytest.fixture
def parent(coreact: Coreact, stubborn: Any) -> Trajectory:
    assert coreact("run", "--world", "world", *stubborn.options).code == 0
    (run,) = stored()
    return run


# --- replay -------------------------------------------------------------------------------------------------


def test_a_run_is_replayed_with_every_socket_closed(
    coreact: Coreact, stubborn: Any, parent: Trajectory
) -> None:
    asked = len(stubborn.requests)
    pytest_socket.disable_socket(allow_unix_socket=False)
    try:
        ended = coreact("trace", "replay", parent.run.id[:-1])
    finally:
        pytest_socket.enable_socket()
        pytest_socket.socket_allow_hosts(["127.0.0.1", "localhost", "::1"], allow_unix_socket=True)
    assert (ended.code, ended.err) == (0, "")
    assert "every decision came out as recorded" in ended.out
    assert ended.out.count("written anew") == len(parent.steps)
    assert len(stubborn.requests) == asked
    assert stored() == [parent], "a replay writes nothing"


def test_replay_as_json(coreact: Coreact, parent: Trajectory) -> None:
    report = json.loads(coreact("trace", "replay", parent.run.id, "--json").out)
    assert (report["run"], report["answers"]) == (parent.run.id, "calls")
    assert [step["attempts"] for step in report["steps"]] == [1, 2, 1]


def test_a_run_from_before_calls_were_kept(coreact: Coreact, parent: Trajectory) -> None:
    with closing(sqlite3.connect(STORE)) as connection, connection:
        connection.execute("DELETE FROM call")
    ended = coreact("trace", "replay", parent.run.id)
    assert ended.code == 0
    assert "without calls" in ended.out


def test_a_decision_that_comes_out_otherwise_ends_with_its_name(
    coreact: Coreact, complaint: Any, parent: Trajectory
) -> None:
    with closing(sqlite3.connect(STORE)) as connection, connection:
        connection.execute("UPDATE step SET rung = 'judge' WHERE idx = 1")
    ended = coreact("trace", "replay", parent.run.id)
    said = complaint(ended, code=1, remedy="settings must be those of the recorded run")
    assert f"Step 1 of run {parent.run.id} comes out otherwise: rung was 'judge', is 'panel'" in said
    fault = json.loads(coreact("trace", "replay", parent.run.id, "--json").err)
    assert fault["error"] == "ReplayDivergenceError"


# --- fork ---------------------------------------------------------------------------------------------------


def test_samples_are_forked_and_stored(coreact: Coreact, serve: Any, parent: Trajectory) -> None:
    server = serve([("search", {"query": "Burkina Faso currency"}), "The franc.", "It is unknown."])
    place = f"{parent.run.id}@1"
    ended = coreact("trace", "fork", place, "--samples", "2", "--world", "world", "--json", *server.options)
    assert (ended.code, ended.err) == (0, "")
    rows = [json.loads(line) for line in ended.out.splitlines()]
    assert [(row["parent"], row["forked_at"], row["seed"]) for row in rows] == [
        (parent.run.id, 1, 0),
        (parent.run.id, 1, 1),
    ]
    assert rows[0]["did"] == "search(query='Burkina Faso currency')"
    assert rows[0]["answer"] == "The franc."
    assert rows[1]["answer"] == "It is unknown."
    assert [body["seed"] for body in server.requests] == [0, 0, 1, *[1] * (len(server.requests) - 3)]
    assert {body["temperature"] for body in server.requests} == {0.8}
    forks = [run for run in stored() if run.run.parent == parent.run.id]
    assert [run.run.id for run in forks] == [row["run"] for row in rows]
    for fork in forks:
        assert fork.steps[0].index == 1
        assert fork.prompt(1) == parent.prompt(1)
        assert fork.steps[0].state_digest == parent.steps[1].state_digest
        assert fork.steps[0].guidance == parent.steps[1].guidance
        assert fork.run.settings == parent.run.settings
        assert fork.end is not None
        assert fork.end.status == "done"
        assert coreact("trace", "replay", fork.run.id).code == 0


def test_a_fork_is_shown_as_a_table(coreact: Coreact, serve: Any, parent: Trajectory) -> None:
    server = serve(["The [red]franc[/red]\x1b[31m."])
    ended = coreact("trace", "fork", f"{parent.run.id}@2", "--world", "world", *server.options)
    assert ended.code == 0
    assert f"1 run begun at step 2 of run {parent.run.id}" in ended.out
    assert "The [red]franc[/red]." in ended.out
    assert {body["temperature"] for body in server.requests} == {0.0}


def test_a_fork_with_another_rubric(coreact: Coreact, serve: Any, parent: Trajectory) -> None:
    Path("rubric.txt").write_text(RUBRIC, encoding="utf-8")
    server = serve(["The franc."])
    options = ["--rubric", "rubric.txt", "--world", "world", "--json"]
    ended = coreact("trace", "fork", f"{parent.run.id}@2", *options, *server.options)
    assert ended.code == 0, ended
    fork = next(run for run in stored() if run.run.parent is not None)
    assert fork.steps[0].generator.startswith("fixed:")
    assert "Name the country." in fork.steps[0].guidance
    assert "Name the country." in server.requests[0]["messages"][-1]["content"]
    assert coreact("trace", "replay", fork.run.id).code == 0


@pytest.mark.parametrize("place", ["abc", "@1", "abc@", "abc@x", "abc@-1"])
def test_what_is_no_place_is_refused(coreact: Coreact, complaint: Any, place: str) -> None:
    complaint(coreact("trace", "fork", place), code=2, remedy="Write RUN@STEP")


def test_steps_agents_and_worlds_that_are_not_there(
    coreact: Coreact, complaint: Any, parent: Trajectory, serve: Any, make_world: Any
) -> None:
    complaint(coreact("trace", "fork", f"{parent.run.id}@7"), code=2, remedy="Its steps are: 0 to 2.")
    server = serve(["x"])
    make_world(Path("long"), "Burkina Faso is a country. " * 100)  # so long that there is a tool to read it
    ended = coreact("trace", "fork", f"{parent.run.id}@1", "--world", "long", *server.options)
    complaint(ended, code=2, remedy="--world")
    assert server.requests == []
    store = SQLiteTraceStore(STORE)
    store.start(RunRecord(id="other", question="?", agent="mine"))
    for step in parent.steps:
        store.step(step.model_copy(update={"run": "other"}))
    store.close()
    complaint(coreact("trace", "fork", "other@1"), code=2, remedy="coreact.guide.forking.Fork")


@pytest.mark.local_model
def test_the_embedded_model_is_recorded_replayed_and_forked(coreact: Coreact) -> None:
    found = status()
    if not found.present or found.xllamacpp_version is None:
        pytest.skip("the embedded model is not on this machine: `coreact local pull`")
    assert coreact("run", "--world", "world", "--tool-calls", "2", "--json").code == 0
    (run,) = stored()
    assert {call.kind for call in run.calls} >= {"model"}
    assert coreact("trace", "replay", run.run.id).code == 0
    last = run.steps[-1].index
    ended = coreact("trace", "fork", f"{run.run.id}@{last}", "--samples", "2", "--world", "world", "--json")
    assert ended.code == 0, ended
    forks = [one for one in stored() if one.run.parent == run.run.id]
    assert len(forks) == 2
    for fork in forks:
        assert fork.prompt(last) == run.prompt(last)
        assert coreact("trace", "replay", fork.run.id).code == 0
