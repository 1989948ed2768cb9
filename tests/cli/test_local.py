"""`coreact local`: what it says of the model file. Nothing is downloaded here."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from coreact.local import status

Coreact = Callable[..., Any]


@pytest.fixture
def cache(here: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("COREACT_CACHE", str(here / "cache"))
    return here / "cache"


def test_status_without_a_file(coreact: Coreact, cache: Path) -> None:
    found = json.loads(coreact("local", "status", "--json").out)
    assert (found["present"], found["verified"], found["size_bytes"]) == (False, False, 0)
    assert Path(found["path"]).parent == cache
    assert not cache.exists()
    shown = coreact("local", "status")
    assert shown.code == 0
    for name, value in found.items():
        assert any(line.split(maxsplit=1) == [name, str(value)] for line in shown.out.splitlines()), name


def test_status_of_a_corrupt_file(coreact: Coreact, cache: Path) -> None:
    cache.mkdir()
    status().path.write_bytes(b"GGUF torn")
    found = json.loads(coreact("local", "status", "--json").out)
    assert (found["present"], found["verified"], found["size_bytes"]) == (True, False, 9)


def test_pull_checks_a_file_of_the_users_own(coreact: Coreact, cache: Path, here: Path) -> None:
    own = here / "[b]own.gguf"
    own.write_bytes(b"GGUF and more")
    assert json.loads(coreact("local", "pull", "--gguf", str(own), "--json").out) == {"path": str(own)}
    assert coreact("local", "pull", "--gguf", str(own)).out == f"Model: {own}\n"
    assert not cache.exists()


@pytest.mark.parametrize("command", ["pull", "serve"])
@pytest.mark.parametrize("content", [None, b"PK\x03\x04 no model"])
def test_a_wrong_file(
    coreact: Coreact, complaint: Any, here: Path, command: str, content: bytes | None
) -> None:
    wrong = here / "wrong.gguf"
    if content is not None:
        wrong.write_bytes(content)
    remedy = "Give the path of a GGUF file" if content is None else "Convert the model to GGUF first"
    ended = coreact("local", command, "--gguf", str(wrong))
    assert "wrong.gguf" in complaint(ended, code=2, remedy=remedy)
    assert ended.out == ""
    fault = json.loads(coreact("local", command, "--gguf", str(wrong), "--json").err)
    assert fault["error"] == "ModelFileError"
