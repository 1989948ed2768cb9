"""Files of tasks, read whole or not at all: a line that cannot be used fails with its path and number.

JSON lines, or one JSON array of objects as some data sets are published; then the number is that of the line
where the object begins. Skipping a line would change what a score means without anybody noticing.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Protocol, TypeVar

from pydantic import ValidationError

from coreact.errors import LabelFileError
from coreact.rubric import digest
from coreact.trace.lines import Line, json_lines, read_bytes


class Identified(Protocol):
    """A record with an id."""

    @property
    def id(self) -> str:
        """Unique within its file."""


T = TypeVar("T")
R = TypeVar("R", bound=Identified)


def located(path: Path | str | None, file: str) -> Path:
    """The file meant: the path itself, or the known file in the folder that it is.

    Raises:
        LabelFileError: there is no path, or nothing there.
    """
    if path is None:
        raise LabelFileError(
            "This suite has no data of its own.",
            remedy=f"Give the path of its file, or of a folder with {file}.",
        )
    given = Path(path)
    found = given / file if given.is_dir() else given
    if not found.is_file():
        raise LabelFileError(
            f"There is no file {found}.", path=found, remedy=f"Give a file, or a folder with {file} in it."
        )
    return found


def records(path: Path, read: Callable[[Mapping[str, Any]], R]) -> tuple[R, ...]:
    """One record for each object of a file, with unique ids.

    Args:
        path: the file.
        read: makes a record of an object's fields. What it raises about them (KeyError, TypeError,
            ValueError, pydantic's errors) becomes an error about the line.

    Raises:
        LabelFileError: the file is empty or cannot be read, a line is broken or repeats an id.
    """
    found: dict[str, R] = {}
    for line in objects(path):
        record = parsed(line, read)
        if record.id in found:
            raise line.error(
                f"the id {record.id!r} is taken by an earlier line",
                remedy="Give every line an id of its own.",
            )
        found[record.id] = record
    if not found:
        raise LabelFileError(f"{path} is empty.", path=path, remedy="Write one JSON object on each line.")
    return tuple(found.values())


def parsed(line: Line, read: Callable[[Mapping[str, Any]], T]) -> T:
    """What `read` makes of a line; what it raises becomes an error about that line."""
    try:
        return read(line.fields)
    except (ValidationError, KeyError, TypeError, AttributeError, IndexError, ValueError) as failure:
        raise line.misfit(failure) from failure


def objects(path: Path) -> Iterator[Line]:
    """The objects of a file of JSON lines, or of one with a JSON array.

    Raises:
        LabelFileError: the file cannot be read, or a part of it is no JSON object.
    """
    content = read_bytes(path)
    if content.removeprefix(b"\xef\xbb\xbf").lstrip()[:1] == b"[":
        return _array(path, content)
    return json_lines(path, content)


def _array(path: Path, content: bytes) -> Iterator[Line]:
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as failure:
        raise Line(path, 1, {}).error(
            "the bytes are not UTF-8", remedy="Save the file as UTF-8."
        ) from failure
    decoder, at, number = json.JSONDecoder(), text.index("[") + 1, 1 + text.count("\n", 0, text.index("["))
    separated, begun = True, False
    while True:
        at, number = _past_space(text, at, number)
        line = Line(path, number, {})
        if text[at : at + 1] == "]" and not (separated and begun):
            if text[at + 1 :].strip():
                raise line.error("something stands behind the array", remedy="Write one JSON array.")
            return
        if at >= len(text):
            raise line.error("the array does not end", remedy="Write one JSON array.")
        if not separated:
            raise line.error("a comma is missing between two objects", remedy="Write one JSON array.")
        try:
            fields, end = decoder.raw_decode(text, at)
        except json.JSONDecodeError as failure:
            where = line._replace(number=failure.lineno)
            raise where.error(
                f"not JSON ({failure.msg})", remedy="Write an array of JSON objects."
            ) from failure
        except (RecursionError, ValueError) as failure:
            raise line.error(
                "the JSON is nested too deep or holds a number too long to read",
                remedy="Write a flat JSON object.",
            ) from failure
        if not isinstance(fields, dict):
            raise line.error(
                f"a JSON {type(fields).__name__} where an object should be",
                remedy="Write an array of JSON objects.",
            )
        yield line._replace(fields=fields)
        begun = True
        number += text.count("\n", at, end)
        at, number = _past_space(text, end, number)
        separated = text[at : at + 1] == ","
        at += separated


def _past_space(text: str, at: int, number: int) -> tuple[int, int]:
    start = at
    while text[at : at + 1].isspace():
        at += 1
    return at, number + text.count("\n", start, at)


def text_of(fields: Mapping[str, Any], name: str) -> str:
    """A field that must be a text with something in it.

    Raises:
        KeyError: there is no such field.
        ValueError: it is something else, or blank.
    """
    value = fields[name]
    if not isinstance(value, str) or not value.strip():
        raise ValueError(f"the field {name!r} must be a text, not {type(value).__name__} or blank")
    return value


def id_of(fields: Mapping[str, Any], name: str) -> str:
    """A field that must be an id: a text with something in it, or a whole number, as text.

    Raises:
        KeyError: there is no such field.
        ValueError: it is something else, or blank.
    """
    value = fields[name]
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else text_of(fields, name)


def version_of(content: Any) -> str:
    """`sha256:…` of plain data: equal for equal content on any machine and day."""
    return f"sha256:{digest(content).rpartition(':')[2]}"
