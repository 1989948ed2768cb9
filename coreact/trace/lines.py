"""Files of JSON lines, read whole or not at all, and files written whole or not at all.

A line that cannot be used is an error with its position: skipping it would change what a measurement
means without anybody noticing.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import ValidationError

from coreact.errors import LabelFileError
from coreact.worlds.lines import json_objects


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
    return json_objects(content, lambda number, fields: Line(path, number, fields))


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
