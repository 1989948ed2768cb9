"""Lines of JSON, each with its place, so that an unusable one is named by file, line and remedy.

`read_lines` is for the loaders of worlds; `json_objects` reads for whoever has a line, and an error, of their
own. Nothing is skipped but blank lines, and nothing is written or fetched.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Container, Iterator
from pathlib import Path
from typing import Any, NamedTuple, Protocol, TypeVar

from pydantic import ValidationError

from coreact.errors import WorldError


class Line(NamedTuple):
    """One object of a file."""

    path: Path
    number: int
    """1-based."""
    fields: dict[str, Any]

    def error(self, what: str, *, remedy: str) -> WorldError:
        """An error that names this line."""
        return WorldError(
            f"{self.path}, line {self.number}: {what}.", path=self.path, line=self.number, remedy=remedy
        )

    def required(self, *names: str) -> dict[str, Any]:
        """These fields.

        Raises:
            WorldError: one is missing.
        """
        missing = [name for name in names if name not in self.fields]
        if missing:
            raise self.error(
                f"the field {missing[0]!r} is missing", remedy=f"An object here needs {', '.join(names)}."
            )
        return {name: self.fields[name] for name in names}

    def refuse_repeat(self, what: str, key: str, taken: Container[str]) -> None:
        """Refuse an id that an earlier line has.

        Raises:
            WorldError: it is taken.
        """
        if key in taken:
            raise self.error(
                f"the {what} id {key!r} is taken by an earlier line",
                remedy=f"Give every {what} an id of its own.",
            )

    def misfit(self, failure: ValidationError) -> WorldError:
        """The error of an object that does not fit its record."""
        first = failure.errors()[0]
        field = ".".join(map(str, first["loc"])) or "object"
        return self.error(f"the field {field!r} does not fit: {first['msg']}", remedy="Correct the value.")


def read_lines(path: Path, *, remedy: str) -> Iterator[Line]:
    """The objects of a file of JSON lines, in order.

    Args:
        path: the file.
        remedy: what to say where it cannot be read.

    Raises:
        WorldError: the file cannot be read, or a line is not UTF-8, not JSON or no object.
    """
    try:
        content = path.read_bytes()
    except OSError as failure:
        raise WorldError(
            f"{path} cannot be read: {failure.strerror}.",
            path=path,
            remedy=remedy,
        ) from failure
    return json_objects(content, lambda number, fields: Line(path, number, fields))


class Placed(Protocol):
    """A line that can say where it stands."""

    def error(self, what: str, *, remedy: str) -> Exception:
        """An error that names the line."""


L = TypeVar("L", bound=Placed)


def json_objects(content: bytes, line_of: Callable[[int, dict[str, Any]], L]) -> Iterator[L]:
    """The objects of JSON lines, in order; blank lines are passed over.

    Args:
        content: the file, UTF-8, with or without a byte order mark.
        line_of: makes a line of its 1-based number and its fields.

    Raises:
        Exception: what `error` of a line gives, where one is not UTF-8, not JSON or no object.
    """
    # Split at line feeds only: JSON strings may hold the other characters that str.splitlines cuts at.
    for number, raw in enumerate(content.removeprefix(b"\xef\xbb\xbf").split(b"\n"), start=1):
        if not raw.strip():
            continue
        line = line_of(number, {})
        try:
            fields = json.loads(raw.decode("utf-8"))
        except UnicodeDecodeError as failure:
            raise line.error("the bytes are not UTF-8", remedy="Save the file as UTF-8.") from failure
        except json.JSONDecodeError as failure:
            raise line.error(
                f"not JSON ({failure.msg} at column {failure.colno})",
                remedy="Write one complete JSON object on each line.",
            ) from failure
        except (RecursionError, ValueError) as failure:
            raise line.error(
                "the JSON is nested too deep or holds a number too long to read",
                remedy="Write a flat JSON object.",
            ) from failure
        if not isinstance(fields, dict):
            raise line.error(
                f"a JSON {type(fields).__name__} where an object should be",
                remedy="Write one JSON object on each line.",
            )
        yield line_of(number, fields)
