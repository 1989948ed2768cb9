"""Does training teach a rubric generator anything? A small proof, from stored points to figures.

A model of under a million parameters begins with random weights and imitates lessons of which every other one
belongs to another state: it learns the form, and a little of what to look at. Then TRL's GRPO rewards it for
how well its rubrics rank. Both are measured on held-out questions: the mean reward
of sampled replies, and the agreement of their rankings with the gains, once on the state that the model was
shown and once on that of another question. The second is the control: form, and one rubric that fits most
states, raise the first two just as well.

    python tests/train/proof.py --seed 0 1 2
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from random import Random
from statistics import fmean
from typing import NamedTuple

from coreact.bench.statistics import Interval, paired_difference
from coreact.generate.prompt import chat, step_prompt
from coreact.generate.trained.completing import Asked, TransformersModel
from coreact.rubric.branching import BranchingPoint
from coreact.train.branch.scripted import collect, parts
from coreact.train.fitting import fit
from coreact.train.points import read_points
from coreact.train.recipes import read_recipe
from coreact.train.rewards.reward import RubricReward
from coreact.train.rows import sft_rows
from coreact.worlds import gazetteer

RECIPE = Path(__file__).parent / "proof.toml"
QUESTIONS = 250
"""Training questions, four points of each."""
HELD_OUT = 64
"""Held-out questions, two points of each."""
SHIFT = 37
RIGHT = 0.5
"""Share of the lessons that stand beside their own state; the others are dealt out anew."""


class Measured(NamedTuple):
    """A model on the held-out points, by question."""

    reward: list[float]
    own: list[float]
    """Spearman with the gains; 0 where nothing could be read."""
    shuffled: list[float]
    """The same of the reply that was written for another question's state."""

    @property
    def gap(self) -> list[float]:
        """What looking at the state adds."""
        return [own - shuffled for own, shuffled in zip(self.own, self.shuffled, strict=True)]


class Proof(NamedTuple):
    """Before and after the reward, and the paired differences."""

    before: Measured
    after: Measured
    reward: Interval
    gap: Interval
    seconds: float

    def __str__(self) -> str:
        told = [
            f"{name}: reward {fmean(one.reward):.3f}, own {fmean(one.own):.3f},"
            f" shuffled {fmean(one.shuffled):.3f}"
            for name, one in (("imitation", self.before), ("rewarded", self.after))
        ]
        return "\n".join(
            [*told, f"reward + {self.reward}", f"own - shuffled + {self.gap}", f"{self.seconds:.0f} s"]
        )


def store_points(path: Path, *, seed: int) -> None:
    """Collect training points into a file."""
    world = gazetteer()
    questions = parts(world, n=QUESTIONS, seed=seed).train
    with path.open("w", encoding="utf-8") as file:
        for point in collect(world, questions, seed=seed, per_question=4):
            file.write(point.model_dump_json() + "\n")


def store_lessons(path: Path, points: Sequence[BranchingPoint], *, seed: int) -> None:
    """Write rows to imitate, half of them wrong."""
    draw = Random(seed)
    rows = list(sft_rows(points, least=3))
    wrong = [row for row in rows if draw.random() >= RIGHT]
    dealt = [row["completion"] for row in wrong]
    draw.shuffle(dealt)
    for row, completion in zip(wrong, dealt, strict=True):
        row["completion"] = completion
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


def held_out(*, seed: int) -> list[BranchingPoint]:
    """Points of questions that nothing is trained on."""
    world = gazetteer()
    questions = parts(world, n=HELD_OUT, seed=seed).dev
    return [one for one in collect(world, questions, seed=seed, per_question=2) if one.has_contrast]


def measure(folder: Path, points: Sequence[BranchingPoint], *, seed: int) -> Measured:
    """Sample one reply for each point at temperature 1, and score it here and elsewhere."""
    model = TransformersModel.open(folder, name=folder.name)
    asked = [
        Asked(chat(step_prompt(one.state, form="sheet")), max_tokens=64, temperature=1.0, seed=seed + at)
        for at, one in enumerate(points)
    ]
    replies = [one.text for at in range(0, len(asked), 32) for one in model.complete(asked[at : at + 32])]
    scorer = RubricReward(form="sheet")
    here = [scorer.score(reply, point) for reply, point in zip(replies, points, strict=True)]
    moved = [replies[(at + SHIFT) % len(replies)] for at in range(len(replies))]
    there = [scorer.score(reply, point) for reply, point in zip(moved, points, strict=True)]
    questions = [point.question_id for point in points]
    return Measured(
        _by_question(questions, [one.value or 0.0 for one in here]),
        _by_question(questions, [one.spearman or 0.0 for one in here]),
        _by_question(questions, [one.spearman or 0.0 for one in there]),
    )


def _by_question(questions: Sequence[str], values: Sequence[float]) -> list[float]:
    found: dict[str, list[float]] = {}
    for question, value in zip(questions, values, strict=True):
        found.setdefault(question, []).append(value)
    return [fmean(values) for values in found.values()]


def prove(folder: Path, *, seed: int) -> Proof:
    """Train in a folder and measure."""
    began = time.perf_counter()
    stored = folder / "points.jsonl"
    store_points(stored, seed=seed)
    lessons = folder / "lessons.jsonl"
    store_lessons(lessons, list(read_points([stored])), seed=seed)
    recipe = read_recipe(RECIPE)
    imitation, rewarded = recipe.stage
    stages = (imitation.model_copy(update={"file": str(lessons)}), rewarded)
    recipe = recipe.model_copy(update={"seed": seed, "stage": stages})
    fit(recipe, read_points([stored]), folder / "run")
    points = held_out(seed=seed)
    before, after = (
        measure(folder / "run" / "stages" / stage / "model", points, seed=seed)
        for stage in ("1-sft", "2-grpo")
    )
    return Proof(
        before,
        after,
        paired_difference(after.reward, before.reward),
        paired_difference(after.gap, before.gap),
        time.perf_counter() - began,
    )


def main() -> None:
    """Print the proof for each seed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seed", type=int, nargs="+", default=[0])
    for seed in parser.parse_args().seed:
        with tempfile.TemporaryDirectory() as folder:
            sys.stdout.write(f"seed {seed}\n{prove(Path(folder), seed=seed)}\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main()
