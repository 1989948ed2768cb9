"""`coreact train eval`: which points it measures on, and which it refuses."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

import coreact.generate.trained
from coreact.bench.generators.results import CARD, RESULTS
from coreact.cli.train_collect import collect
from coreact.cli.train_eval import evaluate
from coreact.errors import ConfigError, LabelFileError
from coreact.generate import HeuristicGenerator
from coreact.train.branch.visits import SETTINGS, VISITS, Visit, read_visits


def collected(world: Path, out: Path, *more: str) -> Path:
    """A collection, by the command itself."""
    app = typer.Typer()
    app.command()(collect)
    ended = CliRunner().invoke(app, ["--world", str(world), "--out", str(out), *more])
    assert ended.exit_code == 0, ended.exception
    return out


@pytest.fixture
def world(tmp_path: Path, write_towns: Callable[..., Path]) -> Path:
    return write_towns(tmp_path / "towns")


@pytest.fixture
def measure(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, world: Path) -> Any:
    """The command, of a generator that needs no weights."""
    folder = tmp_path / "generator"
    folder.mkdir()

    @contextmanager
    def opened(*_: object, **__: object) -> Iterator[HeuristicGenerator]:
        yield HeuristicGenerator()

    monkeypatch.setattr(coreact.generate.trained, "open_generator", opened)
    monkeypatch.setattr(coreact.generate.trained, "find_generator", lambda _: folder)
    app = typer.Typer()
    app.command()(evaluate)

    def of(*arguments: str) -> Any:
        return CliRunner().invoke(app, ["generator", "--world", str(world), *arguments])

    return of


def refused(ended: Any, error: type[Exception], words: str) -> None:
    assert isinstance(ended.exception, error), ended.exception
    assert words in str(ended.exception)


def test_points_of_a_collection_are_measured(measure: Any, world: Path, tmp_path: Path) -> None:
    dev = collected(world, tmp_path / "dev", "--half", "dev", "--guesses", "2")
    ended = measure("--points", str(dev), "--json")
    assert ended.exit_code == 0, ended.exception
    (ranked,) = json.loads(ended.stdout)["ranking"]
    found = ranked["evaluation"]
    assert found["proposed_by"].startswith("scripted, ")
    visits = list(read_visits(dev))
    points = [visit.point for visit in visits if visit.point is not None]
    assert found["points"] + found["dropped"] == len(points)
    assert set(found["taken_differences"]) == {"heuristic", "random", "none"}
    card = (tmp_path / "generator" / CARD).read_text(encoding="utf-8")
    assert f"candidates by {found['proposed_by']}" in card


@pytest.mark.parametrize(
    ("said", "known", "told"),
    [({}, 3, "held-out questions (collected with seed 3),"), ({"seed": None}, None, "held-out questions,")],
)
def test_whose_seed_the_points_have(
    said: dict[str, object], known: int | None, told: str, measure: Any, world: Path, tmp_path: Path
) -> None:
    dev = collected(world, tmp_path / "dev", "--half", "dev", "--seed", "3")
    settings = json.loads((dev / SETTINGS).read_text(encoding="utf-8"))
    (dev / SETTINGS).write_text(json.dumps(settings | said), encoding="utf-8")
    ended = measure("--points", str(dev), "--seed", "5", "--json")
    assert ended.exit_code == 0, ended.exception
    found = json.loads(ended.stdout)["ranking"][0]["evaluation"]
    assert (found["seed"], found["collection_seed"]) == (5, known)
    assert told in (tmp_path / "generator" / CARD).read_text(encoding="utf-8")


def test_points_of_its_own_have_the_seed_of_the_command(measure: Any, tmp_path: Path) -> None:
    ended = measure("--n", "2", "--seed", "5", "--json")
    assert ended.exit_code == 0, ended.exception
    found = json.loads(ended.stdout)["ranking"][0]["evaluation"]
    assert (found["seed"], found["collection_seed"]) == (5, None)
    assert "held-out questions (seed 5)," in (tmp_path / "generator" / CARD).read_text(encoding="utf-8")


def test_the_first_questions_of_the_folder(measure: Any, world: Path, tmp_path: Path) -> None:
    dev = collected(world, tmp_path / "dev", "--half", "dev")
    asked = list(dict.fromkeys(visit.question_id for visit in read_visits(dev)))
    assert len(asked) == 5
    ended = measure("--points", str(dev), "--n", "2", "--json")
    assert ended.exit_code == 0, ended.exception
    found = json.loads(ended.stdout)["ranking"][0]["evaluation"]
    first = [v.point for v in read_visits(dev) if v.question_id in asked[:2] and v.point is not None]
    assert found["questions"] == 2
    assert found["points"] + found["dropped"] == len(first)


def test_points_of_its_own_and_of_a_collection_stand_side_by_side(
    measure: Any, world: Path, tmp_path: Path
) -> None:
    dev = collected(world, tmp_path / "dev", "--half", "dev")
    for _ in range(2):  # the same points again take the place of the first
        assert measure("--points", str(dev), "--n", "3").exit_code == 0
        assert measure("--n", "3", "--per-question", "2").exit_code == 0
    written = json.loads((tmp_path / "generator" / RESULTS).read_text(encoding="utf-8"))
    by = [ranked["evaluation"]["proposed_by"] for ranked in written["ranking"]]
    assert sorted(by) == ["scripted", "scripted policies"]


def test_points_that_are_not_held_out_are_refused(measure: Any, world: Path, tmp_path: Path) -> None:
    train = collected(world, tmp_path / "train", "--half", "train", "--n", "2")
    refused(measure("--points", str(train)), ConfigError, "not held out")
    assert not (tmp_path / "generator" / RESULTS).exists()
    dev = collected(world, tmp_path / "dev", "--half", "dev")
    visits = [rewritten(visit, question_id="who knows") for visit in read_visits(dev)]
    (dev / VISITS).write_text("".join(f"{visit.model_dump_json()}\n" for visit in visits), encoding="utf-8")
    refused(measure("--points", str(dev)), ConfigError, "not held out")


def rewritten(visit: Visit, **changes: object) -> Visit:
    """A visit whose point has other values."""
    assert visit.point is not None
    return visit.model_copy(update={"point": visit.point.model_copy(update=changes)})


def test_points_of_another_world_are_refused(
    measure: Any, write_towns: Callable[..., Path], tmp_path: Path
) -> None:
    other = collected(write_towns(tmp_path / "others"), tmp_path / "dev", "--half", "dev")
    refused(measure("--points", str(other)), ConfigError, "of the world 'others', not of 'towns'")


def test_points_of_other_content_are_refused(
    measure: Any, write_towns: Callable[..., Path], world: Path, tmp_path: Path
) -> None:
    dev = collected(world, tmp_path / "dev", "--half", "dev")
    write_towns(world, founded="begun")
    refused(measure("--points", str(dev)), ConfigError, "has changed since")


def test_points_that_judges_ranked_are_refused(measure: Any, world: Path, tmp_path: Path) -> None:
    dev = collected(world, tmp_path / "dev", "--half", "dev")
    visits = []
    for visit in read_visits(dev):
        assert visit.point is not None
        ranks = list(range(1, len(visit.point.candidates) + 1))
        point = visit.point.model_dump() | {"rankings": [{"judge": "a@1", "ranks": ranks}]}
        visits.append(Visit.model_validate(visit.model_dump() | {"point": point}))
    (dev / VISITS).write_text("".join(f"{visit.model_dump_json()}\n" for visit in visits), encoding="utf-8")
    refused(measure("--points", str(dev)), ConfigError, "ranked by judges")


@pytest.mark.parametrize("settings", [None, "{", "[]", "{}", '{"samplers": 3}', '{"samplers": [1]}'])
def test_a_folder_that_is_no_collection_is_refused(
    settings: str | None, measure: Any, world: Path, tmp_path: Path
) -> None:
    dev = collected(world, tmp_path / "dev", "--half", "dev", "--n", "1")
    (dev / SETTINGS).unlink()
    if settings is not None:
        (dev / SETTINGS).write_text(settings, encoding="utf-8")
    refused(measure("--points", str(dev)), LabelFileError, "does not tell who proposed")


def test_a_file_and_no_folder_are_refused(measure: Any, world: Path, tmp_path: Path) -> None:
    dev = collected(world, tmp_path / "dev", "--half", "dev", "--n", "1")
    refused(measure("--points", str(dev / VISITS)), LabelFileError, "does not tell who proposed")
    refused(measure("--points", str(tmp_path / "nowhere")), LabelFileError, "does not tell who proposed")


def test_a_number_of_states_says_nothing_of_points_that_are_there(measure: Any, tmp_path: Path) -> None:
    refused(measure("--points", str(tmp_path), "--per-question", "2"), ConfigError, "--per-question")


def test_figures_of_an_earlier_version_are_kept(measure: Any, world: Path, tmp_path: Path) -> None:
    """They said neither who proposed nor what verifying gains."""
    assert measure("--n", "2").exit_code == 0
    path = tmp_path / "generator" / RESULTS
    written = json.loads(path.read_text(encoding="utf-8"))
    found = written["ranking"][0]["evaluation"]
    del found["proposed_by"], found["taken_differences"]
    for arm in found["arms"]:
        del arm["taken"]
    path.write_text(json.dumps(written), encoding="utf-8")
    ended = measure("--no-ranking")
    assert ended.exit_code == 0, ended.exception
    (kept,) = json.loads(path.read_text(encoding="utf-8"))["ranking"]
    assert kept["evaluation"]["arms"][0]["spearman"] == found["arms"][0]["spearman"]
    dev = collected(world, tmp_path / "dev", "--half", "dev")
    assert measure("--points", str(dev)).exit_code == 0
    assert len(json.loads(path.read_text(encoding="utf-8"))["ranking"]) == 2
