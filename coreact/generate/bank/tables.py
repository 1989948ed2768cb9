"""Reading a settings record from a TOML file: an unknown key is an error with its name and its file.

For the two files that people edit here, meta-rubrics and profiles. TOML has no code in it, and nothing is
interpolated.
"""

from __future__ import annotations

import difflib
import tomllib
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from coreact.errors import ConfigError
from coreact.rubric import Record

R = TypeVar("R", bound=Record)


def read_table(path: Path, record: type[R]) -> R:
    """The record that a TOML file holds.

    Raises:
        ConfigError: the file cannot be read, is no TOML, or a key is unknown or out of range.
    """
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror or error}.") from error
    except (ValueError, RecursionError) as error:  # no TOML, no UTF-8
        raise ConfigError(f"{path} is no TOML: {error}.") from error
    try:
        return record.model_validate(table)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        key = ".".join(str(part) for part in first["loc"] if part != "[key]") or "the table"
        if first["type"] != "extra_forbidden":
            told = first["msg"].removeprefix("Value error, ")
            raise ConfigError(f"{path}: key {key!r}: {told} (got {first['input']!r}).") from error
        known = _keys_at(record, first["loc"][:-1])
        near = difflib.get_close_matches(str(first["loc"][-1]), known, n=1)
        raise ConfigError(
            f"{path}: there is no key {key!r}.",
            remedy=f"Did you mean {near[0]!r}?" if near else f"Keys here are: {', '.join(known)}.",
        ) from error


def _keys_at(record: type[BaseModel], where: tuple[int | str, ...]) -> list[str]:
    for part in where:
        inner = record.model_fields[str(part)].annotation if str(part) in record.model_fields else None
        if not (isinstance(inner, type) and issubclass(inner, BaseModel)):
            return []
        record = inner
    return [field.alias or name for name, field in record.model_fields.items()]
