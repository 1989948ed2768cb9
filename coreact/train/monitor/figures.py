"""What is measured of a training run, step by step, and how it is read back.

A figure that was not measured at a step is None, never 0: most are measured at some steps only. A run that
goes on from a checkpoint measures steps again; what it measures then stands, and what came after the
checkpoint before is forgotten. Nothing here decides whether a figure is good.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

from pydantic import Field

from coreact.rubric import Record

FigureName = Literal[
    "proxy",
    "panel",
    "referee",
    "length",
    "criteria",
    "entropy",
    "kl",
    "repeated",
    "masked",
    "zero_variance",
    "exploitation",
    "internalisation",
]
"""A figure of `Figures`."""


class Figures(Record):
    """What was measured at one training step. None: not measured at this step."""

    step: int = Field(ge=0)
    """Optimiser steps done."""
    proxy: float | None = Field(default=None, allow_inf_nan=False)
    """Mean reward of the rollouts that have one: what training raises. In [0, 1] here, higher is better."""
    panel: float | None = Field(default=None, allow_inf_nan=False)
    """Mean score of held-out items by judges that do not train the policy, on the proxy's scale."""
    referee: float | None = Field(default=None, allow_inf_nan=False)
    """Mean score of the same items by a judge without a rubric, on the proxy's scale."""
    length: float | None = Field(default=None, ge=0, allow_inf_nan=False)
    """Mean length of a completion, in tokens."""
    criteria: float | None = Field(default=None, ge=0, allow_inf_nan=False)
    """Mean number of criteria in a readable completion."""
    entropy: float | None = Field(default=None, allow_inf_nan=False)
    """Mean entropy of the policy at a token, in nats."""
    kl: float | None = Field(default=None, allow_inf_nan=False)
    """Mean divergence from the reference policy at a token, in nats."""
    repeated: float | None = Field(default=None, ge=0, le=1)
    """Mean share of a completion's text that repeats itself."""
    masked: float | None = Field(default=None, ge=0, le=1)
    """Share of completions without a reward: an instrument failed, or their point has no contrast."""
    zero_variance: float | None = Field(default=None, ge=0, le=1)
    """Share of groups whose rewards are all equal: they teach nothing."""
    exploitation: float | None = Field(default=None, ge=0, le=1)
    """Share of the newly credited weight that the whole panel rejects, see `exploitation`."""
    internalisation: float | None = Field(default=None, allow_inf_nan=False)
    """The self-internalisation gap in nats a token, see `internalisation_gap`."""

    @property
    def measured(self) -> dict[str, float]:
        """The figures that were measured, by name."""
        return {name: value for name, value in self if name != "step" and value is not None}


class Point(NamedTuple):
    """One measurement of one figure."""

    step: int
    value: float


class History:
    """The figures of a run in the order of its steps, one entry a step."""

    def __init__(self) -> None:
        self._entries: list[Figures] = []
        self._points: dict[str, list[Point]] = {}

    @property
    def entries(self) -> tuple[Figures, ...]:
        """All entries, in order."""
        return tuple(self._entries)

    @property
    def step(self) -> int:
        """The last step; 0 where there is none."""
        return self._entries[-1].step if self._entries else 0

    def go_back(self, step: int) -> None:
        """Forget what was measured at this step and later."""
        while self._entries and self._entries[-1].step >= step:
            self._entries.pop()
        for points in self._points.values():
            while points and points[-1].step >= step:
                points.pop()

    def add(self, figures: Figures) -> None:
        """Add what was measured.

        Several entries for one step complete each other, the later one winning. One for an earlier step than
        the last begins a repetition: what was measured from there on is forgotten.
        """
        if figures.step < self.step:
            self.go_back(figures.step)
        if self._entries and self._entries[-1].step == figures.step:
            self._entries[-1] = self._entries[-1].model_copy(update=figures.measured)
        else:
            self._entries.append(figures)
        for name, value in figures.measured.items():
            points = self._points.setdefault(name, [])
            if points and points[-1].step == figures.step:
                points.pop()
            points.append(Point(figures.step, value))

    def series(self, name: FigureName) -> Sequence[Point]:
        """The measurements of one figure, in order."""
        return self._points.get(name, ())

    def pairs(self, one: FigureName, other: FigureName) -> tuple[Sequence[Point], Sequence[Point]]:
        """The measurements of two figures at the steps where both were measured."""
        both = {point.step for point in self.series(one)} & {point.step for point in self.series(other)}
        left, right = ([p for p in self.series(name) if p.step in both] for name in (one, other))
        return left, right
