"""Where judging by the outcome and judging by the process disagree, over many trajectories.

A right answer on an unsound path is what a reward for outcomes alone pays for by mistake; a wrong
answer on a sound path is what it punishes by mistake. What either side could not tell has a row or a
column of its own and enters no rate.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

_LABELS = {True: "yes", False: "no", None: "unknown"}


class Disagreement(NamedTuple):
    """A table of outcome (right or not) against process (sound or not)."""

    counts: Counter[tuple[bool | None, bool | None]]
    """Trajectories by (right, sound)."""

    @property
    def total(self) -> int:
        """All trajectories."""
        return self.counts.total()

    @property
    def unknown(self) -> int:
        """Trajectories of which the outcome or the process is not known."""
        return sum(count for pair, count in self.counts.items() if None in pair)

    @property
    def agreement(self) -> float | None:
        """Share of the known trajectories that both sides call good or both call bad, in [0, 1]."""
        return _share(self.counts[True, True] + self.counts[False, False], self.total - self.unknown)

    @property
    def false_positives(self) -> float | None:
        """Share of right answers whose path is not sound, in [0, 1]: what outcomes alone would reward."""
        return _share(self.counts[True, False], self.counts[True, False] + self.counts[True, True])

    @property
    def false_negatives(self) -> float | None:
        """Share of wrong answers whose path is sound, in [0, 1]: what outcomes alone would punish."""
        return _share(self.counts[False, True], self.counts[False, True] + self.counts[False, False])

    def __str__(self) -> str:
        rows = [["right \\ sound", *_LABELS.values()]]
        rows += [
            [name, *(str(self.counts[right, sound]) for sound in _LABELS)] for right, name in _LABELS.items()
        ]
        widths = [max(len(row[at]) for row in rows) for at in range(len(rows[0]))]
        return "\n".join(
            "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
            for row in rows
        )


def disagreement(right: Sequence[bool | None], sound: Sequence[bool | None]) -> Disagreement:
    """Tabulate outcomes against processes.

    Args:
        right: of each trajectory, whether its answer is right; None: not known.
        sound: of each trajectory, whether its path is sound (`Soundness.sound`); None: not known.

    Raises:
        ValueError: the two are not equally long.
    """
    return Disagreement(Counter(zip(right, sound, strict=True)))


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None
