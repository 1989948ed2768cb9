"""Does training teach a rubric generator anything? A small proof, from stored points to figures.

A model of half a million parameters begins with random weights, imitates lessons of the oracle teacher, and
is then rewarded by TRL's GRPO for how well its rubrics rank. Three models are measured on held-out questions
(untrained, imitating, rewarded): the mean reward of sampled replies, and the agreement of their rankings with
the gains, once on the state that the model was shown and once on that of another question. The second is the
control: form, and one rubric that fits most states, raise the reward just as well.

    python tests/train/proof.py --seed 0 1 2
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
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
from coreact.worlds import gazetteer

RECIPE = Path(__file__).parent / "proof.toml"
QUESTIONS = 250
"""Training questions, four points of each."""
HELD_OUT = 128
"""Held-out questions, two points of each."""
SHIFT = 37


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
    """The three models, and paired differences by question."""

    untrained: Measured
    imitating: Measured
    rewarded: Measured
    seconds: float

    @property
    def reward(self) -> Interval:
        """Mean reward of the trained model less that of the untrained one."""
        return paired_difference(self.rewarded.reward, self.untrained.reward)

    @property
    def gap(self) -> Interval:
        """What looking at the state adds, trained less untrained."""
        return paired_difference(self.rewarded.gap, self.untrained.gap)

    @property
    def reward_share(self) -> Interval:
        """Of `reward`, what came after imitation."""
        return paired_difference(self.rewarded.reward, self.imitating.reward)

    @property
    def gap_share(self) -> Interval:
        """Of `gap`, what came after imitation."""
        return paired_difference(self.rewarded.gap, self.imitating.gap)

    def __str__(self) -> str:
        models = {"untrained": self.untrained, "imitating": self.imitating, "rewarded": self.rewarded}
        told = [
            f"{name}: reward {fmean(one.reward):.3f}, own {fmean(one.own):.3f},"
            f" shuffled {fmean(one.shuffled):.3f}"
            for name, one in models.items()
        ]
        return "\n".join(
            [
                *told,
                f"training: reward + {self.reward}, own - shuffled + {self.gap}",
                f"of it GRPO's share: reward + {self.reward_share}, own - shuffled + {self.gap_share}",
                f"{self.seconds:.0f} s",
            ]
        )


def store_points(path: Path, *, seed: int) -> None:
    """Collect training points into a file."""
    world = gazetteer()
    questions = parts(world, n=QUESTIONS, seed=seed).train
    with path.open("w", encoding="utf-8") as file:
        for point in collect(world, questions, seed=seed, per_question=4):
            file.write(point.model_dump_json() + "\n")


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
    fit(read_recipe(RECIPE).model_copy(update={"seed": seed}), read_points([stored]), folder / "run")
    points = held_out(seed=seed)
    run = folder / "run"
    models = (run / "base", run / "stages" / "1-sft" / "model", run / "stages" / "2-grpo" / "model")
    return Proof(*(measure(model, points, seed=seed) for model in models), time.perf_counter() - began)


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
