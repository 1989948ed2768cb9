"""Files of JSON lines, read whole or not at all, and files written whole or not at all.

A line that cannot be used is an error with its position: skipping it would change what a measurement
means without anybody noticing.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import ValidationError

from coreact.errors import LabelFileError


class Line(NamedTuple):
    """One JSON object of a file and where it stands."""

    path: Path
    number: int
    """1-based."""
    fields: dict[str, Any]

    def error(self, what: str, *, remedy: str) -> LabelFileError:
        """An error about this line."""
        return LabelFileError(
            f"{self.path}, line {self.number}: {what}.", path=self.path, line=self.number, remedy=remedy
        )

    def misfit(self, failure: Exception) -> LabelFileError:
        """An error about fields that are missing or do not fit, from what they raised."""
        if isinstance(failure, ValidationError):
            first = failure.errors()[0]
            field = ".".join(map(str, first["loc"]))
            what = f"the field {field!r} does not fit: {first['msg']}" if field else str(first["msg"])
        elif isinstance(failure, KeyError):
            what = f"the field {failure.args[0]!r} is missing"
        else:
            what = f"the fields do not fit: {failure}"
        return self.error(what, remedy="Correct the line; see the documentation of the file's shape.")


def read_bytes(path: Path) -> bytes:
    """The content of a file.

    Raises:
        LabelFileError: it cannot be read.
    """
    try:
        return path.read_bytes()
    except OSError as failure:
        raise LabelFileError(
            f"{path} cannot be read: {failure.strerror}.",
            path=path,
            remedy="Give a file of JSON lines, or the folder of a known data set.",
        ) from failure


def json_lines(path: Path, content: bytes) -> Iterator[Line]:
    """The JSON objects of a file, one a line; blank lines are passed over.

    Args:
        path: where the content comes from, for errors.
        content: see `read_bytes`.

    Raises:
        LabelFileError: a line is not UTF-8, not JSON, or no object.
    """
    # Split at line feeds only: JSON strings may hold the other characters that str.splitlines cuts at.
    for number, raw in enumerate(content.removeprefix(b"\xef\xbb\xbf").split(b"\n"), start=1):
        if not raw.strip():
            continue
        line = Line(path, number, {})
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
        yield line._replace(fields=fields)


def write_whole(path: Path, text: str) -> None:
    """Write a text file so that a reader sees the old one or the new one, never a part.

    Raises:
        OSError: it cannot be written; what was there before still is.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8", newline="\n") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        Path(name).chmod(0o644)
        Path(name).replace(path)
    except BaseException:  # whatever it was, also Ctrl-C: it goes on, but leaves no part of a file
        Path(name).unlink(missing_ok=True)
        raise
