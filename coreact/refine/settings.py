"""The settings of verify-and-refine: one frozen record, checked when it is made."""

from __future__ import annotations

import difflib
from typing import Any, Self

from pydantic import Field, ValidationError

from coreact.errors import ConfigError
from coreact.refine.follow_up import MOST
from coreact.rubric import Record


class RefineSettings(Record):
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

    @classmethod
    def of(cls, **values: Any) -> Self:
        """Make settings from keywords.

        Raises:
            ConfigError: names the key that is unknown or out of range, and what is near it.
        """
        try:
            return cls(**values)
        except ValidationError as error:
            first = error.errors()[0]
            key = ".".join(map(str, first["loc"])) or "settings"
            near = difflib.get_close_matches(key, list(cls.model_fields), n=1)
            raise ConfigError(
                f"Setting {key!r}: {first['msg']} (got {first['input']!r}).",
                remedy=f"Did you mean {near[0]!r}?"
                if first["type"] == "extra_forbidden" and near
                else f"Settings are: {', '.join(cls.model_fields)}.",
            ) from error
