"""From a file to the JSON documents in it: JSON Lines one by one, or one whole JSON document.

A file of lines is read line by line, so its size does not matter. What cannot be trusted is said with its
line: nothing is guessed, and nothing is left out in silence. Which tool wrote the file is not asked here.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from coreact.errors import TraceFileError

_BOM = b"\xef\xbb\xbf"
_FOREIGN = {
    b"\x1f\x8b": ("is compressed", "Unpack it first (gunzip)."),
    b"PK\x03\x04": ("is a zip archive", "Unpack it first."),
    b"\x28\xb5\x2f\xfd": ("is compressed", "Unpack it first (zstd -d)."),
    b"\xff\xfe": ("is UTF-16", "Write it as UTF-8."),
    b"\xfe\xff": ("is UTF-16", "Write it as UTF-8."),
    b"SQLite format 3": (
        "is an SQLite database",
        "Export its traces as JSON; a store is merged, not imported.",
    ),
}


class LeftOut(NamedTuple):
    """Something in a file that did not become a part of a trajectory."""

    where: str
    """The place in the file, as a reader would look for it: `line 3, turn 2`."""
    why: str


@dataclass(frozen=True)
class Document:
    """One JSON value of a file."""

    value: Any
    where: str
    """`line 3` (from 1) or `item 3` (from 1, of a file that is one list), or `the document`."""
    line: int | None = None
    """1-based line, where the file has one document a line."""


class _BrokenError(ValueError):
    """No JSON; the message says why."""

    def __init__(self, why: str, line: int = 1) -> None:
        super().__init__(why)
        self.line = line


def documents(path: Path, left_out: list[LeftOut], *, skip_broken: bool = False) -> Iterator[Document]:
    """The JSON values of a file, in order.

    A last line without a line break that is no JSON was torn while it was written: it is left out and
    said. So is an item of a list, or a line, that is broken, if `skip_broken`.

    Args:
        path: a file of one JSON value a line, or of one JSON value in all; a list gives its items.
        left_out: takes what was left out.
        skip_broken: whether to leave broken lines out instead of refusing the file.

    Raises:
        TraceFileError: the file cannot be read, is no UTF-8 JSON or is empty.
    """
    try:
        with path.open("rb") as file:
            _refuse_foreign(file.read(16), path)
            file.seek(0)
            if _is_lines(file):
                file.seek(0)
                yield from _lines(file, path, left_out, skip_broken=skip_broken)
                return
            file.seek(0)
            whole = file.read()
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise TraceFileError(f"{path} cannot be read: {reason}.", path=path) from error
    _refuse_foreign(whole.strip(), path)
    try:
        value = _parsed(whole)
    except _BrokenError as broken:
        raise TraceFileError(
            f"{path}, line {broken.line}: {broken}.",
            path=path,
            line=broken.line,
            remedy="A trace file holds one JSON value, or one a line. Export it again.",
        ) from broken
    if isinstance(value, list):
        for number, item in enumerate(value, start=1):
            yield Document(item, f"item {number}")
        return
    yield Document(value, "the document")


def _refuse_foreign(head: bytes, path: Path) -> None:
    for magic, (what, remedy) in _FOREIGN.items():
        if head.startswith(magic):
            raise TraceFileError(f"{path} {what}, no JSON in UTF-8.", path=path, remedy=remedy)
    if not head:
        raise TraceFileError(f"{path} is empty.", path=path, remedy="Name a file that has traces in it.")


def _is_lines(file: BinaryIO) -> bool:
    """Whether the file has a JSON value a line, judged by its first two lines that say anything."""
    said = (line for line in (raw.removeprefix(_BOM).strip() for raw in file) if line)
    first, second = next(said, b""), next(said, None)
    if first in (b"[", b"{"):
        return False
    if _is_json(first):
        return second is not None or first.startswith(b"{")
    return second is not None and second.startswith(b"{") and _is_json(second)


def _is_json(line: bytes) -> bool:
    try:
        _parsed(line)
    except _BrokenError:
        return False
    return True


def _lines(file: BinaryIO, path: Path, left_out: list[LeftOut], *, skip_broken: bool) -> Iterator[Document]:
    for number, raw in enumerate(file, start=1):
        line = raw.removeprefix(_BOM) if number == 1 else raw
        if not line.strip():
            continue
        try:
            value = _parsed(line)
        except _BrokenError as broken:
            if not raw.endswith(b"\n"):
                left_out.append(LeftOut(f"line {number}", f"the last line is torn ({broken})"))
            elif skip_broken:
                left_out.append(LeftOut(f"line {number}", f"broken: {broken}"))
            else:
                raise TraceFileError(
                    f"{path}, line {number}: {broken}.",
                    path=path,
                    line=number,
                    remedy="Mend or remove the line, or leave broken lines out with --skip-broken.",
                ) from broken
        else:
            yield Document(value, f"line {number}", number)


def loads(text: str) -> Any:
    """A JSON text as its value; NaN and infinities, which are no JSON and no record can keep, as None.

    Raises:
        ValueError: it is no JSON.
        RecursionError: it is nested too deeply.
    """
    return json.loads(text, parse_constant=lambda _: None, parse_float=_finite)


def _finite(text: str) -> float | None:
    number = float(text)
    return number if math.isfinite(number) else None


def _parsed(raw: bytes) -> Any:
    try:
        return loads(raw.removeprefix(_BOM).decode("utf-8"))
    except json.JSONDecodeError as error:
        raise _BrokenError(f"no valid JSON ({error.msg} at character {error.colno})", error.lineno) from error
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise _BrokenError(f"no valid UTF-8 (byte {error.object[error.start]:#04x})", line) from error
    except RecursionError as error:
        raise _BrokenError("JSON nested too deeply") from error
    except ValueError as error:  # an integer of more digits than Python reads
        raise _BrokenError("a number with too many digits") from error
