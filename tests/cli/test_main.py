"""The command as a whole: help, version, exit codes, and what a script can rely on."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import coreact as package
from coreact.errors import CoReActError, UserError

Coreact = Callable[..., Any]


def test_the_installed_command_prints_its_version(here: Path) -> None:
    command = Path(sys.executable).with_name("coreact")
    done = subprocess.run([command, "--version"], capture_output=True, text=True, check=True, timeout=120)
    assert done.stdout.strip() == package.__version__


def test_help_names_every_command(coreact: Coreact) -> None:
    ended = coreact("--help")
    assert ended.code == 0
    for command in ("run", "doctor", "local", "trace", "bench", "judge"):
        assert f" {command} " in ended.out
    for group, commands in {
        "local": ("pull", "status", "serve"),
        "trace": ("list", "show"),
        "bench": ("run", "harm"),
        "train": ("searcher",),
        "judge": ("qualify", "calibrate"),
    }.items():
        shown = coreact(group, "--help").out
        assert all(f" {command} " in shown for command in commands)


@pytest.mark.parametrize("arguments", [[], ["local"], ["trace"], ["bench"], ["judge"]])
def test_no_command_shows_the_help(coreact: Coreact, arguments: list[str]) -> None:
    ended = coreact(*arguments)
    assert ended.code in (0, 2)  # typer's own choice, and it has changed
    assert "Usage: coreact" in ended.out + ended.err


@pytest.mark.parametrize("wrong", [["nonsense"], ["trace", "nonsense"], ["trace", "show"]])
def test_an_unknown_command_or_a_missing_argument(coreact: Coreact, wrong: list[str]) -> None:
    ended = coreact(*wrong)
    assert ended.code == 2
    assert "--help" in ended.err
    assert "Traceback" not in ended.err
    ended = coreact(*wrong, "--json")
    assert (ended.code, ended.out) == (2, "")
    assert "--help" in json.loads(ended.err)["remedy"]


def test_a_store_that_is_not_there_and_a_run_that_is_not_in_it(
    coreact: Coreact, complaint: Any, here: Path
) -> None:
    complaint(coreact("trace", "list"), code=1, remedy="Record a run first")
    from coreact.testing import record_into, sample_trajectory
    from coreact.trace import SQLiteTraceStore

    store = SQLiteTraceStore(".coreact/traces.db")
    record_into(store, sample_trajectory("aaa-1"))
    store.close()
    complaint(coreact("trace", "show", "zzz"), code=2, remedy="")
    assert json.loads(coreact("trace", "show", "zzz", "--json").err)["error"] == "RunNotFoundError"


@pytest.mark.parametrize(("kind", "code"), [(UserError, 2), (CoReActError, 1)])
def test_the_kind_of_an_error_decides_the_exit_code(
    coreact: Coreact,
    complaint: Any,
    monkeypatch: pytest.MonkeyPatch,
    kind: type[CoReActError],
    code: int,
) -> None:
    def fail() -> None:
        raise kind("It [b]broke[/b]\nin two lines \x1b[31mred.", remedy="Mend\nit.")

    monkeypatch.setattr("coreact.cli.doctor._report", fail)
    line = complaint(coreact("doctor"), code=code, remedy="Mend it.")
    assert line == "Error: It [b]broke[/b] in two lines red. Mend it.\n"


def test_a_bug_shows_its_traceback(coreact: Coreact, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> None:
        raise ZeroDivisionError("a bug")

    monkeypatch.setattr("coreact.cli.doctor._report", fail)
    with pytest.raises(ZeroDivisionError):
        coreact("doctor")


@pytest.mark.parametrize("arms", ["plain,nonsense", ","])
def test_a_bench_with_an_unknown_arm(coreact: Coreact, complaint: Any, arms: str) -> None:
    ended = coreact("bench", "run", "gazetteer", "--arm", arms)
    complaint(ended, code=2, remedy="Arms are: plain, guided")
    assert not Path(".coreact").exists()


def test_a_console_that_cannot_write_every_sign(here: Path) -> None:
    from coreact.testing import record_into, sample_trajectory
    from coreact.trace import SQLiteTraceStore

    store = SQLiteTraceStore(".coreact/traces.db")
    record_into(store, sample_trajectory("aaa-1"))
    store.close()
    done = subprocess.run(
        [sys.executable, "-c", "from coreact.cli.main import main; main()", "trace", "show", "aaa"],
        env={**os.environ, "PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"},
        capture_output=True,
        timeout=120,
        check=True,
    )
    assert b"In the Giant Mountains." in done.stdout
    assert done.stderr == b""
