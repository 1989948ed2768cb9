"""Settings that move while training goes on: from one value to another, in a straight line.

Atom-Searcher (arXiv 2508.12800) lets the process count much at first and the outcome alone in the end; RVPO
(arXiv 2605.05750) sharpens its soft minimum. Where a run stands is a share of its steps, so the same settings
serve runs of any length. Nothing here counts steps: a trainer does.
"""

from __future__ import annotations

from pydantic import Field

from coreact.rubric.settings import Settings


class Schedule(Settings):
    """A straight line from `start` to `end`."""

    start: float = Field(allow_inf_nan=False)
    """Value at the first step."""
    end: float = Field(allow_inf_nan=False)
    """Value at the last step."""

    def at(self, progress: float) -> float:
        """The value at a share of the training, in [0, 1]; what lies outside is taken as the nearer end.

        Raises:
            ValueError: it is no number.
        """
        if progress != progress:  # NaN: no place on the line
            raise ValueError("the progress of training is not a number")
        done = min(1.0, max(0.0, progress))
        return (1 - done) * self.start + done * self.end


PROCESS_TO_OUTCOME = Schedule(start=0.5, end=0.0)
"""Share of the process score in Atom-Searcher's reward. A reconstruction: the endpoints are recollected as
0.5 to 0, and a survey gives 0.8 to 0.2. Take them as a knob."""

SOFT_MINIMUM = Schedule(start=0.5, end=2.0)
"""RVPO's k, as the paper anneals it."""


def progress(step: int, steps: int) -> float:
    """The share of a training of `steps` steps that is done before step `step`, 0-based, in [0, 1].

    The first step is at 0 and the last at 1; a training of one step is at 0.
    """
    if steps < 1 or step < 0:
        raise ValueError(f"step {step} of {steps}")
    return min(1.0, step / (steps - 1)) if steps > 1 else 0.0
