"""The points of a run on disk, in the order in which they were drawn, one in memory at a time.

Points hold whole trajectories, and a large collection of them does not fit into memory. So they are written
into the run's folder as they come, and drawn by their place in that file.
"""

from __future__ import annotations

import hashlib
from bisect import insort
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from random import Random

from coreact.errors import ConfigError, ExperimentMismatchError
from coreact.rubric.branching import BranchingPoint
from coreact.trace.export.splitting import split_of
from coreact.train.balance import Balance
from coreact.train.points import by_one_panel, point_of, point_text
from coreact.train.recipes import GrpoStage, Recipe
from coreact.train.saving import whole_file

HELD_OUT = "held_out.jsonl"
"""File of points that a monitor samples replies for, beside that of those trained on."""
_TRAIN = "train"


class Kept:
    """Points in a file. Iterating gives them in the order drawn, as often as one likes.

    Args:
        path: a file of points, one a line.
        places: where the lines of those points begin, in the order drawn.
        sha256: digest of the file.
        left_out: points that were not taken, by reason.
    """

    def __init__(
        self, path: Path, places: list[int], *, sha256: str, left_out: dict[str, int] | None = None
    ) -> None:
        self._path = path
        self._places = places
        self.sha256 = sha256
        self.left_out = left_out or {}

    def __len__(self) -> int:
        return len(self._places)

    def __iter__(self) -> Iterator[BranchingPoint]:
        with self._path.open("rb") as file:
            for place in self._places:
                file.seek(place)
                yield point_of(file.readline().decode("utf-8"))

    def first(self, count: int | None) -> Kept:
        """The first ones drawn; None: all."""
        return Kept(self._path, self._places[:count], sha256=self.sha256)


def keep(points: Iterable[BranchingPoint], recipe: Recipe, path: Path, *, known: str | None = None) -> Kept:
    """Write the points that can be learned from to a file, and draw from them by the recipe's seed.

    Points for the monitor go into a file beside it.

    Args:
        points: where they come from.
        recipe: which of them are taken.
        path: the file.
        known: digest of the points that a run in this folder was begun with; others leave its file alone.

    Raises:
        ConfigError: there is none, or not the same judges ranked them all.
        ExperimentMismatchError: they are not the known ones.
        StoreError: the disk is full.
    """
    left: Counter[str] = Counter()
    places: list[int] = []
    hashed = hashlib.sha256()
    split = ((_TRAIN, 1 - recipe.data.held_out), ("test", recipe.data.held_out))
    watched = _Watched(recipe)
    end = 0
    with whole_file(path) as write:
        for point in by_one_panel(points, mix=recipe.data.mix_judges):
            if split_of(point.question_id, split, recipe.data.split_seed) != _TRAIN:
                left["held out"] += 1
                watched.see(point)
                continue
            if not point.has_contrast:
                left["no contrast"] += 1
                continue
            line = point_text(point).encode() + b"\n"
            places.append(end)
            end += len(line)
            hashed.update(line)
            write(line)
        if not places:
            told = ", ".join(f"{reason}: {count}" for reason, count in sorted(left.items()))
            raise ConfigError(
                f"None of {left.total()} branching points can be trained on ({told})."
                if left
                else "There is no branching point to train on.",
                remedy="Collect more with `coreact train collect`; candidates that all tie teach nothing.",
            )
        if known is not None and known != hashed.hexdigest():
            raise ExperimentMismatchError(path.parent.parent, ("it was begun with other points",))
    watched.write(path.with_name(HELD_OUT))
    places = _balanced(path, places, recipe, left)
    Random(f"points|{recipe.seed}").shuffle(places)
    most = recipe.data.points
    if most is not None and len(places) > most:
        left["more than the recipe asks for"] = len(places) - most
        del places[most:]
    return Kept(path, places, sha256=hashed.hexdigest(), left_out=dict(sorted(left.items())))


class _Watched:
    """Held-out points for the monitor, as many as it wants: those whose ids have the least digests."""

    def __init__(self, recipe: Recipe) -> None:
        grpo = any(isinstance(stage, GrpoStage) for stage in recipe.stage)
        self._most = recipe.monitor.points if grpo else 0
        self._found: list[tuple[str, str]] = []

    def see(self, point: BranchingPoint) -> None:
        if self._most and point.has_contrast:
            insort(self._found, (hashlib.sha256(point.id.encode()).hexdigest(), point_text(point)))
            del self._found[self._most :]

    def write(self, path: Path) -> None:
        if self._most:
            with whole_file(path) as write:
                for _, text in self._found:
                    write(text.encode() + b"\n")


def _balanced(path: Path, places: list[int], recipe: Recipe, left: Counter[str]) -> list[int]:
    """The places that stay where no kind of best action may make up more than its share."""
    data = recipe.data
    if data.most_of_a_kind == 1:
        return places
    every = Kept(path, places, sha256="")
    balance = Balance.of(every, seed=data.split_seed, most=data.most_of_a_kind)
    kept = [place for place, point in zip(places, every, strict=True) if balance.keeps(point)]
    left["balanced"] = len(places) - len(kept)
    return kept
