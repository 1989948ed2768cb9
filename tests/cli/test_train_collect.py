"""`coreact train collect`: points on disk, figures on the screen, and complaints that name the remedy."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from coreact.cli.train_collect import collect
from coreact.errors import ConfigError, StoreError
from coreact.train.branch.visits import read_visits

TOWNS = ("Bergen", "Lyon", "Quito", "Osaka", "Accra", "Perth", "Tarn", "Brenna")


@pytest.fixture
def world(tmp_path: Path) -> Path:
    """A small world in a folder: who founded which town, and where the founder was born."""
    passages = [
        row
        for at, town in enumerate(TOWNS)
        for row in (
            {"id": f"t{at}", "title": town, "text": f"{town} was founded by Ada {town}son."},
            {"id": f"f{at}", "title": f"Ada {town}son", "text": f"Ada {town}son was born in {1500 + at}."},
        )
    ]
    questions = [
        {
            "id": f"q{at}",
            "question": f"When was the founder of {town} born?",
            "answer": str(1500 + at),
            "supporting_ids": [f"t{at}", f"f{at}"],
        }
        for at, town in enumerate(TOWNS)
    ]
    folder = tmp_path / "towns"
    folder.mkdir()
    for name, rows in (("passages", passages), ("questions", questions)):
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(r) + "\n" for r in rows), encoding="utf-8")
    return folder


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


def test_a_store_that_is_not_there_is_not_made(run: Any, tmp_path: Path) -> None:
    ended = run("--store", str(tmp_path / "none.db"))
    assert isinstance(ended.exception, StoreError)
    assert not (tmp_path / "none.db").exists()
