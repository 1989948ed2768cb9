"""`coreact train fit`: what is found by name, what is refused before it is read, and a run to its end."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

pytest.importorskip("trl", reason="needs the extra `train`")

from coreact.cli.train_fit import fit
from coreact.errors import ConfigError, LabelFileError
from coreact.train.branch.scripted import collect, parts
from coreact.train.points import point_text
from coreact.worlds import gazetteer

RECIPE = """
name = "small"
[model]
vocabulary = 300
shape = { width = 32, layers = 1, heads = 2, feed_forward = 32, context = 1024 }
[[stage]]
method = "sft"
steps = 2
rows = 2
every = 1
"""


@pytest.fixture
def points(tmp_path: Path) -> Path:
    world = gazetteer()
    folder = tmp_path / "points"
    folder.mkdir()
    found = collect(world, parts(world, n=5, seed=0).train)
    (folder / "points.jsonl").write_text("".join(f"{point_text(point)}\n" for point in found))
    return folder


app = typer.Typer()
app.command()(fit)


def test_a_recipe_and_points_become_a_generator(tmp_path: Path, points: Path) -> None:
    (tmp_path / "recipe.toml").write_text(RECIPE)
    out = tmp_path / "out"
    given = [str(tmp_path), "--points", str(points), "--out", str(out), "--seed", "3", "--json"]
    done = CliRunner().invoke(app, given, catch_exceptions=False)
    assert done.exit_code == 0
    told = json.loads(done.stdout)
    assert told["finished"]
    assert told["stages"][0]["ended"]["steps"] == 2
    assert list(told["sources"]) == [str(points / "points.jsonl")]
    assert "seed = 3" in (out / "recipe.toml").read_text()
    assert (out / "generator.json").is_file()
    again = CliRunner().invoke(app, given[:-1], catch_exceptions=False)
    assert f"coreact run --generator {out}" in again.stdout
    assert "1. sft: 2 steps" in again.stdout


def test_what_is_not_there_is_told(tmp_path: Path, points: Path) -> None:
    out = str(tmp_path / "out")
    with pytest.raises(ConfigError, match=r"There is no recipe 'tinny'.*tiny"):
        CliRunner().invoke(app, ["tinny", "--points", str(points), "--out", out], catch_exceptions=False)
    with pytest.raises(LabelFileError, match="does not exist"):
        CliRunner().invoke(app, ["tiny", "--points", "nowhere", "--out", out], catch_exceptions=False)
    assert not (tmp_path / "out").exists()
