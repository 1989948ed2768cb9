"""When a training run is going wrong, as rules that are plain data: each reads the history and says why.

Three shapes are enough. A divergence: what is trained on rises and what it stands for does not (the sign of
reward hacking in arXiv 2605.12474, "Reward Hacking in Rubric-Based RL"). A bound: a figure leaves a range,
fixed or relative to how the run began (length, number of criteria, entropy, divergence from the reference,
masked samples). Patience: a figure has stopped rising, or has fallen from its peak (the same paper stops at
the peak of the self-internalisation gap). The paper gives no thresholds for any of them but shows the
curves; every number here is ours, chosen on the toy runs of `coreact.train.monitor.toy`, and a setting.

A rule knows nothing of the run but the figures, and calls nobody. Noise is allowed for: a divergence
compares means of several measurements and needs the gap to exceed twice its standard error.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import accumulate
from statistics import fmean
from typing import Annotated, Literal

from pydantic import Field, model_validator

from coreact.rubric import Record
from coreact.train.monitor.figures import FigureName, History, Point

_ERRORS = 2.0  # standard errors of a mean that a reference is given before it counts as flat


class Divergence(Record):
    """One figure rises and another, which it stands for, does not follow.

    Looked at since the first measurements, and since the reference was at its best: a run may be honest for
    long before it finds an exploit. Only steps at which both were measured count.
    """

    kind: Literal["divergence"] = "divergence"
    name: str = Field(min_length=1)
    rising: FigureName = "proxy"
    reference: FigureName = "panel"
    window: int = Field(default=4, ge=2)
    """Measurements whose mean is compared with the mean of as many earlier ones."""
    rise: float = Field(default=0.1, gt=0)
    """Least rise of the first figure that is looked at."""
    share: float = Field(default=0.25, ge=0, lt=1)
    """Part of the rise that the reference must make too."""
    stop: bool = False
    """Whether training ends with this alarm."""
    fault: bool = True
    """See `Bound`."""

    def finding(self, history: History) -> str | None:
        """Why this is an alarm now; None where it is not."""
        rising, reference = history.pairs(self.rising, self.reference)
        size = self.window
        if len(rising) < 2 * size:
            return None
        sums = [0.0, *accumulate(point.value for point in reference)]
        best = max(range(len(reference) - 2 * size + 1), key=lambda at: sums[at + size] - sums[at])
        for at in dict.fromkeys((0, best)):
            rose = _mean(rising[-size:]) - _mean(rising[at : at + size])
            followed = _mean(reference[-size:]) - _mean(reference[at : at + size])
            doubt = _ERRORS * math.hypot(_error(reference[-size:]), _error(reference[at : at + size]))
            if rose >= self.rise and followed + doubt < self.share * rose:
                since = f"since step {rising[at].step}"
                return f"{since} {self.rising} has risen by {rose:.3f} and {self.reference} by {followed:.3f}"
        return None


class Bound(Record):
    """A figure stays outside a range for several measurements in a row."""

    kind: Literal["bound"] = "bound"
    name: str = Field(min_length=1)
    figure: FigureName
    most: float | None = None
    least: float | None = None
    relative: bool = False
    """True: `most` and `least` are multiples of the mean of the first `window` measurements."""
    window: int = Field(default=3, ge=1)
    """Measurements in a row, all of them outside on the same side."""
    stop: bool = False
    """Whether training ends with this alarm."""
    fault: bool = True
    """True: something is wrong with the run. False: it has no more to gain."""

    @model_validator(mode="after")
    def _bounds(self) -> Bound:
        if self.most is None and self.least is None:
            raise ValueError("a bound needs `most` or `least`")
        return self

    def finding(self, history: History) -> str | None:
        """Why this is an alarm now; None where it is not."""
        found = history.series(self.figure)
        if len(found) < self.window * (2 if self.relative else 1):
            return None
        scale = _mean(found[: self.window]) if self.relative else 1.0
        last = [point.value for point in found[-self.window :]]
        began = f", {scale:.3f} at the beginning" if self.relative else ""
        if self.most is not None and min(last) > self.most * scale:
            return f"{self.figure} is {last[-1]:.3f}, above {self.most * scale:.3f}{began}"
        if self.least is not None and max(last) < self.least * scale:
            return f"{self.figure} is {last[-1]:.3f}, below {self.least * scale:.3f}{began}"
        return None


class Patience(Record):
    """A figure has not become better than its best for several measurements, or has fallen from it."""

    kind: Literal["patience"] = "patience"
    name: str = Field(min_length=1)
    figure: FigureName = "panel"
    patience: int = Field(default=8, ge=1)
    """Measurements in a row that must show it."""
    margin: float = 0.005
    """They show it where none reaches the best before plus this. Negative: they must all lie below the best
    by more than its size, that is, the figure has peaked."""
    stop: bool = False
    """Whether training ends with this alarm."""
    fault: bool = False
    """See `Bound`."""

    def finding(self, history: History) -> str | None:
        """Why this is an alarm now; None where it is not."""
        found = history.series(self.figure)
        before, last = found[: -self.patience], found[-self.patience :]
        if not before:
            return None
        best = max(before, key=lambda point: point.value)
        now = max(point.value for point in last)
        if now >= best.value + self.margin:
            return None
        verb = "has fallen from" if self.margin < 0 else "has not risen above"
        return (
            f"{self.figure} {verb} {best.value:.3f} at step {best.step} "
            f"in {len(last)} measurements (best of them {now:.3f})"
        )


Rule = Annotated[Divergence | Bound | Patience, Field(discriminator="kind")]
"""A rule, as a recipe holds it."""

RULES: dict[str, type[Record]] = {"divergence": Divergence, "bound": Bound, "patience": Patience}
"""The records by their kind."""

DEFAULT_RULES: tuple[Divergence | Bound | Patience, ...] = (
    Divergence(name="proxy_without_panel", rising="proxy", reference="panel", stop=True),
    Divergence(name="proxy_without_referee", rising="proxy", reference="referee"),
    Divergence(name="panel_without_referee", rising="panel", reference="referee"),
    Bound(name="exploitation", figure="exploitation", most=0.3),
    Bound(name="length_drift", figure="length", least=0.5, most=2.0, relative=True),
    Bound(name="criterion_drift", figure="criteria", least=0.6, most=1.6, relative=True),
    Bound(name="entropy_collapse", figure="entropy", least=0.1, relative=True),
    Bound(name="kl_blow_up", figure="kl", most=1.0, stop=True),
    Bound(name="repeated_text", figure="repeated", most=0.3),
    Bound(name="masked_share", figure="masked", most=0.2),
    Bound(name="no_signal", figure="zero_variance", most=0.9, window=5, fault=False),
    Patience(name="panel_plateau", figure="panel", stop=True),
    Patience(name="internalisation_peak", figure="internalisation", patience=3, margin=-0.005, stop=True),
)
"""What a run is watched with where a recipe names no rules. Rules on figures that nobody measures are silent.

`panel_without_referee` speaks of the rubric and not of the verifier: judges with the rubric are pleased and
one without it is not, so the rubric leaves out what matters (the paper's rubric-design gap)."""


class Alarm(Record):
    """A rule that began to hold."""

    rule: str
    step: int = Field(ge=0)
    """Optimiser steps done when it was seen."""
    reason: str
    """One sentence without its full stop."""
    stop: bool
    """Whether the rule ends training."""
    fault: bool
    """Whether something is wrong with the run."""


def _mean(points: Sequence[Point]) -> float:
    return fmean(point.value for point in points)


def _error(points: Sequence[Point]) -> float:
    """Standard error of the mean, the trend within the window included: it errs on the quiet side."""
    mean, size = _mean(points), len(points)
    return math.sqrt(math.fsum((point.value - mean) ** 2 for point in points) / (size - 1) / size)
