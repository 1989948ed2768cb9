"""What does each method of training add to a rubric generator? One imitation, and arms that go on from it.

Every arm begins with the same weights, those of the imitation, is trained on the same points and measured on
the same held-out questions by `coreact train eval`, beside the untrained model, the heuristic, chance and the
empty rubric: once on candidates of the proposers that training saw, once on those of others (scripted
policies alone). How a base is trained is in the `.toml` beside this file. Nothing is trained
twice: an interrupted study goes on where it was.

    python tests/train/study/study.py FOLDER --base tiny --out OUT --seed 0

FOLDER is a world (`passages.jsonl`, `questions.jsonl`).
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from coreact.generate.trained import describe, write_record
from coreact.train.fitting import fit
from coreact.train.models import prepare_base
from coreact.train.points import read_points
from coreact.train.recipes import Recipe

HERE = Path(__file__).parent
COLLECTIONS = 4
"""Collections of training points, with other roll-ins each: the questions are few."""


def command(*words: str) -> None:
    """A command of the project, as a user would give it."""
    subprocess.run([sys.executable, "-c", "from coreact.cli.main import main; main()", *words], check=True)


def collect(world: Path, folder: Path, *, half: str, seed: int) -> Path:
    """Points of half of the questions; candidates are proposed by policies and guessed."""
    how = f"--half {half} --n 900 --roll-in random --guesses 6 --k 12 --seed {seed}".split(" ")
    command("train", "collect", "--world", str(world), *how, "--out", str(folder))
    return folder


def recipe_of(told: Mapping[str, Any], name: str, arm: Mapping[str, Any], *, seed: int, base: str) -> Recipe:
    """The recipe of one arm: what the base has in common, and what is the arm's own."""
    model = told["model"] | ({"base": base} if base else {})
    shared = {"name": name, "seed": seed, "model": model, "prompt": told["prompt"]}
    # Held-out points are measured at the end, by other code.
    watched = {"monitor": {"points": 0, "rules": []}}
    return Recipe.model_validate(
        shared | watched | {"reward": arm.get("reward", {}), "stage": [arm["stage"]]}
    )


def bare(source: Path, recipe: Recipe, out: Path) -> Path:
    """A generator's folder around weights, without the GGUF file of a new model.

    Such a file has 16 bits and is run by llama.cpp, and the arms by transformers in 32: another instrument.
    """
    out.mkdir(exist_ok=True)
    if not (out / "model").exists():
        (out / "model").symlink_to(source.resolve(), target_is_directory=True)
    prompt = recipe.prompt
    shown = {"form": prompt.form, "max_tokens": prompt.max_tokens, "context_tokens": 1024}
    write_record(out, describe(out, name=out.name, **shown))
    return out


def study(
    world: Path, told: Mapping[str, Any], out: Path, *, seed: int, arms: Sequence[str], questions: int
) -> None:
    """Train all arms and measure them on so many held-out questions."""
    points = [collect(world, out / f"points-{at}", half="train", seed=at) for at in range(COLLECTIONS)]
    held = collect(world, out / "held", half="dev", seed=0)
    imitation = out / "imitation"
    first = recipe_of(told, "imitation", told["imitation"], seed=seed, base="")
    fit(first, read_points(points), imitation)
    begun = prepare_base(first.model, (), imitation / "base", seed=first.seed)
    measured = bare(imitation / "model", first, out / "measured")
    against = {"untrained": bare(Path(begun), first, out / "untrained")}
    for name in arms:
        recipe = recipe_of(told, name, told["arm"][name], seed=seed, base=str(imitation / "model"))
        against[name] = fit(recipe, read_points(points), out / name).folder
    others = [word for name, folder in against.items() for word in ("--against", f"{name}={folder}")]
    where = ["--world", str(world), "--n", str(questions)]
    command("train", "eval", str(measured), *others, *where, "--points", str(held))
    command("train", "eval", str(measured), *others, *where, "--per-question", "2")


def main() -> None:
    """Run the study of one base and one seed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("world", type=Path)
    parser.add_argument("--base", choices=sorted(one.stem for one in HERE.glob("*.toml")), required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--arms", nargs="*", help="Instead of all.")
    parser.add_argument("--n", type=int, default=100, help="Most held-out questions.")
    given = parser.parse_args()
    told = tomllib.loads((HERE / f"{given.base}.toml").read_text(encoding="utf-8"))
    given.out.mkdir(parents=True, exist_ok=True)
    chosen = list(told["arm"]) if given.arms is None else given.arms
    study(given.world.resolve(), told, given.out, seed=given.seed, arms=chosen, questions=given.n)


if __name__ == "__main__":
    main()
