"""What models cost, by a table from a user's file: none is built in, since a stale price lies."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from pydantic import Field, ValidationError

from coreact.errors import ConfigError
from coreact.rubric import Record

_MILLION = 1_000_000


class Price(Record):
    """Price of a model's tokens."""

    input: float = Field(ge=0)
    """USD for a million tokens read."""
    output: float = Field(ge=0)
    """USD for a million tokens written."""

    def of(self, input_tokens: int, output_tokens: int) -> float:
        """USD for so many tokens."""
        return (input_tokens * self.input + output_tokens * self.output) / _MILLION


class Prices:
    """Prices by model name; a name may be a pattern (`gpt-4o*`), of which the longest that fits counts."""

    def __init__(self, table: Mapping[str, Price] | None = None) -> None:
        self._table = dict(table or {})

    def __bool__(self) -> bool:
        return bool(self._table)

    def of(self, model: str) -> Price | None:
        """Price of a model as it names itself; None where the table does not say."""
        fitting = [pattern for pattern in self._table if fnmatchcase(model, pattern)]
        return self._table[max(fitting, key=len)] if fitting else None

    def plain(self) -> dict[str, Any]:
        """The table as plain JSON."""
        return {name: price.model_dump() for name, price in sorted(self._table.items())}


def read_prices(path: Path) -> Prices:
    """Read a table: TOML, or JSON where the name ends in `.json`.

    Each entry is a model name or pattern with `input` and `output`, USD for a million tokens.

    Raises:
        ConfigError: the file cannot be read, or an entry is no price.
    """
    remedy = 'Write `["gpt-4o*"]` with `input = 2.5` and `output = 10.0`, USD for a million tokens.'
    try:
        content = path.read_text(encoding="utf-8")
        table = json.loads(content) if path.suffix == ".json" else tomllib.loads(content)
        if not isinstance(table, dict):
            raise ValueError("it is no table")
        return Prices({name: Price.model_validate(entry) for name, entry in table.items()})
    except OSError as error:
        raise ConfigError(f"The prices {path} cannot be read: {error.strerror}.", remedy=remedy) from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise ConfigError(f"{path}: {where or 'an entry'}: {first['msg']}.", remedy=remedy) from error
    except ValueError as error:
        raise ConfigError(f"{path} is no price table: {error}.", remedy=remedy) from error
