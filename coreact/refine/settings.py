"""The settings of verify-and-refine: one frozen record, checked when it is made."""

from __future__ import annotations

from pydantic import Field

from coreact.refine.follow_up import MOST
from coreact.rubric.settings import Settings


class RefineSettings(Settings):
    """How an answer is verified and refined.

    DeepVerifier's accuracy peaks at the fourth round and falls after it, since every round also turns
    some right answers into wrong ones (12.8 % in the first, 1 to 4 % in each later one). Patience is
    RubricRefine's reconstruction.
    """

    max_rounds: int = Field(default=4, ge=1, le=10)
    """Answers that are judged at most, the first one included; 1 verifies and never revises."""
    patience: int = Field(default=2, ge=1)
    """Rounds without a better answer after which to stop."""
    follow_ups: int = Field(default=MOST, ge=0, le=MOST)
    """Follow-up checks of one round at most; they need an investigator."""
    preserve: bool = True
    """Whether a revision must keep numbers, quotes and addresses that no feedback spoke of."""
