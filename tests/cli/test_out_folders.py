"""A file has the name of the folder to write into: told in one line with a remedy, and nothing is done."""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

RECIPE = 'name = "small"\n[[stage]]\nmethod = "sft"\nsteps = 2\nrows = 2\n'
CASES = "".join(
    f'{{"id": "c{at}", "dataset": "d", "question": "Q?", "action": {{"answer": "yes"}},'
    ' "criteria": [{"id": "a", "text": "It is said.", "kind": "fact"}], "labels": {"a": "met"}}\n'
    for at in range(9)
)
BENCH = ("bench", "run", "gazetteer", "--model", "scripted", "--arm", "plain", "--n", "1")
TRAINED = all(find_spec(package) for package in ("torch", "trl", "gguf"))
needs_training = pytest.mark.skipif(not TRAINED, reason="needs the extra `train`")


@pytest.fixture
def prepared(here: Path, write_towns: Callable[..., Path]) -> Path:
    """What the commands read, so that only the folder is wrong."""
    write_towns(here / "towns")
    here.joinpath("traces.db").touch()
    here.joinpath("cases.jsonl").write_text(CASES, encoding="utf-8")
    here.joinpath("recipe.toml").write_text(RECIPE, encoding="utf-8")
    here.joinpath("points.jsonl").touch()
    here.joinpath("taken").write_text("mine", encoding="utf-8")
    return here


@pytest.mark.parametrize(
    "command",
    [
        pytest.param("train collect --world towns --out", id="train collect"),
        pytest.param("train collect --world towns --store traces.db --out", id="train collect --store"),
        pytest.param("train attempts --store traces.db --out", id="train attempts"),
        pytest.param("train fit recipe.toml --points points.jsonl --out", id="fit", marks=needs_training),
        pytest.param("train searcher --folder", id="train searcher --folder", marks=needs_training),
        pytest.param("train searcher --out", id="train searcher --out", marks=needs_training),
        pytest.param(" ".join((*BENCH, "--out")), id="bench run"),
        pytest.param("judge qualify --judge majority --data cases.jsonl --out", id="judge qualify"),
    ],
)
def test_a_file_in_its_place_is_told(
    command: str, prepared: Path, coreact: Callable[..., Any], complaint: Any
) -> None:
    before = sorted(prepared.iterdir())
    ended = coreact(*command.split(), "taken")
    last = ended.err.splitlines(keepends=True)[-1]  # `train fit` has shown its bars
    said = complaint(ended._replace(err=last), code=2, remedy="Name another folder.")
    assert "The folder taken cannot be made: File exists." in said
    assert (prepared / "taken").read_text(encoding="utf-8") == "mine"
    assert sorted(prepared.iterdir()) == before


def test_a_replay_tells_it_too(prepared: Path, coreact: Callable[..., Any], complaint: Any) -> None:
    assert coreact(*BENCH, "--out", "once").code == 0
    complaint(coreact(*BENCH, "--replay", "once", "--out", "taken"), code=2, remedy="Name another folder.")


def test_a_file_on_the_way_is_told(prepared: Path, coreact: Callable[..., Any], complaint: Any) -> None:
    ended = coreact("train", "collect", "--world", "towns", "--out", "taken/below")
    assert "Not a directory" in complaint(ended, code=2, remedy="Name another folder.")
