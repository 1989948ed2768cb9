"""`coreact view`: an address to open, pages as files, and what it refuses."""

from __future__ import annotations

import os
import signal
import socket
import sqlite3
import subprocess
import sys
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from coreact.testing.store_suite import record_into, sample_trajectory
from coreact.trace import SQLiteTraceStore

Coreact = Callable[..., Any]


@pytest.fixture
def stored(here: Path) -> Path:
    store = SQLiteTraceStore(here / "traces.db")
    for number in range(3):
        record_into(store, sample_trajectory(f"run-{number}", steps=number + 1))
    store.close()
    return store.path


def test_the_real_command_serves_on_loopback_until_it_is_interrupted(stored: Path) -> None:
    command = [Path(sys.executable).with_name("coreact"), "view", "--store", stored, "--no-browser"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as running:
        assert running.stdout is not None
        line = running.stdout.readline()
        address = line.split()[2]
        assert address.startswith("http://127.0.0.1:")
        with urllib.request.urlopen(address, timeout=30) as reply:
            assert "Where does the Elbe begin?" in reply.read().decode()
        running.send_signal(signal.SIGINT)
        _, complained = running.communicate(timeout=30)
    assert complained == ""
    assert running.returncode in (0, 130)


def test_a_bundle_says_what_is_in_it(coreact: Coreact, stored: Path, here: Path) -> None:
    ended = coreact("view", "--store", str(stored), "--bundle", "out")
    assert (ended.code, ended.out) == (0, f"3 runs in {Path('out') / 'index.html'}.\n")
    ended = coreact("view", "--store", str(stored), "--bundle", "one", "--run", "run-1")
    assert ended.out == f"1 runs in {Path('one') / 'index.html'}; 2 more are not in it.\n"
    assert len(list((here / "one").iterdir())) == 2


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("--run", "run-1"), 2, "--bundle"),
        (("--host", "0.0.0.0"), 2, "every address"),
        (("--host", "0"), 2, "every address"),
        (("--host", "0x0"), 2, "every address"),
        (("--host", ""), 2, "cannot listen"),
        (("--host", "no such host"), 2, "cannot listen"),
        (("--reviewer", "  "), 2, "name is empty"),
        (("--bundle", "out", "--run", "none"), 2, "No stored run"),
        (("--bundle", "traces.db"), 2, "cannot be written"),
        (("--port", "70000"), 2, "port"),
    ],
)
def test_what_it_refuses(
    coreact: Coreact, stored: Path, arguments: tuple[str, ...], code: int, said: str
) -> None:
    ended = coreact("view", "--store", str(stored), "--no-browser", *arguments)
    assert ended.code == code
    assert said in ended.err


def test_a_port_that_is_taken(coreact: Coreact, stored: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        ended = coreact("view", "--store", str(stored), "--no-browser", "--port", port)
    assert ended.code == 2
    assert f"port {port}" in ended.err


def test_a_store_that_is_not_there_or_too_new(coreact: Coreact, here: Path, stored: Path) -> None:
    ended = coreact("view", "--no-browser", "--store", str(here / "none.db"))
    assert (ended.code, "There is no trace store" in ended.err) == (1, True)
    connection = sqlite3.connect(stored)
    connection.execute("PRAGMA user_version = 999")
    connection.close()
    ended = coreact("view", "--no-browser", "--store", str(stored))
    assert (ended.code, "schema version 999" in ended.err) == (1, True)


def test_another_address_is_warned_of(
    coreact: Coreact, stored: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    served: list[dict[str, Any]] = []

    def serve(store: SQLiteTraceStore, **settings: Any) -> None:
        settings["ready"]("http://192.0.2.1:5/")
        served.append(settings)

    opened: list[str] = []
    monkeypatch.setattr("coreact.view.serve", serve)
    monkeypatch.setattr("webbrowser.open", opened.append)
    ended = coreact("view", "--store", str(stored), "--host", "192.0.2.1", "--reviewer", " Ada  L. ")
    assert "judge in your name" in ended.err
    assert opened == ["http://192.0.2.1:5/"]
    assert (served[0]["reviewer"], served[0]["host"], served[0]["port"]) == ("Ada L.", "192.0.2.1", 0)
    ended = coreact("view", "--store", str(stored), "--host", "localhost", "--no-browser")
    assert "Warning" not in ended.err
    assert len(opened) == 1


def test_without_the_extra_it_says_what_to_install(here: Path, stored: Path) -> None:
    code = (
        "import sys\n"
        "sys.modules['starlette'] = None\n"
        "sys.argv = ['coreact', 'view', '--no-browser', '--store', 'traces.db']\n"
        "from coreact.cli.main import main\nmain()"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        timeout=120,
        cwd=here,
        env=dict(os.environ),
    )
    assert done.returncode == 2
    assert "coreact[view]" in done.stderr
