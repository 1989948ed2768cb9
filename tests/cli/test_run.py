"""`coreact run` from the command line to the trace store, against a chat server on loopback."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from coreact.local import status
from coreact.trace import SQLiteTraceStore, Trajectory

QUESTION = "Which currency is used in the country whose capital is Ouagadougou?"
ANSWER = "The West African CFA franc."
STORE = Path(".coreact/traces.db")

Coreact = Callable[..., Any]


def the_run(path: Path = STORE) -> Trajectory:
    store = SQLiteTraceStore(path)
    try:
        (summary,) = store.runs()
        return store.trajectory(summary.id)
    finally:
        store.close()


def test_everything_is_shown_and_stored(coreact: Coreact, stubborn: Any) -> None:
    ended = coreact("run", "--world", "world", *stubborn.options)
    assert (ended.code, ended.err) == (0, "")
    stored = the_run()
    for shown in (
        f"Question  {QUESTION}",
        'Search for "Ouagadougou".',  # the rubric
        "→ search(query='Ouagadougou capital')",
        "✓ Make a call that was not made before.",
        "✗ Make a call that was not made before.",
        "rejected by check",
        "retry 1",
        "Ouagadougou is the capital of Burkina Faso.",  # an observation
        ANSWER,
        "score 1.00",
        f"coreact trace show {stored.run.id}",
        "the answer says so; 100% of the proving passages were found",
    ):
        assert shown in ended.out, shown

    assert stored.run.question == QUESTION
    assert stored.run.agent == "react"
    assert [len(step.attempts) for step in stored.steps] == [1, 2, 1]
    assert stored.end is not None
    assert (stored.end.status, stored.end.answer) == ("done", ANSWER)

    again = coreact("trace", "show", stored.run.id)
    assert again.code == 0
    assert "✗ Make a call that was not made before." in again.out
    assert ANSWER in again.out
    assert stored.run.id[:13] in coreact("trace", "list").out


def test_the_command_it_names_shows_the_run_also_from_another_store(coreact: Coreact, stubborn: Any) -> None:
    store = "my traces.db"
    out = coreact("run", "--world", "world", *stubborn.options, "--store", store).out
    assert not STORE.exists()
    assert f"--store '{store}'" in out
    assert ANSWER in coreact("trace", "show", the_run(Path(store)).run.id, "--store", store).out


def test_json_is_one_object_and_nothing_else(coreact: Coreact, stubborn: Any) -> None:
    ended = coreact("run", "--world", "world", *stubborn.options, "--json")
    assert (ended.code, ended.err) == (0, "")
    assert ended.out.count("\n") == 1
    found = json.loads(ended.out)
    assert found == found | {
        "run": the_run().run.id,
        "answer": ANSWER,
        "expected": "West African CFA franc",
        "gold_share": 1.0,
        "score": 1.0,
        "steps": 3,
        "model_calls": 4,
        "tokens": 40,
        "store": str(STORE),
    }


def test_plain_runs_without_guidance_and_stores_nothing(coreact: Coreact, stubborn: Any) -> None:
    ended = coreact("run", "--world", "world", *stubborn.options, "--plain", "--tool-calls", "3")
    assert ended.code == 0
    assert ANSWER in ended.out
    assert "rubric" not in ended.out
    assert not STORE.exists()
    assert len(stubborn.requests) == 4  # the repeated search is not retried but run
    for request in stubborn.requests:
        assert [m["content"] for m in request["messages"] if m["role"] == "user"] == [QUESTION]


def test_an_own_question_has_no_expected_answer(coreact: Coreact, serve: Any) -> None:
    ended = coreact("run", "Who is who?", "--world", "world", *serve(["Nobody."]).options, "--json")
    found = json.loads(ended.out)
    assert (found["answer"], found["expected"], found["exact"]) == ("Nobody.", None, None)


def test_tools_are_forbidden_once_they_are_used_up(coreact: Coreact, serve: Any) -> None:
    server = serve()
    coreact("run", "--world", "world", *server.options, "--tool-calls", "1", "--retries", "0")
    assert [request.get("tool_choice") for request in server.requests[:2]] == [None, "none"]


def test_settings_reach_the_model(coreact: Coreact, serve: Any) -> None:
    server = serve()
    coreact("run", "--world", "world", *server.options, "--temperature", "0.5", "--seed", "7")
    assert (server.requests[0]["temperature"], server.requests[0]["seed"]) == (0.5, 7)
    assert server.requests[0]["model"] == "scripted"
    assert the_run().run.seed == 7


# --- what the user can mend -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "remedy"),
    [
        (["--agent", "nobody"], "Agents are: deep_research, react"),
        (["--world", "nowhere"], "A world is a folder with passages.jsonl and questions.jsonl."),
        (["--world", "world", "--number", "1"], "Choose 0 to 0."),
        (["--world", "world", "--model", "nonsense:m"], "Use `local`, or `provider:name`"),
        (["--world", "world", "--gguf", "missing.gguf"], "Give the path of a GGUF file"),
    ],
)
def test_a_wrong_setting(coreact: Coreact, complaint: Any, arguments: list[str], remedy: str) -> None:
    complaint(coreact("run", *arguments), code=2, remedy=remedy)
    ended = coreact("run", *arguments, "--json")
    assert (ended.code, ended.out) == (2, "")
    fault = json.loads(ended.err)
    assert remedy in fault["remedy"]
    assert set(fault) == {"error", "what", "remedy"}
    assert not STORE.exists()


def test_a_world_without_questions(coreact: Coreact, complaint: Any, here: Path) -> None:
    here.joinpath("world", "questions.jsonl").write_text("")
    complaint(coreact("run", "--world", "world"), code=2, remedy="Give a question of your own.")


@pytest.mark.parametrize("wrong", [["--nonsense"], ["--tool-calls", "0"], ["--number", "x"]])
def test_a_command_line_that_cannot_be_read(coreact: Coreact, wrong: list[str]) -> None:
    ended = coreact("run", *wrong)
    assert ended.code == 2
    assert "coreact run --help" in ended.err
    assert "Traceback" not in ended.err
    ended = coreact("run", *wrong, "--json")
    assert ended.code == 2
    fault = json.loads(ended.err)
    assert wrong[0] in fault["what"]
    assert fault["remedy"] == "See `coreact run --help`."


# --- what fails -----------------------------------------------------------------------------------


def unused_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_a_server_that_is_not_there(coreact: Coreact, complaint: Any) -> None:
    server = ["--base-url", f"http://127.0.0.1:{unused_port()}/v1", "--model", "scripted"]
    ended = coreact("run", "--world", "world", *server)
    complaint(ended, code=1, remedy="Check that the server runs")
    end = the_run().end
    assert end is not None
    assert end.status == "failed"
    assert "Connection" in (end.error or "")


def test_a_server_that_refuses(coreact: Coreact, complaint: Any, serve: Any) -> None:
    server = serve()
    server.status = 404
    ended = coreact("run", "--world", "world", *server.options)
    assert "no such model [red]x[/red]" in complaint(ended, code=1, remedy="the model's name")
    fault = json.loads(coreact("run", "--world", "world", *server.options, "--json").err)
    assert fault["error"] == "ModelCallError"


def test_a_provider_without_its_key(coreact: Coreact, complaint: Any) -> None:
    ended = coreact("run", "--world", "world", "--model", "openai:some-model")
    complaint(ended, code=1, remedy="OPENAI_API_KEY")


@pytest.mark.filterwarnings("ignore::coreact.trace.TraceWarning")
@pytest.mark.parametrize("folder", ["a file", "read-only"])
def test_a_store_that_cannot_be_written(coreact: Coreact, complaint: Any, stubborn: Any, folder: str) -> None:
    if folder == "a file":
        Path(folder).write_text("")
    else:
        Path(folder).mkdir(mode=0o500)
        if os.access(folder, os.W_OK):
            pytest.skip("this user may write everywhere")
    store = f"{folder}/t.db"
    ended = coreact("run", "--world", "world", *stubborn.options, "--store", store)
    assert ANSWER in ended.out.splitlines()[-2]
    assert store in complaint(ended, code=1, remedy="folder" if folder == "read-only" else "--store")

    stubborn.requests.clear()
    ended = coreact("run", "--world", "world", *stubborn.options, "--store", store, "--json")
    assert ended.code == 1
    assert json.loads(ended.out)["answer"] == ANSWER
    assert json.loads(ended.out)["run"] is None
    assert json.loads(ended.err)["error"] == "StoreError"


def test_a_store_that_is_none_is_refused_before_the_model_is_asked(
    coreact: Coreact, complaint: Any, stubborn: Any
) -> None:
    Path("notes.txt").write_text("not a database, but long enough to look like one to a hasty reader" * 20)
    ended = coreact("run", "--world", "world", *stubborn.options, "--store", "notes.txt")
    assert "notes.txt" in complaint(ended, code=1, remedy="choose another path")
    assert stubborn.requests == []


# --- hostile text ---------------------------------------------------------------------------------

HOSTILE = "[bold red]CFA[/bold red] \x1b]0;owned\x07\x1b[2J\x1b[31mWest African CFA franc\x9b1A \u202edrow"


@pytest.mark.parametrize("options", [[], ["--plain"]])
def test_hostile_text_is_shown_and_not_acted_on(
    coreact: Coreact, serve: Any, make_world: Any, options: list[str]
) -> None:
    make_world(Path("evil"), HOSTILE, question=f"{QUESTION} \x1b[5m[blink]now[/blink]")
    server = serve([("search", {"query": "Burkina Faso \x1b[7m"}), f"{ANSWER} \x1b[1m[link=x]"])
    ended = coreact("run", "--world", "evil", *server.options, *options)
    assert ended.code == 0
    assert "[blink]now[/blink]" in ended.out
    assert "[link=x]" in ended.out
    if not options:
        assert "[bold red]CFA[/bold red]" in ended.out
        assert "[bold red]CFA[/bold red]" in coreact("trace", "show", the_run().run.id, "--prompts").out
    for sign in "\x1b\x07\x9b\u202e":
        assert sign not in ended.out
    assert "owned" not in ended.out


# --- Ctrl-C ---------------------------------------------------------------------------------------

# A shell in the background starts its children with Ctrl-C ignored; a terminal does not.
_WITH_CTRL_C = (
    "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); "
    "from coreact.cli.main import main; main()"
)


@pytest.mark.skipif(os.name == "nt", reason="sends a POSIX signal")
def test_ctrl_c_ends_at_once_and_keeps_what_was_judged(here: Path, serve: Any) -> None:
    server = serve()
    server.hold_from = 1
    command = ["run", "--world", "world", *server.options]
    with subprocess.Popen(
        [sys.executable, "-c", _WITH_CTRL_C, *command], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert server.arrived.acquire(timeout=120)
        assert server.arrived.acquire(timeout=60)
        time.sleep(0.2)  # the client is waiting for the held reply now
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=30)  # the reply is still held
        assert not server.release.is_set()
    assert process.returncode == 130
    assert err.decode().strip() == "Interrupted. Everything judged so far is stored."
    assert "Ouagadougou is the capital of Burkina Faso." in out.decode()

    stored = the_run()
    assert stored.end is not None
    assert stored.end.status == "interrupted"
    assert [step.attempts[0].actions[0].call.name for step in stored.steps] == ["search"]
    assert stored.observed(0)[0].text.startswith("[a] Ouagadougou")


# --- the real model -------------------------------------------------------------------------------


@pytest.mark.local_model
def test_the_embedded_model_end_to_end(coreact: Coreact) -> None:
    found = status()
    if not found.present or found.xllamacpp_version is None:
        pytest.skip(f"no embedded model: {found!r}; run `coreact local pull`")
    ended = coreact("run", "--tool-calls", "1")
    assert ended.code == 0
    assert "rubric" in ended.out
    stored = the_run()
    assert stored.end is not None
    assert stored.end.status == "done"
    assert stored.steps[0].rubric is not None
    assert f"coreact trace show {stored.run.id}" in ended.out
