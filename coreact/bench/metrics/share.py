"""A mean together with what it rests on.

Every figure of a bench is a mean over things of which some could not be told. Those are left out, never
filled in with 0, and both numbers are given, so that a figure of 3 of 100 does not look like one of 100.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import NamedTuple


class Share(NamedTuple):
    """The mean of what could be told."""

    value: float | None
    """The mean; None where nothing could be told."""
    judged: int
    """How many things it is the mean of."""
    total: int
    """How many there were."""

    @property
    def unknown(self) -> int:
        """How many could not be told."""
        return self.total - self.judged

    def __str__(self) -> str:
        shown = "unknown" if self.value is None else f"{self.value:.3f}"
        return f"{shown} ({self.judged} of {self.total})"


def share(values: Iterable[float | None]) -> Share:
    """The mean of the values that are not None, and how many those are."""
    listed = list(values)
    known = [float(value) for value in listed if value is not None]
    return Share(math.fsum(known) / len(known) if known else None, len(known), len(listed))


def ratio(above: float, below: float) -> float | None:
    """A quotient; None where there is nothing to divide by."""
    return above / below if below else None
