"""`coreact doctor` says what is there, also what is missing, and changes nothing."""

from __future__ import annotations

import json
import platform
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest

Coreact = Callable[..., Any]


def test_versions_store_and_model(coreact: Coreact, here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COREACT_CACHE", str(here / "empty"))
    ended = coreact("doctor", "--json")
    assert (ended.code, ended.err, ended.out.count("\n")) == (0, "", 1)
    found = json.loads(ended.out)
    assert found["python"] == platform.python_version()
    assert found["packages"]["langgraph"] == version("langgraph")
    assert found["packages"]["coreact"] == version("coreact")
    assert found["store"] == str(Path(".coreact/traces.db"))
    assert found["model"]["present"] is False
    assert isinstance(found["warnings"], list)
    assert [path.name for path in here.iterdir()] == ["world"]

    shown = coreact("doctor")
    assert shown.code == 0
    assert version("langgraph") in shown.out
    assert "not there: run `coreact local pull`" in shown.out
    for advice in found["warnings"]:
        assert advice in shown.out


def test_a_package_that_is_missing(coreact: Coreact, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("coreact.cli.doctor._PACKAGES", ("coreact", "there-is-no-such-package"))
    assert json.loads(coreact("doctor", "--json").out)["packages"]["there-is-no-such-package"] is None
    assert "not installed" in coreact("doctor").out


def test_a_path_is_not_read_as_markup(coreact: Coreact, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COREACT_STORE", "[red]here[/red]/t.db")
    assert "[red]here[/red]/t.db" in coreact("doctor").out
