"""What all records of settings share: an unknown or impossible setting is a typed error with its name."""

from __future__ import annotations

import difflib
from typing import Any, Self

from pydantic import ValidationError

from coreact.errors import ConfigError
from coreact.rubric.state import Record


class Settings(Record):
    """Base of settings: frozen, and checked when they are made."""

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
