"""What a step of training costs, beside plain TRL in the same run.

`python tests/bench/training.py` trains a new model of the shape of `rubric_models/tiny` (or SmolLM2-135M with
low-rank additions: `--base smollm2`) for a few steps, with what this project leaves out of TRL's work
(`coreact.train.fitting.thrift`) and without leaving it out, on the same rows from the same weights. Seconds
are the median of the steps after the first. Rewards are those of the rank reward. Of 4 rows a step, GRPO with
groups of 8. There is no target; the ratio is what counts.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from itertools import pairwise
from pathlib import Path
from typing import Any

from coreact.train.branch.scripted import collect, parts
from coreact.train.fitting import METRICS, Progress, fit, stages
from coreact.train.recipes import Recipe
from coreact.worlds import gazetteer

METHODS: dict[str, dict[str, Any]] = {
    "sft": {"method": "sft", "rows": 4, "max_tokens": 1024},
    "grpo": {"method": "grpo", "rows": 4, "group": 8, "max_tokens": 48},
}
TINY = Path(__file__).parents[2] / "rubric_models" / "tiny" / "recipe.toml"


def main() -> None:
    """Train both ways and print the ratio."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--base", choices=["tiny", "smollm2"], default="tiny")
    parser.add_argument("--steps", type=int, default=4)
    parser.add_argument("--methods", nargs="+", choices=list(METHODS), default=list(METHODS))
    given = parser.parse_args()
    told = tomllib.loads(TINY.read_text(encoding="utf-8"))
    model = told["model"] if given.base == "tiny" else {"base": "smollm2", "adapter": "lora"}
    world = gazetteer()
    points = list(collect(world, parts(world, n=40, seed=0).train, per_question=2))
    sys.stdout.write(f"{'':6} {'plain s':>9} {'ours s':>9} {'ratio':>7} {'loss apart':>11}\n")
    for method in given.methods:
        stage = METHODS[method] | {"steps": given.steps, "every": given.steps, "rate": 1e-4}
        recipe = Recipe.model_validate(
            {
                "name": "bench",
                "model": model,
                "prompt": told["prompt"],
                "monitor": {"points": 0, "rules": []},
                "stage": [stage],
            }
        )
        found = {}
        for name, how in (("plain", plain), ("ours", nullcontext)):
            with how(), tempfile.TemporaryDirectory() as folder:
                fit(recipe, points, Path(folder) / "run")
                found[name] = measured(Path(folder) / "run")
        (slow, before), (fast, after) = found["plain"], found["ours"]
        sys.stdout.write(
            f"{method:6} {slow:9.2f} {fast:9.2f} {slow / fast:7.2f} {abs(before - after):11.1e}\n"
        )
        sys.stdout.flush()


def measured(run: Path) -> tuple[float, float]:
    """Median seconds of a step, and the loss of the first one."""
    lines = [Progress.model_validate_json(line) for line in (run / METRICS).read_text().splitlines()]
    seconds = [after.seconds - before.seconds for before, after in pairwise(lines)]
    return statistics.median(seconds), float(lines[0].metrics["loss"] or 0.0)


@contextmanager
def plain() -> Iterator[None]:
    """TRL as it is."""
    before = stages.sharing, stages.learned_alone
    stages.sharing, stages.learned_alone = (lambda trainer: trainer), nullcontext  # type: ignore[assignment]
    try:
        yield
    finally:
        stages.sharing, stages.learned_alone = before


if __name__ == "__main__":
    main()
