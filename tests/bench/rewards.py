"""How many rubrics are rewarded in a second on one core: ranks by checks alone, and whole completions.

`python tests/bench/rewards.py` measures in one run, with the same random verdicts (four candidates, four
criteria, ties among them):

- from verdicts to the mapped reward, all at once (`rank_rewards`), the target being 20,000 rubrics a second;
- the same with scipy: `spearmanr` on each rubric, and `rankdata` on all, then correlated;
- `RubricReward.score` on completions for points of the embedded world: reading, compiling, checking, ranking.

The results are compared before anything is printed. Times are those of the processor, best of some rounds, so
that other work on the machine does not count.
"""

from __future__ import annotations

import argparse
import sys
import time
import warnings
from collections.abc import Callable, Iterator

import numpy as np
from scipy.stats import ConstantInputWarning, rankdata, spearmanr

from coreact.train.branch.scripted import collect, parts
from coreact.train.rewards.ranks import rank_rewards, standings
from coreact.train.rewards.reward import RubricReward
from coreact.worlds import gazetteer

CANDIDATES = CRITERIA = 4
TEXTS = (
    "1. [0.4] Search for name 1.\n2. [0.3] Do not repeat an earlier call.\n3. [0.3] Do not answer yet.",
    "1. [0.6] Search for name 2.\n2. [0.4] The query contains word 1.",
    "1. [0.5] Answer now.\n2. [0.3] Do not repeat an earlier call.\n3. [0.2] The query contains word 2.",
)


class Drawn:
    """Random verdicts of rubrics, and the worth of the candidates."""

    def __init__(self, rubrics: int, seed: int) -> None:
        draw = np.random.default_rng(seed)
        self.verdicts = draw.choice(
            [0.0, 0.5, 1.0], p=[0.45, 0.1, 0.45], size=(rubrics, CANDIDATES, CRITERIA)
        )
        self.weights = draw.choice([0.1, 0.2, 0.3, 0.4], size=(rubrics, CRITERIA))
        self.gains = np.array([draw.permutation([3.0, 2.0, 1.0, 0.0]) for _ in range(rubrics)])

    def ours(self) -> np.ndarray:
        """All at once."""
        return rank_rewards(self.verdicts, self.weights, self.gains)

    def one_by_one(self) -> np.ndarray:
        """With scipy's correlation on each."""
        scores = standings(self.verdicts, self.weights)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConstantInputWarning)
            rho = [spearmanr(mine, theirs).statistic for mine, theirs in zip(scores, self.gains, strict=True)]
        return np.asarray((np.nan_to_num(np.array(rho)) + 1) / 2)

    def ranked_at_once(self) -> np.ndarray:
        """With scipy's ranks on all, and their correlation by numpy."""
        mine = rankdata(standings(self.verdicts, self.weights), axis=1)
        theirs = rankdata(self.gains, axis=1)
        mine, theirs = mine - mine.mean(axis=1)[:, None], theirs - theirs.mean(axis=1)[:, None]
        spread = np.sqrt((mine**2).sum(axis=1) * (theirs**2).sum(axis=1))
        with np.errstate(invalid="ignore"):
            rho = (mine * theirs).sum(axis=1) / spread
        return np.asarray((np.nan_to_num(rho) + 1) / 2)


def best(work: Callable[[], object], rounds: int) -> float:
    """Seconds of processor time of the quickest round."""

    def taken() -> Iterator[float]:
        for _ in range(rounds):
            started = time.process_time()
            work()
            yield time.process_time() - started

    return min(taken())


def main() -> None:
    """Print the report."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--rubrics", type=int, default=20_000)
    options.add_argument("--questions", type=int, default=100, help="of the embedded world")
    options.add_argument("--rounds", type=int, default=5)
    options.add_argument("--seed", type=int, default=0)
    chosen = options.parse_args()
    write = sys.stdout.write
    few = Drawn(min(2_000, chosen.rubrics), chosen.seed)
    for other in (few.one_by_one, few.ranked_at_once):
        np.testing.assert_allclose(few.ours(), other(), atol=1e-12)
    many = Drawn(chosen.rubrics, chosen.seed)
    write(f"{CANDIDATES} candidates, {CRITERIA} criteria, one core, from verdicts to rewards\n")
    for name, work, number in (
        ("ours", many.ours, chosen.rubrics),
        ("scipy.stats.rankdata, all at once", many.ranked_at_once, chosen.rubrics),
        ("scipy.stats.spearmanr, one by one", few.one_by_one, len(few.gains)),
    ):
        write(f"{name:34} {number / best(work, chosen.rounds):10,.0f} rubrics/s\n")
    world = gazetteer()
    questions = parts(world, n=chosen.questions, seed=chosen.seed).train
    points = [one for one in collect(world, questions, seed=chosen.seed) if one.has_contrast]
    reward = RubricReward(form="sheet")

    def complete() -> None:
        for point in points:
            for text in TEXTS:
                reward.score(text, point)

    number = len(points) * len(TEXTS)
    taken = best(complete, min(3, chosen.rounds))
    write(f"whole completions, {len(points)} points     {number / taken:10,.0f} a second ")
    write(f"({1000 * taken / number:.2f} ms each)\n")


if __name__ == "__main__":
    main()
